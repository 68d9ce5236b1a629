/* SPDX-License-Identifier: MIT */
/*
 * Drains hold numbers of the application's table. Where it wants one of them, or has none left, they give way: the helper ends them, and the
 * application's thread waits for it, at most 1 s.
 */
#include <fcntl.h>

#include <lastack/sys.h>

#include "internal.h"

#define CLOSES_WITHIN_NS (1000 * LA_MS_NS)

/* The helper closes it, at its next turn, which is now. False if it cannot run. */
static bool wait_until_closed(int fd, uint64_t until)
{
	uint64_t own = la_slot_load(fd);

	la_helper_wake();
	while (LA_SLOT_IS_OWN(own) && la_slot_load(fd) == own) {
		if (la_now_ns() > until)
			return false;
		la_sys(SYS_sched_yield);
	}
	return true;
}

void la_enforce_give_way(int fd)
{
	if (!la_log_gives_way(fd) && la_drains_evict(fd))
		wait_until_closed(fd, la_now_ns() + CLOSES_WITHIN_NS);
}

void la_enforce_leave_room(int fd)
{
	uint32_t at = 0;
	uint64_t until;
	long lowest;
	int own;

	if (!la_drains_count())
		return;
	lowest = la_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);
	if (lowest >= 0)
		la_sys(SYS_close, lowest);
	if (lowest >= 0 && lowest < la_act_base())
		return;
	while ((own = la_drains_next(&at)) >= 0)
		la_drains_evict(own);
	until = la_now_ns() + CLOSES_WITHIN_NS;
	at = 0;
	while ((own = la_drains_next(&at)) >= 0)
		if (!wait_until_closed(own, until))
			return;
}

bool la_enforce_make_room(void)
{
	int fd = la_drains_oldest();

	return fd >= 0 && la_drains_evict(fd) &&
	       wait_until_closed(fd, la_now_ns() + CLOSES_WITHIN_NS);
}
