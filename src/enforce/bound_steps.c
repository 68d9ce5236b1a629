/* SPDX-License-Identifier: MIT */
/*
 * Bounds: the steps that are taken with one connection, and what holds them up.
 */
#include <errno.h>
#include <netinet/tcp.h>

#include <lastack/sys.h>

#include "bounds.h"

static struct la_log_line line_of(
	const struct la_suspect *suspect, enum la_action action, const char *result)
{
	return (struct la_log_line){.action = la_action_name(action),
		.rule_section = la_section_name((enum la_section)suspect->rule->section),
		.rule_name = suspect->rule->name,
		.result = result,
		.record = suspect->record,
		.fd = suspect->fd,
		.idle_ns = suspect->idle_ns};
}

/*
 * A description that another process of the family holds, or may hold, is not ours to end. Once it is known to be ours alone, the
 * next look acts.
 */
bool la_bound_is_spared(struct la_suspect *suspect, enum la_action action)
{
	struct la_watch *watch = &la_bounds.watches[suspect->index];
	struct la_log_line line = line_of(suspect, action, "shared");

	if (action < LA_ACTION_SHUTDOWN || la_track_is_ours(suspect->slot))
		return false;
	suspect->acted = true;
	if (!watch->spared) {
		watch->spared = true;
		la_helper_count(LA_COUNT_SPARED_SHARED);
		la_track_rule_acted(suspect->rule, action, LA_ACTED_SPARED);
		la_log(&line);
	}
	return true;
}

/* Its own side is open: the application may be writing. */
static bool can_write(const struct la_suspect *suspect)
{
	return la_bounds.watches[suspect->index].state == TCP_CLOSE_WAIT;
}

static void mark(const struct la_suspect *suspect, uint64_t now_ns)
{
	struct la_watch *watch = &la_bounds.watches[suspect->index];

	if (watch->marked_ns || !can_write(suspect) || la_bounds.policy->observe)
		return;
	watch->marked_ns = now_ns;
	la_track_enforced(suspect->fd, suspect->slot, true);
}

/* Somebody may be blocked in writing, and the FIN could not go out: passed over until the output moves. A later reset need not wait for that. */
bool la_bound_is_stuck(struct la_suspect *suspect, enum la_action action, uint64_t now_ns)
{
	struct la_watch *watch = &la_bounds.watches[suspect->index];
	struct la_log_line line = line_of(suspect, action, "output-stuck");

	if (action != LA_ACTION_SHUTDOWN || !can_write(suspect))
		return false;
	if (la_kernel_is_writable(suspect->fd)) {
		watch->stuck = false;
		return false;
	}
	mark(suspect, now_ns);
	if (!watch->stuck) {
		watch->stuck = true;
		la_helper_count(LA_COUNT_SPARED_OUTPUT);
		la_log(&line);
	}
	return true;
}

/* Marked at an earlier look? Else it is now, and ended at the next. */
bool la_bound_is_marked(struct la_suspect *suspect, enum la_action action, uint64_t now_ns)
{
	if (action < LA_ACTION_SHUTDOWN || !can_write(suspect) || la_bounds.policy->observe)
		return true;
	mark(suspect, now_ns);
	if (la_bounds.watches[suspect->index].marked_ns < now_ns)
		return true;
	suspect->acted = true;
	return false;
}

/* False when no descriptor was left for a dup: a drain gives way, and the next look tries again. */
bool la_bound_act(struct la_suspect *suspect, enum la_action action, uint32_t steps_done)
{
	static const enum la_counter done[LA_ACTION_COUNT] = {[LA_ACTION_LOG] = LA_COUNT_ACTED_LOG,
		[LA_ACTION_KEEPALIVE] = LA_COUNT_ACTED_KEEPALIVE,
		[LA_ACTION_SHUTDOWN] = LA_COUNT_ACTED_SHUTDOWN,
		[LA_ACTION_RESET] = LA_COUNT_ACTED_RESET};
	static const enum la_counter would[LA_ACTION_COUNT] = {[LA_ACTION_LOG] = LA_COUNT_WOULD_LOG,
		[LA_ACTION_KEEPALIVE] = LA_COUNT_WOULD_KEEPALIVE,
		[LA_ACTION_SHUTDOWN] = LA_COUNT_WOULD_SHUTDOWN,
		[LA_ACTION_RESET] = LA_COUNT_WOULD_RESET};
	struct la_connection_record *record = suspect->record;
	struct la_watch *watch = &la_bounds.watches[suspect->index];
	bool observe = la_bounds.policy->observe;
	bool ends = !observe && action >= LA_ACTION_SHUTDOWN, marked = watch->marked_ns != 0;
	uint64_t us = la_now_us();
	int result = 0;
	struct la_log_line line;

	if (ends)
		la_sigpipe_begin(suspect->fd, suspect->slot, marked);
	/* By the slot: the record may be another connection's since it was looked at. */
	if (!observe)
		result = la_act(suspect->fd, la_track_cookie(suspect->slot), action);
	if (ends && result == 0)
		la_track_fold(record, suspect->generation, LA_SEEN_ENFORCED, us);
	if (ends && result == 0 && action == LA_ACTION_RESET)
		la_track_fold(record, suspect->generation, LA_SEEN_RESET, us);
	if (ends) {
		la_sigpipe_end(
			suspect->fd, suspect->slot, marked, result == 0 || result == -EMFILE);
		if (result != -EMFILE)
			watch->marked_ns = 0;
	}
	line = line_of(suspect, action,
		observe             ? "would"
		: result == 0       ? "ok"
		: result == -ESTALE ? "gone"
				    : "failed");
	suspect->acted = true;
	if (result == -EMFILE) {
		la_drains_evict_oldest();
		if (watch->waiting)
			return false;
		watch->waiting = true;
	} else {
		atomic_store(&record->steps_done, (uint8_t)steps_done);
		if (action > watch->strongest)
			watch->strongest = (uint8_t)action;
	}
	if (result < 0)
		la_helper_count(LA_COUNT_ACT_FAILED);
	else
		la_helper_count(observe ? would[action] : done[action]);
	la_track_rule_acted(suspect->rule, action,
		result < 0 ? LA_ACTED_FAILED
		: observe  ? LA_ACTED_WOULD
			   : LA_ACTED_OK);
	la_log(&line);
	return result != -EMFILE;
}

/*
 * By another policy than the one that took them: of the steps that are due, those at the beginning that are no stronger than what was done
 * already are done. Whatever comes due later is done when it does.
 */
static uint32_t steps_done_of(const struct la_suspect *suspect)
{
	const struct la_rule *rule = suspect->rule;
	uint32_t done = 0;

	while (done < rule->steps_count && rule->steps[done].after_ns <= suspect->idle_ns &&
		rule->steps[done].action <= la_bounds.watches[suspect->index].strongest)
		done++;
	return done;
}

void la_bound_decide(struct la_suspect *suspect, uint64_t now_ns)
{
	struct la_connection_record *record = suspect->record;
	struct la_watch *watch = &la_bounds.watches[suspect->index];
	struct la_decision decision;

	if (watch->policy != la_bounds.policies_seen)
		atomic_store(&record->steps_done, (uint8_t)steps_done_of(suspect));
	watch->policy = la_bounds.policies_seen;
	decision =
		la_policy_decide(suspect->rule, suspect->idle_ns, atomic_load(&record->steps_done));
	if (decision.action != LA_ACTION_NONE) {
		enum la_action action = (enum la_action)decision.action;
		bool spared = la_bound_is_spared(suspect, action);
		bool stuck = !spared && la_bound_is_stuck(suspect, action, now_ns);
		bool waits = spared ||
			     (!stuck && (!la_bound_is_marked(suspect, action, now_ns) ||
						!la_bound_act(suspect, action, decision.step + 1)));

		if (!waits)
			decision = la_policy_decide(
				suspect->rule, suspect->idle_ns, decision.step + 1);
		/* Due, and waiting for the other holder, the output, the next look or a number. */
		if (waits || (stuck && decision.next == LA_ACTION_NONE)) {
			decision.next = action;
			decision.next_in_ns = 0;
		}
	}
	/* Now, so that it need not wait for one more look. */
	if (decision.next >= LA_ACTION_SHUTDOWN && decision.next_in_ns <= la_bounds.period_ns &&
		!suspect->acted)
		mark(suspect, now_ns);
	atomic_store(&record->next_us,
		decision.next == LA_ACTION_NONE ? 0 : (now_ns + decision.next_in_ns) / 1000);
	atomic_store(&record->next_action, decision.next);
}
