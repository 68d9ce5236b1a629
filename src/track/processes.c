/* SPDX-License-Identifier: MIT */
/*
 * The entries that processes of a family have in their region: taken, found to be of somebody who is gone, and given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <lastack/kernel.h>
#include <lastack/sys.h>

#include "internal.h"

/* Pids of the region may be of another PID namespace than ours: then nobody is known to be gone. */
static _Atomic bool foreign_pids;

void la_processes_are_foreign(void)
{
	atomic_store(&foreign_pids, true);
}

bool la_processes_are_known(void)
{
	return !atomic_load(&foreign_pids);
}

/*
 * Did our parent make a PID namespace for us? The pid of a parent outside reads 0. (One that is gone, daemon(3)'s, reads as whoever
 * took us over, in our namespace.)
 */
bool la_process_is_foreign(void)
{
	return la_sys(SYS_getppid) == 0;
}

/* A child of ours that has ended, and that nobody has waited for yet, holds nothing. It is only looked at. */
static bool is_zombie(uint32_t pid)
{
	siginfo_t ended = {.si_pid = 0};

	return la_sys(SYS_waitid, P_PID, pid, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) ==
		       0 &&
	       ended.si_pid == (pid_t)pid;
}

bool la_process_is_gone(uint32_t pid)
{
	/* A child between its parent's count and its own first instruction has no pid yet, and lives. */
	if (pid == PID_FORKING || atomic_load_explicit(&foreign_pids, memory_order_relaxed))
		return false;
	/* Not kill: a thread may have its number by now. */
	return la_sys(SYS_tgkill, pid, pid, 0) == -ESRCH || is_zombie(pid);
}

uint64_t la_process_start_ticks(void)
{
	char text[512], *at;
	uint64_t ticks = 0;
	int field = 2;
	long got;
	int fd = (int)la_sys(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	got = la_sys(SYS_read, fd, text, sizeof(text) - 1);
	la_sys(SYS_close, fd);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	at = strrchr(text, ')'); /* the name may hold anything */
	while (at && *at && field < 22)
		if (*at++ == ' ')
			field++;
	while (at && *at >= '0' && *at <= '9')
		ticks = ticks * 10 + (uint64_t)(*at++ - '0');
	return ticks;
}

void la_process_bury(struct la_region *region, uint32_t index)
{
	uint32_t high = atomic_load(&region->header->connections_high), i;
	uint64_t bit = 1ull << index;

	for (i = 0; i < high; i++)
		if (atomic_load_explicit(&region->connections[i].holders, memory_order_relaxed) &
			bit)
			la_holders_drop(region, &region->connections[i], bit);
	high = atomic_load(&region->header->threads_high);
	for (i = 0; i < high; i++) {
		uint64_t owner = atomic_load(&region->threads[i].owner);

		if (owner >> 32 == index + 1)
			atomic_compare_exchange_strong(&region->threads[i].owner, &owner, 0);
	}
}

void la_process_bury_namesakes(struct la_region *region, uint32_t index, uint32_t pid)
{
	uint32_t i;

	for (i = 0; i < LA_REGION_PROCESSES; i++) {
		uint32_t same = pid;

		if (i == index || !atomic_compare_exchange_strong(
					  &region->processes[i].pid, &same, PID_FORKING))
			continue;
		la_process_bury(region, i);
		atomic_store(&region->processes[i].pid, 0);
	}
}

uint32_t la_process_claim(struct la_region *region, uint32_t pid)
{
	int round;
	uint32_t i;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < LA_REGION_PROCESSES; i++) {
			struct la_process_record *process = &region->processes[i];
			uint32_t old = atomic_load(&process->pid);

			if (old && (round == 0 || !la_process_is_gone(old)))
				continue;
			if (!atomic_compare_exchange_strong(&process->pid, &old, PID_FORKING))
				continue;
			la_process_bury(region,
				i); /* one that ended by itself leaves its threads' tables */
			atomic_store(&process->flags, 0);
			atomic_store(&process->helper_us, 0);
			atomic_store(&process->ended_us, 0);
			process->start_ticks = 0;
			strncpy(process->exe, la_settings.exe, sizeof(process->exe) - 1);
			atomic_store(&process->started_us, la_now_us());
			atomic_store(&process->pid, pid);
			return i;
		}
	}
	return NO_PROCESS;
}
