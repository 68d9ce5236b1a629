/* SPDX-License-Identifier: MIT */
/*
 * A close that sends a FIN and keeps a dup to drain.
 *
 * facts/linux-close.md section 5: only "dup, SHUT_WR, close the number, drain the dup to EOF" loses no response.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/single_threaded.h>

#include <lastack/sys.h>

#include "internal.h"

/* A place, its dup and our FIN; or -1. With all signals blocked. */
static int begin(struct la_drain_order *order, const struct la_release *release, int fd,
	const struct la_connection_record *record)
{
	struct la_tcp tcp;
	int place;

	/*
	 * The place first: the child of a fork finds our dup by it. The helper last: a table that grows while it shares it costs a grace period of
	 * the kernel's (10 ms).
	 */
	place = la_drains_reserve(atomic_load(&record->cookie));
	order->fd = place < 0 ? -EAGAIN : la_act_dup(fd);
	if (order->fd < 0 || !la_helper_ensure()) {
		la_drains_cancel(place);
		if (order->fd >= 0)
			la_sys(SYS_close, order->fd);
		la_track_count(LA_COUNT_PLAIN_FULL);
		return -1;
	}
	/* Kernel truth beats the table, and a set that would go on reporting the closed number forbids it all. */
	if (la_kernel_cookie(order->fd, &order->cookie) < 0 ||
		order->cookie != atomic_load(&record->cookie) ||
		(!order->by_exit && !la_act_leave_epolls(fd))) {
		la_drains_cancel(place);
		la_sys(SYS_close, order->fd);
		return -1;
	}
	if (order->max && la_drains_count() > order->max)
		la_drains_crowded(order->max);
	/*
	 * A FIN now would cut short a send() that another thread is blocked in; a plain close would not. While output fills the buffer, that
	 * cannot be told: the helper sends the FIN when all of it is out.
	 */
	order->fin_due = !__libc_single_threaded && la_kernel_tcp(order->fd, &tcp) == 0 &&
			 tcp.notsent_bytes > 0 && !la_kernel_is_writable(order->fd);
	la_slot_exchange(order->fd, LA_SLOT_OWN(place));
	la_drains_fill(place, order);
	la_track_draining(release);
	if (!order->fin_due)
		la_act_send_fin(order->fd);
	return place;
}

static struct la_drain_order order_of(const struct la_release *release, const struct la_rule *rule)
{
	return (struct la_drain_order){.fd = -1,
		.index = release->index,
		.generation = release->generation,
		.idle_ns = rule->idle_ns,
		.total_ns = rule->total_ns,
		.bytes = rule->drain_bytes,
		.max = rule->max};
}

bool la_linger_at_exit(int fd, const struct la_release *release, const struct la_rule *rule)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_drain_order order = order_of(release, rule);
	int place;

	/* All at once, and within the exit's time: `max` is about closes. */
	order.max = 0;
	order.by_exit = true;
	order.brief = !la_close_expects_input(fd);
	order.signals = la_signals_block();
	place = begin(&order, release, fd, &region->connections[release->index]);
	if (place >= 0)
		la_drains_commit(place);
	la_signals_restore(order.signals);
	return place >= 0;
}

int la_linger_begin(int fd, const struct la_release *release, const struct la_rule *rule)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_drain_order order = order_of(release, rule);
	int place;

	/* A handler that jumped away from here on would leave a connection half-closed that nobody drains. */
	order.signals = la_signals_block();
	place = begin(&order, release, fd, &region->connections[release->index]);
	if (place < 0)
		la_signals_restore(order.signals);
	return place;
}
