/* SPDX-License-Identifier: MIT */
/*
 * The application's last close: plain, or FIN now and drain to the peer's FIN.
 *
 * facts/linux-close.md section 5: only "dup, SHUT_WR, close the number, drain the dup to EOF" loses no response. It is done
 * when an RST could destroy something:
 *   unread data waits (close would send the RST at once), or
 *   the peer has not closed, and output is not acknowledged yet (data that arrives after the close would draw the RST).
 * With `linger = always`, whenever the peer has not closed. A connection whose description somebody else may hold, or for which the
 * application chose SO_LINGER, is closed as the application asked.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/single_threaded.h>

#include <lastack/sys.h>

#include "internal.h"

struct la_enforce_settings la_enforce_config;

static struct la_policy nothing;
static bool closes, stopped;

struct la_view la_view_of(const struct la_connection_record *record, enum la_eof eof)
{
	struct la_view view = {.role = record->role,
		.eof = eof,
		.local_port = record->local_port,
		.remote_port = record->remote_port,
		.exe = la_enforce_config.exe};

	__builtin_memcpy(view.local, record->local, 16);
	__builtin_memcpy(view.remote, record->remote, 16);
	return view;
}

bool la_enforce_closes(void)
{
	return closes && !stopped;
}

static void fork_child(void)
{
	la_drains_abandon();
	la_act_abandon();
	la_helper_forked();
}

int la_enforce_start(const struct la_enforce_settings *settings)
{
	la_enforce_config = *settings;
	if (!la_enforce_config.policy)
		la_enforce_config.policy = &nothing;
	closes = la_policy_closes_gracefully(la_enforce_config.policy) &&
		 !la_enforce_config.policy->observe;
	la_track_on_fork_child(fork_child);
	return la_log_open(settings->log);
}

void la_enforce_connection(void)
{
	if (!stopped && la_policy_bounds_anything(la_enforce_config.policy)) {
		la_helper_ensure();
		la_bounds_connection();
	}
}

void la_enforce_pause(void)
{
	la_helper_pause();
}

void la_enforce_resume(bool may_start)
{
	la_helper_resume(may_start);
}

void la_enforce_stop(void)
{
	stopped = true;
	la_helper_stop();
}

/* Could an RST destroy something, were the number closed now? */
static bool is_needed(int fd, enum la_close_linger linger)
{
	int state = la_kernel_state(fd);
	bool peer_open =
		state == TCP_ESTABLISHED || state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2;

	if (state != TCP_CLOSE_WAIT && state != TCP_LAST_ACK && state != TCP_CLOSING && !peer_open)
		return false;
	if (peer_open && linger == LA_LINGER_ALWAYS)
		return true;
	return la_kernel_unread(fd) > 0 || (peer_open && la_kernel_unacked(fd) > 0);
}

/* The close is to be graceful: a place, its dup and our FIN; or -1. With all signals blocked. */
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
		order->cookie != atomic_load(&record->cookie) || !la_act_leave_epolls(fd)) {
		la_drains_cancel(place);
		la_sys(SYS_close, order->fd);
		return -1;
	}
	if (order->max && la_drains_count() > order->max)
		la_drains_evict_oldest();
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

int la_enforce_begin(int fd, const struct la_release *release)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = &region->connections[release->index];
	struct la_drain_order order = {
		.fd = -1, .index = release->index, .generation = release->generation};
	uint32_t asked = LA_CONNECTION_LINGER_RESET | LA_CONNECTION_LINGER_TIMED;
	struct la_view view;
	const struct la_rule *rule;
	int place;

	if (record->role == LA_ROLE_LISTENER || (LA_WORD_FLAGS(atomic_load(&record->word)) & asked))
		return -1;
	view = la_view_of(record, LA_EOF_NONE);
	rule = la_policy_find(la_enforce_config.policy, LA_SECTION_CLOSE, &view);
	if (!rule || rule->action != LA_CLOSE_GRACEFUL || !is_needed(fd, rule->linger))
		return -1;
	if (!release->last) {
		la_track_count(LA_COUNT_PLAIN_SHARED);
		return -1;
	}
	order.idle_ns = rule->idle_ns;
	order.total_ns = rule->total_ns;
	order.bytes = rule->drain_bytes;
	order.max = rule->max;
	/* A handler that jumped away from here on would leave a connection half-closed that nobody drains. */
	order.signals = la_signals_block();
	place = begin(&order, release, fd, record);
	if (place < 0)
		la_signals_restore(order.signals);
	return place;
}

void la_enforce_commit(int place)
{
	uint64_t signals;

	if (place < 0)
		return;
	signals = la_drains_commit(place);
	la_helper_wake();
	la_signals_restore(signals);
}
