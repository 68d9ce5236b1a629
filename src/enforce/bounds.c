/* SPDX-License-Identifier: MIT */
/*
 * Bounds: how long a connection of this process may stand in a half-closed state without progress.
 *
 * The helper asks the kernel for the state of every tracked number (0.3 us each), a few times within the policy's shortest limit;
 * only those in a bounded state cost more. What it learns is folded into the connection's record, so the kernel also completes what
 * no hook could see: a FIN that nobody reads, a reset, the ACK of our FIN.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/mman.h>

#include <lastack/sys.h>

#include "bounds.h"

#define SHORTEST_PERIOD_NS (50 * LA_MS_NS)
#define LONGEST_PERIOD_NS  (5000 * LA_MS_NS)
#define MAX_PERIOD_NS      (1000 * LA_MS_NS) /* "never more at once" cannot wait for a look every 5 s */
enum { LOOKS_PER_LIMIT = 8, SUSPECTS = 4096, FD_LAST = 0x3fffffff };

struct la_bounds la_bounds;
static struct la_suspect suspects[SUSPECTS];
static uint32_t suspects_count, this_turn;
static uint64_t next_ns;
static uint64_t stopped_ns; /* for so long the process did not run before this turn */
static uint32_t sections_used;
static uint64_t
	followed_since_ns[LA_SECTION_COUNT]; /* nobody has looked before; 0: from the start */
static _Atomic uint32_t idle; /* nothing is tracked: the helper need not look until something is */

/* Another policy: looked at at once, by its own times. A section that it begins to bound has been without anybody who saw progress. */
static void follow_policy(const struct la_policy *now, uint64_t now_ns)
{
	uint32_t before = sections_used, i;

	la_bounds.policy = now;
	next_ns = 0;
	sections_used = 0;
	la_bounds.period_ns = la_policy_shortest_ns(la_bounds.policy) / LOOKS_PER_LIMIT;
	if (la_bounds.period_ns < SHORTEST_PERIOD_NS)
		la_bounds.period_ns = SHORTEST_PERIOD_NS;
	if (la_bounds.period_ns > LONGEST_PERIOD_NS)
		la_bounds.period_ns = LONGEST_PERIOD_NS;
	for (i = 0; i < la_bounds.policy->rules_count; i++) {
		const struct la_rule *rule = &la_bounds.policy->rules[i];

		if (rule->section > LA_SECTION_LAST_ACK)
			continue;
		if (la_bounds.policies_seen && !(before & 1u << rule->section))
			followed_since_ns[rule->section] = now_ns;
		sections_used |= 1u << rule->section;
		if (rule->max && la_bounds.period_ns > MAX_PERIOD_NS)
			la_bounds.period_ns = MAX_PERIOD_NS;
	}
	la_bounds.policies_seen++;
}

/* Is there anything to look at? When the last bound has gone there is, once more: nobody shall be told of what is not going to come. */
static bool prepare(const struct la_region *region, uint64_t now_ns)
{
	const struct la_policy *now = la_in_force();
	bool ends = false;

	if (now != la_bounds.policy) {
		ends = sections_used != 0;
		follow_policy(now, now_ns);
	}
	if (!sections_used)
		return ends && la_bounds.watches;
	if (!la_bounds.watches)
		la_bounds.watches =
			la_region_map(region->header->sections[LA_REGION_S_CONNECTIONS].count *
					      sizeof(struct la_watch),
				MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!la_bounds.watches)
		la_track_lacks(LA_LACK_BOUNDS, 0);
	return la_bounds.watches != NULL;
}

/* What a kernel state proves goes into the folded row. */
static void learn(struct la_connection_record *record, uint32_t index, uint32_t generation,
	int state, uint64_t now_ns)
{
	uint64_t us = now_ns / 1000;

	switch (state) {
	case TCP_CLOSE_WAIT:
	case TCP_LAST_ACK: la_track_fold(record, generation, LA_SEEN_PEER_FIN, us); break;
	case TCP_FIN_WAIT2:
		la_track_fold(record, generation, LA_SEEN_FIN_ACKED, us);
		/* fall through */
	case TCP_FIN_WAIT1: la_track_fold(record, generation, LA_SEEN_OURS_FIRST, us); break;
	case TCP_CLOSING:
		la_track_fold(record, generation, LA_SEEN_OURS_FIRST, us);
		la_track_fold(record, generation, LA_SEEN_PEER_FIN, us);
		break;
	case TCP_ESTABLISHED:
		if (la_track_facts(index, NULL) & (LA_FACT_FIN_RECEIVED | LA_FACT_RESET))
			la_helper_count(LA_COUNT_DISAGREEMENTS);
		break;
	case TCP_CLOSE:
		/* TIME-WAIT reads the same, but not without a FIN: of ours, or of a holder whom we do not see. */
		if (!(atomic_load(&record->holders) & LA_HOLDER_UNKNOWN) &&
			!(LA_WORD_FLAGS(atomic_load(&record->word)) & LA_CONNECTION_CONNECTING) &&
			!(la_track_facts(index, NULL) & LA_FACT_FIN_SENT))
			la_track_fold(record, generation, LA_SEEN_RESET, us);
		break;
	default: break;
	}
}

/*
 * Not what the kernel has sent: to send the same again, while the peer says nothing, is no progress. `written`: by the application, whether it
 * went out or not.
 */
static bool has_moved(struct la_watch *watch, const struct la_progress *now, uint64_t written)
{
	const struct la_progress *last = &watch->last;
	bool moved = last->bytes_acked != now->bytes_acked ||
		     last->bytes_received != now->bytes_received || last->unread != now->unread ||
		     watch->written != written;

	watch->last = *now;
	watch->written = written;
	return moved;
}

/* When did the state begin, and when did data last move? `unseen_ns`: until then nobody has looked for that. */
static void follow(struct la_watch *watch, int fd, uint32_t index, uint32_t generation, int state,
	uint64_t now_ns, uint64_t unseen_ns)
{
	uint64_t since[LA_SEEN_COUNT] = {0};
	uint64_t known_us;
	struct la_tcp tcp;
	int unacked;
	bool moved;

	if (la_kernel_tcp(fd, &tcp) < 0)
		return;
	unacked = la_kernel_unacked(fd);
	moved = has_moved(watch, &tcp.progress,
		tcp.progress.bytes_acked + (uint64_t)(unacked > 0 ? unacked : 0));
	if (watch->generation != generation || watch->state != (uint32_t)state ||
		watch->progress_ns < unseen_ns) {
		la_track_facts(index, since);
		known_us =
			state == TCP_CLOSE_WAIT ? since[LA_SEEN_PEER_FIN] : since[LA_SEEN_SHUTDOWN];
		if (state == TCP_CLOSE_WAIT && since[LA_SEEN_EOF] && since[LA_SEEN_EOF] < known_us)
			known_us = since[LA_SEEN_EOF];
		watch->since_ns = known_us && known_us * 1000 < now_ns ? known_us * 1000 : now_ns;
		/* First seen after a stop, it may have come into the state before. */
		watch->progress_ns = watch->since_ns + stopped_ns < now_ns
					     ? watch->since_ns + stopped_ns
					     : now_ns;
		if (watch->progress_ns < unseen_ns)
			watch->progress_ns = unseen_ns;
		watch->generation = generation;
		watch->state = (uint32_t)state;
		watch->spared = watch->waiting = watch->stuck = false;
		watch->marked_ns = 0;
		return;
	}
	watch->progress_ns += stopped_ns;
	if (moved)
		watch->progress_ns = now_ns;
}

static void unmark(struct la_watch *watch, int fd, uint64_t slot)
{
	if (!watch->marked_ns)
		return;
	la_track_enforced(fd, slot, false);
	watch->marked_ns = 0;
}

static void expect_nothing(struct la_connection_record *record)
{
	if (atomic_load_explicit(&record->next_action, memory_order_relaxed) == LA_ACTION_NONE)
		return;
	atomic_store(&record->next_us, 0);
	atomic_store(&record->next_action, LA_ACTION_NONE);
}

/*
 * A rule of CLOSE-WAIT that has sent our FIN goes on to its reset, for that peer may take nothing any more; unless LAST-ACK, where the
 * connection stands now, has a rule of its own.
 */
static bool is_carried(const struct la_watch *watch, const struct la_connection_record *record,
	uint32_t index, uint32_t generation, int state)
{
	uint64_t since[LA_SEEN_COUNT];
	struct la_view view;

	if (watch->generation != generation || watch->state != TCP_CLOSE_WAIT ||
		state != TCP_LAST_ACK)
		return false;
	la_track_facts(index, since);
	view = la_view_of(record, since[LA_SEEN_EOF] ? LA_EOF_READ : LA_EOF_UNREAD);
	return since[LA_SEEN_ENFORCED] && !since[LA_SEEN_SHUTDOWN] &&
	       !la_policy_find(la_bounds.policy, LA_SECTION_LAST_ACK, &view);
}

static void look(int fd, uint64_t slot, uint64_t now_ns)
{
	uint32_t generation, index = LA_SLOT_INDEX(slot);
	struct la_connection_record *record = la_track_record(slot, &generation);
	struct la_watch *watch = &la_bounds.watches[index];
	enum la_section section;
	struct la_view view;
	const struct la_rule *rule;
	struct la_suspect *suspect, uncounted;
	uint64_t since[LA_SEEN_COUNT];
	int state;
	bool is_new;

	if (!record || record->role == LA_ROLE_LISTENER || watch->turn == this_turn)
		return;
	state = la_kernel_state(fd);
	if (state < 0)
		return;
	is_new = watch->generation != generation || watch->state != (uint32_t)state;
	if (is_new)
		watch->carried = is_carried(watch, record, index, generation, state);
	if (is_new && watch->carried) {
		watch->state = TCP_LAST_ACK;
		watch->written++; /* our FIN, which the kernel counts as a byte, is no progress of the application's */
		is_new = false;
	}
	/* The number may belong to someone else by now, and the state be his. */
	if (state != TCP_ESTABLISHED || is_new) {
		if (!la_track_is_still(fd, slot))
			return;
		watch->turn = this_turn; /* once, though it may have several numbers */
		learn(record, index, generation, state, now_ns);
	}
	section = watch->carried ? LA_SECTION_CLOSE_WAIT
				 : la_section_of_state(la_state_from_kernel((unsigned int)state));
	if (is_new) {
		atomic_store(&record->steps_done, 0);
		watch->strongest = LA_ACTION_NONE;
		expect_nothing(record);
	}
	if (section == LA_SECTION_COUNT || !(sections_used & 1u << section)) {
		watch->generation = generation;
		watch->state = (uint32_t)state;
		expect_nothing(record);
		unmark(watch, fd, slot);
		return;
	}
	follow(watch, fd, index, generation, state, now_ns, followed_since_ns[section]);
	if (watch->progress_ns > watch->marked_ns)
		unmark(watch, fd, slot);
	/* Stopped with us was whoever was on his way into the kernel. */
	if (watch->marked_ns && stopped_ns)
		watch->marked_ns = now_ns;
	la_track_facts(index, since);
	view = la_view_of(record, since[LA_SEEN_EOF]        ? LA_EOF_READ
				  : since[LA_SEEN_PEER_FIN] ? LA_EOF_UNREAD
							    : LA_EOF_NONE);
	rule = la_policy_find(la_bounds.policy, section, &view);
	if (!rule) {
		expect_nothing(record);
		unmark(watch, fd, slot);
		return;
	}
	/* Those beyond SUSPECTS are acted on, too; `max` chooses among so many. */
	suspect = suspects_count < SUSPECTS ? &suspects[suspects_count++] : &uncounted;
	*suspect = (struct la_suspect){.rule = rule,
		.record = record,
		.index = index,
		.generation = generation,
		.fd = fd,
		.slot = slot,
		.idle_ns = now_ns - watch->progress_ns,
		.since_ns = watch->since_ns};
	la_bound_decide(suspect, now_ns);
}

/* What a step, or `max` before, has done once: a log line or a probe, or what would be done, leaves it where it stands. */
static bool is_done(const struct la_suspect *suspect)
{
	return suspect->acted ||
	       atomic_load(&suspect->record->steps_done) >= suspect->rule->steps_count;
}

/* `max`: never more at once, the one longest in the state goes first. One that still moves is no leak. */
static void enforce_max(const struct la_rule *rule, uint64_t now_ns)
{
	enum la_action strongest = la_rule_strongest(rule);
	struct la_suspect *oldest;
	uint32_t count = 0, i;

	for (i = 0; i < suspects_count; i++)
		count += suspects[i].rule == rule && !is_done(&suspects[i]);
	for (; count > rule->max; count--) {
		oldest = NULL;
		for (i = 0; i < suspects_count; i++)
			if (suspects[i].rule == rule && !is_done(&suspects[i]) &&
				suspects[i].idle_ns >= la_bounds.period_ns &&
				(!oldest || suspects[i].since_ns < oldest->since_ns))
				oldest = &suspects[i];
		if (!oldest)
			return;
		if (la_bound_is_spared(oldest, strongest))
			continue;
		if (la_bound_is_stuck(oldest, strongest, now_ns))
			oldest->acted = true;
		else if (la_bound_is_marked(oldest, strongest, now_ns))
			la_bound_act(oldest, strongest, rule->steps_count);
	}
}

uint64_t la_bounds_turn(uint64_t now_ns)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint32_t i, tracked = 0;
	int fd = -1;

	if (!region || !la_in_force_bounds() || !prepare(region, now_ns))
		return LA_NEVER;
	if (now_ns < next_ns)
		return next_ns - now_ns;
	/* SIGSTOP, a debugger, a frozen control group: the application could not move anything either, and is only about to. */
	stopped_ns = next_ns && now_ns > next_ns + la_bounds.period_ns ? now_ns - next_ns : 0;
	/* Set before looking: who publishes a connection after our look finds it set, and calls. */
	atomic_store(&idle, 1);
	this_turn++;
	suspects_count = 0;
	while ((fd = la_slot_next(fd + 1, FD_LAST)) >= 0) {
		uint64_t slot = la_slot_load(fd);

		if (!LA_SLOT_TRACKED(slot) || (LA_SLOT_FLAGS(slot) & LA_SLOT_LISTENER))
			continue;
		tracked++;
		look(fd, slot, now_ns);
	}
	for (i = 0; i < la_bounds.policy->rules_count; i++)
		if (la_bounds.policy->rules[i].max &&
			la_bounds.policy->rules[i].section <= LA_SECTION_LAST_ACK)
			enforce_max(&la_bounds.policy->rules[i], now_ns);
	next_ns = now_ns + la_bounds.period_ns;
	if (!tracked || !sections_used)
		return LA_NEVER;
	atomic_store(&idle, 0);
	return la_bounds.period_ns;
}

void la_bounds_connection(void)
{
	if (atomic_load(&idle)) {
		atomic_store(&idle, 0);
		la_helper_wake();
	}
}
