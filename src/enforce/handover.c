/* SPDX-License-Identifier: MIT */
/*
 * The heir: a detached process that drains what an exit has left, so that the exit itself is immediate.
 *
 * It is made by a bare clone(2): no fork handler of the application runs, and no code of it in the new process. It holds the draining sockets
 * and no other descriptor (a pipe's reader gets its end, a terminal is free), stands in "/", in a session of its own. Its parent cannot
 * wait for it by mistake (it says nothing at its end), and when that has gone it is init's, or that of a subreaper, which expects such children.
 * SIGTERM, SIGINT and SIGQUIT end it in order; all others wait for ever. ps shows it as "lastack-drain".
 *
 * What remains of the process: the files that it has mapped, its program's among them; its root folder, credentials and cgroup. Its memory
 * goes (shed.c).
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "internal.h"

static const char name[] = "lastack-drain";
enum { FD_LAST = 0x3fffffff, FDS_AT_MOST = 1 << 16, SIGNALS = 64 };
#define DETACHES_WITHIN_NS (5000 * LA_MS_NS)

static int heir;

static bool is_handed_over(const struct la_drain_order *order)
{
	return order->at_exit == LA_EXIT_HANDOVER;
}

static bool bequeath(struct la_drain_order *order, uint64_t started_ns)
{
	(void)started_ns;
	if (is_handed_over(order))
		la_track_bequeath(heir, order->index);
	return true;
}

/* ---- in the heir */

static bool inherit(struct la_drain_order *order, uint64_t started_ns)
{
	(void)started_ns;
	if (is_handed_over(order))
		la_track_inherited(order->index);
	return is_handed_over(order);
}

static void close_between(unsigned int first, unsigned int last)
{
	if (first > last || la_sys(SYS_close_range, first, last, 0) != -ENOSYS)
		return;
	for (; first <= last && first < FDS_AT_MOST; first++)
		la_sys(SYS_close, first);
}

/* All but the drains' numbers, which are what is left of ours. */
static void close_all_others(void)
{
	unsigned int from = 0;
	int fd = -1;

	while ((fd = la_slot_next(fd + 1, FD_LAST)) >= 0) {
		if (!LA_SLOT_IS_OWN(la_slot_load(fd)))
			continue;
		close_between(from, (unsigned int)fd - 1);
		from = (unsigned int)fd + 1;
	}
	close_between(from, ~0u);
}

static void rename_it(void)
{
	char *words = la_enforce_config.argv_first;
	size_t room = la_enforce_config.argv_bytes;

	la_sys(SYS_prctl, PR_SET_NAME, name);
	if (words && room > sizeof(name)) {
		memset(words, 0, room);
		memcpy(words, name, sizeof(name));
	}
}

static void forget_handlers(void)
{
	static const struct la_sigaction by_default = {.handler = SIG_DFL};
	int number;

	for (number = 1; number <= SIGNALS; number++)
		la_sigaction(number, &by_default, NULL);
}

static _Noreturn void live(uint64_t until_ns)
{
	la_sys(SYS_setsid);
	la_sys(SYS_chdir, "/");
	forget_handlers();
	if (la_track_become_heir(heir)) {
		la_log_detach();
		la_drains_sift(inherit);
		close_all_others();
		rename_it();
		la_helper_stand_in(true);
		la_shed_memory();
		la_track_heir_detached();
		la_exit_wait(until_ns, LA_SIGNAL(SIGTERM) | LA_SIGNAL(SIGINT) | LA_SIGNAL(SIGQUIT));
		la_helper_stand_in(false);
		la_track_finish();
	}
	for (;;)
		la_sys(SYS_exit_group, 0);
}

/* ---- in the process that exits */

/* Its parent gets to a folder, a terminal and a pipe that are free. */
static bool wait_until_detached(long pid)
{
	uint64_t until_ns = la_now_ns() + DETACHES_WITHIN_NS;
	struct timespec tick = {0, 200000};

	while (!la_track_is_heir_detached(heir)) {
		if (la_sys(SYS_wait4, pid, NULL, WNOHANG | __WALL, NULL) == pid)
			return false;
		if (la_now_ns() > until_ns)
			break;
		la_sys(SYS_nanosleep, &tick, NULL);
	}
	return true;
}

static bool let_go(struct la_drain_order *order, uint64_t started_ns)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_log_line line = {.action = "exit",
		.rule_section = "exit",
		.result = "handed-over",
		.record = &region->connections[order->index],
		.fd = -1};

	(void)started_ns;
	if (!is_handed_over(order))
		return true;
	line.unacked = la_kernel_unacked(order->fd);
	la_log(&line);
	la_helper_count(LA_COUNT_EXIT_HANDED_OVER);
	la_track_bequeathed(order->index);
	return false;
}

bool la_hand_over(uint64_t until_ns)
{
	long pid;

	heir = la_track_heir();
	if (heir < 0)
		return false;
	la_drains_sift(bequeath);
	pid = la_sys(SYS_clone, 0, 0, 0, 0, 0);
	if (pid == 0)
		live(until_ns);
	la_track_heir_made(heir, (int)pid);
	if (pid < 0)
		return false;
	if (!wait_until_detached(pid)) {
		la_track_heir_made(heir, -1);
		return false;
	}
	la_drains_sift(let_go);
	return true;
}
