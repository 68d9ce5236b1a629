/* SPDX-License-Identifier: MIT */
/*
 * What the policy says about the application's last close of a connection.
 *
 * [reset]  SO_LINGER {1,0}, by which a close sends an RST, is taken back when the policy refuses it, whatever [close] says. It stands on
 *          the description until then: whoever asks for it is told what he set.
 * [close]  plain, or FIN now and drain to the peer's FIN. With `linger = needed` when an RST could destroy something:
 *            unread data waits: the close would send the RST at once; or
 *            the peer has not closed, and some output is not acknowledged: what it still sends would draw the RST; or
 *            the peer has not closed, and is in the midst of sending: its input came in several segments, the last of them lately. An
 *            upload that is answered early is read up to now, and the rest is still on its way; nginx's heuristic misses that.
 *          A request that came in one segment and whose answer is acknowledged costs 3 system calls (0.9 us) and no drain. With
 *          `linger = always`, whenever the peer has not closed.
 * [fin-wait-1], [closing], [last-ack], [fin-wait-2]  what a plain or graceful close leaves to the kernel gets their time to the reset, by
 *          TCP_USER_TIMEOUT and TCP_LINGER2: no descriptor is needed, and it holds when we have exited. Not while output waits for the
 *          peer's window: there Linux would cut a slow reader that still acknowledges (act.c), and its own 106 s and 334 s stay.
 *
 * One close is of one policy, which is loaded once: another may come into force meanwhile.
 *
 * A connection whose description somebody else may hold, or for which the application chose SO_LINGER {1,n}, is closed as the application asked.
 */
#include <netinet/tcp.h>

#include <lastack/sys.h>

#include "internal.h"

enum { MIDST_MS = 1000 }; /* between two segments of one upload, as far as `needed` goes */

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

static bool is_peer_open(int state)
{
	return state == TCP_ESTABLISHED || state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2;
}

static bool is_in_the_midst_of_sending(int fd)
{
	struct la_tcp tcp;

	return la_kernel_tcp(fd, &tcp) == 0 && tcp.data_segments_received > 1 &&
	       tcp.last_data_received_ms < MIDST_MS;
}

bool la_close_expects_input(int fd)
{
	return la_kernel_unread(fd) > 0 || is_in_the_midst_of_sending(fd);
}

bool la_close_is_needed(int fd, int state, enum la_close_linger linger)
{
	bool peer_open = is_peer_open(state);

	if (state != TCP_CLOSE_WAIT && state != TCP_LAST_ACK && state != TCP_CLOSING && !peer_open)
		return false;
	if (peer_open && linger == LA_LINGER_ALWAYS)
		return true;
	return la_kernel_unread(fd) > 0 ||
	       (peer_open && (la_kernel_unacked(fd) > 0 || is_in_the_midst_of_sending(fd)));
}

static uint64_t resets_after_ns(
	const struct la_policy *policy, enum la_section section, const struct la_view *view)
{
	const struct la_rule *rule = la_policy_find(policy, section, view);

	return rule ? la_rule_resets_after_ns(rule) : 0;
}

static uint64_t shorter(uint64_t a, uint64_t b)
{
	return a && (!b || a < b) ? a : b;
}

void la_close_bound_orphan(
	const struct la_policy *policy, int fd, int state, const struct la_view *view)
{
	if (is_peer_open(state))
		la_act_bound_orphan(fd,
			shorter(resets_after_ns(policy, LA_SECTION_FIN_WAIT_1, view),
				resets_after_ns(policy, LA_SECTION_CLOSING, view)),
			resets_after_ns(policy, LA_SECTION_FIN_WAIT_2, view));
	else
		la_act_bound_orphan(fd, resets_after_ns(policy, LA_SECTION_LAST_ACK, view), 0);
}

bool la_close_refuses_reset(const struct la_policy *policy, int fd,
	struct la_connection_record *record, uint32_t generation, const struct la_view *view)
{
	const struct la_rule *rule = la_policy_find(policy, LA_SECTION_RESET, view);
	struct la_log_line line = {.action = "refuse-reset",
		.rule_section = "reset",
		.result = policy->observe ? "would" : "ok",
		.record = record,
		.fd = fd};

	if (!rule || rule->action != LA_RESET_REFUSE)
		return false;
	line.rule_name = rule->name;
	if (policy->observe) {
		la_track_count(LA_COUNT_WOULD_REFUSE);
	} else {
		if (la_act_refuse_reset(fd, atomic_load(&record->cookie)) < 0)
			return false;
		la_track_linger_refused(record, generation);
		la_track_count(LA_COUNT_RESET_REFUSED);
	}
	la_log(&line);
	return !policy->observe;
}

const struct la_rule *la_close_bounds(const struct la_policy *policy, const struct la_view *view)
{
	static const struct la_rule defaults = {.section = LA_SECTION_CLOSE,
		.action = LA_CLOSE_GRACEFUL,
		.idle_ns = LA_CLOSE_IDLE_NS,
		.total_ns = LA_CLOSE_TOTAL_NS,
		.drain_bytes = LA_CLOSE_DRAIN_BYTES,
		.max = LA_CLOSE_MAX};
	const struct la_rule *rule = la_policy_find(policy, LA_SECTION_CLOSE, view);

	return rule && rule->action == LA_CLOSE_GRACEFUL ? rule : &defaults;
}

int la_enforce_begin(int fd, const struct la_release *release)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = &region->connections[release->index];
	const struct la_policy *policy = la_in_force();
	uint32_t flags = LA_WORD_FLAGS(atomic_load(&record->word));
	const struct la_rule *rule;
	struct la_view view;
	bool refused = false;
	int state;

	/* It may only come to say something: la_in_force_closes(). */
	if (record->role == LA_ROLE_LISTENER || !la_policy_rules_closes(policy))
		return -1;
	view = la_view_of(record, LA_EOF_NONE);
	if (flags & LA_CONNECTION_LINGER_RESET) {
		/* No RST comes of a close that is not the last. */
		if (!release->last)
			return -1;
		refused = la_close_refuses_reset(policy, fd, record, release->generation, &view);
		if (!refused)
			return -1;
	}
	state = la_kernel_state(fd);
	if (release->last && !policy->observe)
		la_close_bound_orphan(policy, fd, state, &view);
	rule = la_policy_find(policy, LA_SECTION_CLOSE, &view);
	if (!rule || rule->action != LA_CLOSE_GRACEFUL)
		/* A policy that only refuses resets drains where an RST would come of itself. */
		rule = refused ? la_close_bounds(policy, &view) : NULL;
	if (!rule || (flags & LA_CONNECTION_LINGER_TIMED) ||
		!la_close_is_needed(fd, state, rule->linger))
		return -1;
	if (!release->last) {
		la_track_count(LA_COUNT_PLAIN_SHARED);
		return -1;
	}
	if (policy->observe) {
		la_track_count(LA_COUNT_WOULD_GRACEFUL);
		return -1;
	}
	return la_linger_begin(fd, release, rule);
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
