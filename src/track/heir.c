/* SPDX-License-Identifier: MIT */
/*
 * The heir of a process that exits: a process without the application's code, which drains what the other has left.
 *
 * It is counted as a holder before it is made, as the child of a fork is, and has a record of its own in the region; so the command
 * shows whose the draining connections are, and whoever comes after a heir that was killed takes its bit off them.
 */
#include <lastack/sys.h>

#include "internal.h"

static struct la_region *region_of(void)
{
	return atomic_load_explicit(&la_track_region, memory_order_acquire);
}

int la_track_heir(void)
{
	struct la_region *region = region_of();
	uint32_t heir = region ? la_process_claim(region, PID_FORKING) : NO_PROCESS;

	if (heir == NO_PROCESS)
		return -1;
	atomic_fetch_or(&region->processes[heir].flags, LA_PROCESS_HELPER);
	return (int)heir;
}

void la_track_bequeath(int heir, uint32_t index)
{
	la_holders_add(&region_of()->connections[index], 1ull << heir);
}

void la_track_heir_made(int heir, int pid)
{
	struct la_region *region = region_of();
	uint32_t forking = PID_FORKING;

	if (pid >= 0) {
		/* Unless it has said so itself. */
		atomic_compare_exchange_strong(
			&region->processes[heir].pid, &forking, (uint32_t)pid);
		return;
	}
	la_process_bury(region, (uint32_t)heir);
	atomic_store(&region->processes[heir].pid, 0);
}

void la_track_bequeathed(uint32_t index)
{
	atomic_fetch_and(&region_of()->connections[index].holders, ~la_track_my_bit());
}

bool la_track_become_heir(int heir)
{
	if (la_process_is_foreign())
		return false;
	la_process_become((uint32_t)heir);
	return true;
}

void la_track_inherited(uint32_t index)
{
	atomic_store(&region_of()->connections[index].pid, (uint32_t)la_sys(SYS_getpid));
}

void la_track_heir_detached(void)
{
	struct la_region *region = region_of();
	uint32_t heir = (uint32_t)__builtin_ctzll(la_track_my_bit());

	atomic_fetch_or_explicit(
		&region->processes[heir].flags, LA_PROCESS_HEIR, memory_order_release);
}

bool la_track_is_heir_detached(int heir)
{
	return atomic_load_explicit(&region_of()->processes[heir].flags, memory_order_acquire) &
	       LA_PROCESS_HEIR;
}
