/* SPDX-License-Identifier: MIT */
/*
 * What [exit] says when the process ends: by exit(), _exit() or SIGTERM's default action.
 *
 * The kernel closes what a process leaves, and answers unread or later input with an RST. So each connection that the application still
 * holds, and nobody else, gets what a graceful close gets, where an RST could destroy something: our FIN on a dup of ours, and a drain.
 * An idle connection gets its FIN from the kernel, and nobody waits for it. Then
 *  - drain: the exiting thread reads them to the peer's FIN in place of the helper, within `total`; or
 *  - handover: a detached child does (handover.c).
 * What was sent only because output was not acknowledged is over when the peer has acknowledged it: no exit waits for clients that keep
 * their connection.
 *
 * Other threads run on meanwhile, as they do during any exit handler. What they had of such a connection gives EPIPE, without SIGPIPE.
 */
#include <signal.h>
#include <sys/single_threaded.h>
#include <sys/time.h>
#include <time.h>

#include "internal.h"

#define VISIT_NS (50 * LA_MS_NS) /* a drain whose time is over is visited so much later */
#define TICK_NS  (100 * LA_MS_NS)
enum {
	FD_LAST = 0x3fffffff,
	SETXID = 33 /* glibc's own: setuid() of another thread waits for it */
};

static _Atomic bool leaving, served;
static uint64_t began_ns, longest_ns;
static const struct la_policy *policy; /* of this exit: another may come into force meanwhile */
static bool handover_wanted;
static bool quiet, ignored; /* SIGPIPE was `pipe_was`, and is ignored */
static struct la_sigaction pipe_was;

bool la_exit_is_served(void)
{
	return atomic_load_explicit(&served, memory_order_relaxed);
}

void la_exit_forked(void)
{
	atomic_store(&leaving, false);
	atomic_store(&served, false);
	quiet = ignored = false;
}

static struct la_region *region_of(void)
{
	return atomic_load_explicit(&la_track_region, memory_order_acquire);
}

/* The [exit] rule, NULL where the connection ends as the kernel ends it. */
static const struct la_rule *rule_for(const struct la_view *view)
{
	const struct la_rule *rule = la_policy_find(policy, LA_SECTION_EXIT, view);

	return rule && rule->action != LA_EXIT_PLAIN ? rule : NULL;
}

static void would_end(const struct la_rule *rule, const struct la_connection_record *record, int fd)
{
	struct la_log_line line = {.action = "exit",
		.rule_section = "exit",
		.rule_name = rule->name,
		.result = "would",
		.record = record,
		.fd = fd};

	la_track_count(LA_COUNT_WOULD_EXIT);
	la_log(&line);
}

/* Our FIN makes the writes of other threads fail, and an alarm was meant for a process that would be gone by now. */
static void quiet_signals(void)
{
	static const struct la_sigaction ignore = {.handler = SIG_IGN};
	static const struct itimerval never;
	struct la_sigaction was = {0};

	if (quiet)
		return;
	quiet = true;
	if (la_sigaction(SIGPIPE, NULL, &was) == 0 && was.handler == SIG_DFL &&
		la_sigaction(SIGPIPE, &ignore, NULL) == 0)
		pipe_was = was, ignored = true;
	la_sys(SYS_setitimer, ITIMER_REAL, &never, NULL);
}

/* The C library still writes out its streams, and a pipe that nobody reads ends the process as it would have. */
static void unquiet_signals(void)
{
	struct la_sigaction now = {0};

	if (ignored && la_sigaction(SIGPIPE, NULL, &now) == 0 && now.handler == SIG_IGN)
		la_sigaction(SIGPIPE, &pipe_was, NULL);
	quiet = ignored = false;
}

/* Our FIN and a drain, for what `fd` is, if it may be and must be. The number stays the application's. */
static void end(int fd, uint64_t slot)
{
	struct la_release release = {
		.slot = slot, .tracked = true, .last_here = true, .last = true};
	struct la_connection_record *record = la_track_record(slot, &release.generation);
	const struct la_rule *rule;
	struct la_view view;
	uint32_t flags;
	int state;

	if (!record || record->role == LA_ROLE_LISTENER)
		return;
	release.index = LA_SLOT_INDEX(slot);
	view = la_view_of(record, LA_EOF_NONE);
	flags = LA_WORD_FLAGS(atomic_load(&record->word));
	rule = rule_for(&view);
	if (!rule || (flags & LA_CONNECTION_LINGER_TIMED) || !la_track_is_ours(slot) ||
		!la_track_is_still(fd, slot))
		return;
	if ((flags & LA_CONNECTION_LINGER_RESET) &&
		!la_close_refuses_reset(policy, fd, record, release.generation, &view))
		return;
	state = la_kernel_state(fd);
	if (!policy->observe)
		la_close_bound_orphan(policy, fd, state, &view);
	if (!la_close_is_needed(fd, state, LA_LINGER_NEEDED))
		return;
	if (policy->observe)
		would_end(rule, record, fd);
	else {
		quiet_signals(); /* before the first FIN */
		la_linger_at_exit(fd, &release, la_close_bounds(policy, &view));
	}
}

static void end_all(void)
{
	int fd = -1;

	while ((fd = la_slot_next(fd + 1, FD_LAST)) >= 0) {
		uint64_t slot = la_slot_load(fd);

		if (LA_SLOT_TRACKED(slot) && !LA_SLOT_IS_OWN(slot))
			end(fd, slot);
	}
}

/* How each drain goes on, also those that closes have begun. */
static bool goes_on(struct la_drain_order *order, uint64_t started_ns)
{
	struct la_view view = la_view_of(&region_of()->connections[order->index], LA_EOF_NONE);
	const struct la_rule *rule = rule_for(&view);
	uint64_t ends_ns;

	if (!rule)
		return false;
	ends_ns = began_ns + rule->total_ns;
	if (started_ns + order->total_ns > ends_ns)
		order->total_ns = ends_ns > started_ns ? ends_ns - started_ns : 0;
	if (longest_ns < rule->total_ns)
		longest_ns = rule->total_ns;
	order->at_exit = rule->action;
	if (rule->action == LA_EXIT_HANDOVER)
		handover_wanted = true;
	return true;
}

/* The kernel would close it now: a server that starts anew must not wait for our drains, and clients must not come to a dead one. */
static void close_listeners(void)
{
	int fd = -1;

	if (!__libc_single_threaded)
		return;
	while ((fd = la_slot_next(fd + 1, FD_LAST)) >= 0)
		if (LA_SLOT_FLAGS(la_slot_load(fd)) & LA_SLOT_LISTENER) {
			struct la_release release = la_track_release(fd);

			if (release.last)
				la_track_closed(&release, fd);
			la_sys(SYS_close, fd);
		}
}

/* By which signals may somebody ask for the end? Not by what the application ignores, nor by what it holds back already. */
static uint64_t signals_that_ask(void)
{
	static const int ways[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
	uint64_t pending = 0, set = 0;
	size_t i;

	la_sys(SYS_rt_sigpending, &pending, sizeof(pending));
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct la_sigaction was = {0};

		if (la_sigaction(ways[i], NULL, &was) == 0 && was.handler != SIG_IGN &&
			!(pending & LA_SIGNAL(ways[i])))
			set |= LA_SIGNAL(ways[i]);
	}
	return set;
}

void la_exit_wait(uint64_t until_ns, uint64_t asked)
{
	for (;;) {
		uint64_t now_ns = la_now_ns(), pause_ns = la_drains_turn(now_ns);
		struct timespec time = {0, 0};

		if (!la_drains_count())
			return;
		if (now_ns >= until_ns)
			break;
		if (pause_ns > until_ns - now_ns)
			pause_ns = until_ns - now_ns;
		time.tv_nsec = (long)(pause_ns < TICK_NS ? pause_ns : TICK_NS);
		if (la_sys(SYS_rt_sigtimedwait, &asked, NULL, &time, sizeof(asked)) > 0)
			break;
	}
	la_drains_end_all();
}

static bool is_drained_here(struct la_drain_order *order, uint64_t started_ns)
{
	(void)started_ns;
	order->at_exit = LA_EXIT_DRAIN;
	if (order->by_exit)
		la_helper_count(LA_COUNT_EXIT_DRAINED);
	return true;
}

static void drain_all(void)
{
	uint64_t until_ns, asked;

	la_helper_pause();
	if (!la_helper_is_gone())
		return;
	la_helper_stand_in(true);
	asked = signals_that_ask();
	quiet_signals();
	longest_ns = 0;
	handover_wanted = false;
	if (la_drains_sift(goes_on)) {
		until_ns = began_ns + longest_ns + VISIT_NS;
		if (handover_wanted)
			la_hand_over(until_ns); /* where it cannot be: drained here */
		if (la_drains_sift(is_drained_here))
			close_listeners();
		la_exit_wait(until_ns, asked);
	}
	la_helper_stand_in(false);
}

static void leave(void)
{
	uint64_t before = la_signals_set(LA_SIGNALS_ALL & ~LA_SIGNALS_RAISED & ~LA_SIGNAL(SETXID)),
		 pending = 0;

	began_ns = la_now_ns();
	policy = la_in_force();
	atomic_store(&served, true);
	if (!policy->observe)
		la_inherited_adopt();
	if (region_of())
		end_all();
	if (la_drains_count() && !policy->observe)
		drain_all();
	/* Another thread may still write to what has our FIN. */
	if (__libc_single_threaded)
		unquiet_signals();
	/* What came meanwhile would have met no process. */
	la_sys(SYS_rt_sigpending, &pending, sizeof(pending));
	la_signals_restore(before | pending);
}

void la_enforce_end(void)
{
	if (!la_track_is_self())
		return;
	la_track_leaving(false);
	/* Whoever comes second does not wait: it ends the process, and the wait of the first. */
	if (la_enforce_exits() && !atomic_exchange(&leaving, true))
		leave();
	la_track_finish();
}
