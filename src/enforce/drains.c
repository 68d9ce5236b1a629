/* SPDX-License-Identifier: MIT */
/*
 * Drains: connections that the application has closed, read to the peer's FIN.
 *
 * Threads hand them over by a wait-free queue (liburcu's wfcqueue); the helper, its only consumer, visits each when it is
 * due: soon while data comes, seldom while none does. A tick and a sweep cost a fifth of waking the helper for each close, and
 * no descriptor for an epoll set (facts/cost.md section 5).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/socket.h>

#define _LGPL_SOURCE
#include <urcu/wfcqueue.h>

#include <lastack/sys.h>

#include "internal.h"

enum {
	PLACES = 4096,
	READS_A_TURN = 16, /* so that one fast sender does not hold up the others */
};
#define FIRST_PAUSE_NS (1 * LA_MS_NS)
#define LAST_PAUSE_NS  (32 * LA_MS_NS)
#define FIN_QUIET_NS   (25 * LA_MS_NS)
#define FIN_PAUSE_NS   (4 * LA_MS_NS)
#define STOPPED_NS     (1000 * LA_MS_NS) /* a turn that comes so late: the process did not run */

enum place_state { PLACE_FREE, PLACE_TAKEN, PLACE_DRAINING, PLACE_EVICTED };

static struct place {
	struct cds_wfcq_node node;
	struct la_drain_order order;
	_Atomic uint32_t state;
	uint32_t unacked;
	uint64_t started_ns, progress_ns, due_ns, pause_ns, drained_bytes;
	uint64_t written_bytes, quiet_since_ns; /* of our output, as long as the FIN is due */
	uint64_t ended_ns;
} places[PLACES];

static struct cds_wfcq_head queue_head;
static struct cds_wfcq_tail queue_tail;
static _Atomic uint32_t queue_made; /* 0, 1 being made, 2 */
static _Atomic uint32_t hand, taken, places_high;

static bool queue_ready(void)
{
	uint32_t fresh = 0;

	if (atomic_load_explicit(&queue_made, memory_order_acquire) == 2)
		return true;
	if (!atomic_compare_exchange_strong(&queue_made, &fresh, 1))
		return fresh == 2;
	__cds_wfcq_init((struct __cds_wfcq_head *)&queue_head, &queue_tail);
	atomic_store_explicit(&queue_made, 2, memory_order_release);
	return true;
}

int la_drains_reserve(uint64_t cookie)
{
	int tried;

	if (!queue_ready())
		return -1;
	for (tried = 0; tried < 64; tried++) {
		uint32_t at = atomic_fetch_add_explicit(&hand, 1, memory_order_relaxed) % PLACES;
		uint32_t state = PLACE_FREE, high;

		if (!atomic_compare_exchange_strong(&places[at].state, &state, PLACE_TAKEN))
			continue;
		places[at].order.fd = -1;
		places[at].order.cookie = cookie;
		atomic_fetch_add(&taken, 1);
		high = atomic_load(&places_high);
		while (high < at + 1 && !atomic_compare_exchange_weak(&places_high, &high, at + 1))
			;
		return (int)at;
	}
	return -1;
}

static void give_back(struct place *place)
{
	place->ended_ns = la_now_ns();
	atomic_fetch_sub(&taken, 1);
	atomic_store_explicit(&place->state, PLACE_FREE, memory_order_release);
}

void la_drains_cancel(int place)
{
	if (place >= 0)
		give_back(&places[place]);
}

void la_drains_fill(int place, const struct la_drain_order *order)
{
	places[place].order = *order;
}

uint64_t la_drains_commit(int place)
{
	struct place *at = &places[place];
	uint64_t signals = at->order.signals;

	at->started_ns = at->progress_ns = la_now_ns();
	at->due_ns = 0;
	at->pause_ns = FIRST_PAUSE_NS;
	at->drained_bytes = 0;
	at->unacked = 0;
	at->written_bytes = 0;
	at->quiet_since_ns = at->started_ns;
	atomic_store_explicit(&at->state, PLACE_DRAINING, memory_order_release);
	cds_wfcq_node_init(&at->node);
	cds_wfcq_enqueue((struct cds_wfcq_head *)&queue_head, &queue_tail, &at->node);
	return signals;
}

uint32_t la_drains_count(void)
{
	return atomic_load_explicit(&taken, memory_order_relaxed);
}

bool la_enforce_drains(void)
{
	return la_drains_count() != 0;
}

static void evict(struct place *place)
{
	uint32_t draining = PLACE_DRAINING;

	atomic_compare_exchange_strong(&place->state, &draining, PLACE_EVICTED);
}

static struct place *oldest_drain(void)
{
	uint32_t high = atomic_load(&places_high), i;
	struct place *oldest = NULL;

	for (i = 0; i < high; i++)
		if (atomic_load_explicit(&places[i].state, memory_order_acquire) ==
				PLACE_DRAINING &&
			(!oldest || places[i].started_ns < oldest->started_ns))
			oldest = &places[i];
	return oldest;
}

void la_drains_evict_oldest(void)
{
	struct place *oldest = oldest_drain();

	if (oldest)
		evict(oldest);
}

static _Atomic uint32_t crowded; /* the `max` that was exceeded; 0: none was */

void la_drains_crowded(uint32_t max)
{
	atomic_store_explicit(&crowded, max, memory_order_relaxed);
}

int la_drains_oldest(void)
{
	struct place *oldest = oldest_drain();

	return oldest ? oldest->order.fd : -1;
}

int la_drains_next(uint32_t *at)
{
	uint32_t high = atomic_load(&places_high);

	while (*at < high) {
		struct place *place = &places[(*at)++];

		if (atomic_load_explicit(&place->state, memory_order_acquire) >= PLACE_DRAINING)
			return place->order.fd;
	}
	return -1;
}

bool la_drains_evict(int fd)
{
	uint32_t high = atomic_load(&places_high), i;

	for (i = 0; i < high; i++)
		if (atomic_load_explicit(&places[i].state, memory_order_acquire) >=
				PLACE_DRAINING &&
			places[i].order.fd == fd) {
			evict(&places[i]);
			return true;
		}
	return false;
}

static const struct {
	const char *name;
	enum la_counter counter;
} endings[LA_ENDING_COUNT] = {
	[LA_ENDING_NONE] = {"lost", LA_COUNT_ACT_FAILED},
	[LA_ENDING_EOF] = {"delivered", LA_COUNT_DRAIN_EOF},
	[LA_ENDING_ACKED] = {"acknowledged", LA_COUNT_DRAIN_ACKED},
	[LA_ENDING_RESET] = {"reset-by-peer", LA_COUNT_DRAIN_RESET},
	[LA_ENDING_IDLE] = {"idle", LA_COUNT_DRAIN_IDLE},
	[LA_ENDING_TOTAL] = {"total", LA_COUNT_DRAIN_TOTAL},
	[LA_ENDING_BYTES] = {"drain-limit", LA_COUNT_DRAIN_BYTES},
	[LA_ENDING_EVICTED] = {"evicted", LA_COUNT_DRAIN_EVICTED},
};

static void finish(struct place *place, enum la_ending ending)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	const struct la_drain_order *order = &place->order;
	struct la_log_line line = {.action = order->by_exit ? "exit" : "drain",
		.rule_section = order->by_exit ? "exit" : "close",
		.result = endings[ending].name,
		.record = &region->connections[order->index],
		.fd = -1,
		.bytes = place->drained_bytes};

	if (ending != LA_ENDING_NONE) {
		line.unacked = la_kernel_unacked(order->fd);
		/* A server that is to start anew may wonder: an RST would have left nothing. */
		line.keeps_address = line.record->role == LA_ROLE_SERVER &&
				     (ending == LA_ENDING_EOF || ending == LA_ENDING_ACKED) &&
				     !la_kernel_shares_address(order->fd);
	}
	la_log(&line);
	la_helper_count(endings[ending].counter);
	la_track_drained(order->index, order->generation, ending, place->drained_bytes);
	/*
	 * Not ours any more (closed by an inline system call): leave the number alone. Else the number first and the slot then,
	 * by comparison: a thread whose accept gets the number has its slot in place before we look.
	 */
	if (ending != LA_ENDING_NONE)
		la_sys(SYS_close, order->fd);
	la_slot_clear(order->fd, LA_SLOT_OWN(place - places));
	give_back(place);
}

/* Is the peer still taking our answer? A slow reader is no idle one. */
static bool output_moves(struct place *place, uint64_t now_ns)
{
	int unacked = la_kernel_unacked(place->order.fd);

	if (unacked <= 0 || (uint32_t)unacked == place->unacked)
		return false;
	place->unacked = (uint32_t)unacked;
	place->progress_ns = now_ns;
	return true;
}

/*
 * Is nobody blocked in sending any more? That nothing waits to be sent does not say so: a sender that was woken a moment ago has not come to
 * write yet. So when nothing waits, and nothing was written for a while.
 */
static void send_fin_if_due(struct place *place, uint64_t now_ns)
{
	struct la_drain_order *order = &place->order;
	uint64_t written;
	struct la_tcp tcp;
	int unacked;

	if (!order->fin_due || la_kernel_tcp(order->fd, &tcp) < 0)
		return;
	unacked = la_kernel_unacked(order->fd);
	written = tcp.progress.bytes_acked + (uint64_t)(unacked > 0 ? unacked : 0);
	if (tcp.notsent_bytes > 0 || written != place->written_bytes) {
		place->written_bytes = written;
		place->quiet_since_ns = now_ns;
	} else if (now_ns - place->quiet_since_ns >= FIN_QUIET_NS) {
		la_act_send_fin(order->fd);
		order->fin_due = false;
	}
}

static bool is_peer_open(int fd)
{
	int state = la_kernel_state(fd);

	return state == TCP_ESTABLISHED || state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2;
}

/* All output and our FIN are acknowledged: the peer's kernel has them. */
static bool is_delivered(const struct la_drain_order *order)
{
	return !order->fin_due && la_kernel_unacked(order->fd) == 0;
}

/* One visit. True when the drain is over. */
static bool drain(struct place *place, uint64_t now_ns)
{
	const struct la_drain_order *order = &place->order;
	uint64_t cookie = 0;
	long got = 0;
	int reads;

	/* The number is above the application's, yet an inline close could have given it away: then its data is not ours to eat. */
	if (la_kernel_cookie(order->fd, &cookie) < 0 || cookie != order->cookie) {
		finish(place, LA_ENDING_NONE);
		return true;
	}
	send_fin_if_due(place, now_ns);
	for (reads = 0; reads < READS_A_TURN; reads++) {
		got = la_sys(SYS_recvfrom, order->fd, NULL, INT_MAX, MSG_TRUNC | MSG_DONTWAIT, NULL,
			NULL);
		if (got <= 0)
			break;
		place->drained_bytes += (uint64_t)got;
		place->progress_ns = now_ns;
		place->pause_ns = FIRST_PAUSE_NS;
	}
	/* After the application's SHUT_RD a read of nothing says nothing of the peer. */
	if (got == 0 && is_peer_open(order->fd))
		got = -EAGAIN;
	if (got == 0)
		finish(place, LA_ENDING_EOF);
	else if (got < 0 && got != -EAGAIN && got != -EINTR)
		finish(place, LA_ENDING_RESET);
	/* Only now: one that is over of itself has not been cut. */
	else if (atomic_load_explicit(&place->state, memory_order_acquire) == PLACE_EVICTED)
		finish(place, LA_ENDING_EVICTED);
	else if (place->drained_bytes > order->bytes)
		finish(place, LA_ENDING_BYTES);
	else if (order->brief && place->drained_bytes == 0 && is_delivered(order) &&
		 !la_close_is_needed(order->fd, la_kernel_state(order->fd), LA_LINGER_NEEDED))
		finish(place, LA_ENDING_ACKED);
	else if (now_ns > place->started_ns + order->total_ns)
		finish(place, LA_ENDING_TOTAL);
	else if (now_ns > place->progress_ns + order->idle_ns && !output_moves(place, now_ns))
		finish(place, is_delivered(order) ? LA_ENDING_ACKED : LA_ENDING_IDLE);
	else
		return false;
	return true;
}

static void take_new(uint16_t *list, uint32_t *count)
{
	struct cds_wfcq_node *node;

	if (atomic_load_explicit(&queue_made, memory_order_acquire) != 2)
		return;
	for (;;) {
		node = __cds_wfcq_dequeue_nonblocking(&queue_head, &queue_tail);
		if (!node || node == CDS_WFCQ_WOULDBLOCK)
			return; /* empty, or a thread was interrupted in the middle: next turn */
		list[(*count)++] = (uint16_t)(caa_container_of(node, struct place, node) - places);
	}
}

static uint16_t active[PLACES];
static uint32_t active_count;

/* Those that are over were ended by this very turn: what is left beyond the maximum is alive, and the oldest goes. */
static void evict_beyond(uint32_t max, uint64_t now_ns)
{
	uint32_t i, oldest;

	while (active_count > max) {
		for (oldest = 0, i = 1; i < active_count; i++)
			if (places[active[i]].started_ns < places[active[oldest]].started_ns)
				oldest = i;
		evict(&places[active[oldest]]);
		drain(&places[active[oldest]], now_ns);
		active[oldest] = active[--active_count];
	}
}

/* Time in which the process did not run (SIGSTOP) is nobody's idleness: the peers had only us to wait for. */
static void forgive(uint64_t stopped_ns)
{
	uint32_t i;

	for (i = 0; i < active_count; i++) {
		places[active[i]].started_ns += stopped_ns;
		places[active[i]].progress_ns += stopped_ns;
		places[active[i]].quiet_since_ns += stopped_ns;
	}
}

static uint64_t expected_ns = LA_NEVER; /* the next turn, LA_NEVER where nobody waits for one */

uint64_t la_drains_turn(uint64_t now_ns)
{
	uint64_t next = LA_NEVER;
	uint32_t i = 0, max = atomic_exchange_explicit(&crowded, 0, memory_order_relaxed);

	if (now_ns > expected_ns && now_ns - expected_ns > STOPPED_NS)
		forgive(now_ns - expected_ns);
	take_new(active, &active_count);
	while (i < active_count) {
		struct place *place = &places[active[i]];

		if (!max && place->due_ns > now_ns &&
			atomic_load_explicit(&place->state, memory_order_acquire) !=
				PLACE_EVICTED) {
			if (place->due_ns < next)
				next = place->due_ns;
			i++;
			continue;
		}
		if (drain(place, now_ns)) {
			active[i] = active[--active_count];
			continue;
		}
		if (place->order.fin_due && place->pause_ns > FIN_PAUSE_NS)
			place->pause_ns = FIN_PAUSE_NS;
		place->due_ns = now_ns + place->pause_ns;
		if (place->pause_ns < LAST_PAUSE_NS)
			place->pause_ns *= 2;
		if (place->due_ns < next)
			next = place->due_ns;
		i++;
	}
	if (max)
		evict_beyond(max, now_ns);
	expected_ns = next;
	return next == LA_NEVER ? next : next - now_ns;
}

void la_drains_end_all(void)
{
	take_new(active, &active_count);
	while (active_count) {
		struct place *place = &places[active[--active_count]];

		evict(place);
		drain(place, la_now_ns());
	}
}

uint32_t la_drains_sift(bool (*keeps)(struct la_drain_order *order, uint64_t started_ns))
{
	uint32_t i = 0;

	take_new(active, &active_count);
	while (i < active_count) {
		struct place *place = &places[active[i]];

		if (keeps(&place->order, place->started_ns)) {
			i++;
			continue;
		}
		la_act_close_copy(place->order.fd, place->order.cookie);
		la_slot_clear(place->order.fd, LA_SLOT_OWN(place - places));
		give_back(place);
		active[i] = active[--active_count];
	}
	return active_count;
}

/* A place that is kept, or was until lately, and has no number written down. */
static bool was_reserved(uint64_t cookie)
{
	uint32_t high = atomic_load(&places_high), i;

	for (i = 0; i < high; i++)
		if (places[i].order.fd < 0 && places[i].order.cookie == cookie)
			return true;
	return false;
}

/*
 * The kernel copies the table of descriptors first and memory later: what the helper has closed in between, and what another thread has just
 * made, is in the one and not in the other. So the number is asked what it is, and a drain that has ended may be here all the same.
 */
void la_drains_abandon(void)
{
	uint32_t high = atomic_load(&places_high), i;
	uint64_t now_ns = high ? la_now_ns() : 0;
	bool without_number = false;

	for (i = 0; i < high; i++) {
		struct place *place = &places[i];
		bool ended = atomic_load(&place->state) == PLACE_FREE;

		if (ended && now_ns > place->ended_ns + LA_FORK_TAKES_NS)
			continue;
		if (place->order.fd >= 0) {
			la_act_close_copy(place->order.fd, place->order.cookie);
			la_slot_clear(place->order.fd, LA_SLOT_OWN(i));
		} else {
			without_number = true;
		}
		atomic_store(&place->state, PLACE_FREE);
	}
	if (without_number)
		la_act_close_copies(was_reserved);
	atomic_store(&taken, 0);
	atomic_store(&queue_made, 0);
	active_count = 0;
	expected_ns = LA_NEVER;
}
