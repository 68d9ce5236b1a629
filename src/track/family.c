/* SPDX-License-Identifier: MIT */
/*
 * The process, its fork family and the region they share.
 *
 * Holders are counted before a fork happens, so that between the fork and the child's first instruction the parent never
 * takes itself for the only one. What was opened while a fork was under way may or may not be in the child: shared.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include <lastack/kernel.h>
#include <lastack/sys.h>

#include "internal.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

enum {
	AGAIN_US = 1000000, /* when the next region is tried, after one that could not be made */
};

struct la_track_settings la_settings;
struct la_region *_Atomic la_track_region;
_Atomic uint32_t la_forking;
_Atomic uint32_t la_local_refs[LA_REGION_CONNECTIONS];

static struct la_region region_storage;
static _Atomic int region_making;      /* 0 nobody, 1 somebody */
static _Atomic uint64_t not_before_us; /* after a failure: not for each connection anew */
static char region_path[256];
static uint32_t my_process = NO_PROCESS;
static _Atomic bool passive;
static void (*on_fork_child)(void);

/*
 * Zero in the child of a fork (MADV_WIPEONFORK), intact in a vfork child, whose pid then differs. Where no such page is to be had, a fork
 * that no handler sees is taken for a vfork: its child is not followed.
 */
static _Atomic uint32_t plain_page;
static _Atomic uint32_t *fork_page = &plain_page;

/* The child that this thread is making: its entry, from the fork handler's count to the return of the call. */
static __thread uint32_t forking_child = NO_PROCESS;

/* This thread left the table of descriptors that we follow. */
static __thread bool apart;

uint64_t la_track_my_bit(void)
{
	return 1ull << my_process;
}

static struct la_region *make_region(void)
{
	int nobody = 0, no_file = 0, result;

	/* Whoever comes while it is being made goes on untracked: nobody waits. */
	if (!atomic_compare_exchange_strong(&region_making, &nobody, 1))
		return NULL;
	result = la_region_create(
		&region_storage, la_settings.dir, la_settings.runtime_dir, region_path, &no_file);
	if (result < 0) {
		la_track_lacks(LA_LACK_REGION, result);
		atomic_store(&not_before_us, la_now_us() + AGAIN_US);
		atomic_store(&region_making, 0);
		return NULL;
	}
	if (no_file)
		la_track_lacks(LA_LACK_FILE, no_file);
	region_storage.header->created_us = la_now_us();
	if (la_settings.policy &&
		la_region_populate(region_storage.policy, sizeof(*la_settings.policy)) == 0)
		memcpy(region_storage.policy, la_settings.policy, sizeof(*la_settings.policy));
	if (la_settings.policy)
		la_rules_expect(&region_storage, la_settings.policy);
	my_process = la_process_claim(&region_storage, (uint32_t)la_sys(SYS_getpid));
	if (my_process != NO_PROCESS)
		region_storage.processes[my_process].start_ticks = la_process_start_ticks();
	la_lacks_note(&region_storage);
	la_region_publish(&region_storage);
	atomic_store_explicit(&la_track_region, &region_storage, memory_order_release);
	return &region_storage;
}

struct la_region *la_region_now(void)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint64_t signals;

	if (region || atomic_load_explicit(&passive, memory_order_relaxed))
		return region;
	if (atomic_load_explicit(&not_before_us, memory_order_relaxed) > la_now_us())
		return NULL;
	/* A handler would go untracked, and one that jumped away would leave it begun for ever. */
	signals = la_signals_block();
	region = make_region();
	la_signals_restore(signals);
	return region;
}

static void hold_for(struct la_region *region, uint32_t child)
{
	uint32_t high = atomic_load(&region->header->connections_high), i;
	uint64_t mine = la_track_my_bit();

	for (i = 0; i < high; i++)
		if (atomic_load_explicit(&region->connections[i].holders, memory_order_relaxed) &
			mine)
			la_holders_add(&region->connections[i], 1ull << child);
}

/* Sockets without connection have no record to count holders in. */
static void share_unconnected(void)
{
	int fd = -1;

	while ((fd = la_slot_next(fd + 1, 0x3fffffff)) >= 0)
		if (!LA_SLOT_TRACKED(la_slot_load(fd)))
			la_track_share(fd);
}

static void fork_prepare(void)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);

	atomic_fetch_add_explicit(&la_forking, 1, memory_order_seq_cst);
	share_unconnected();
	forking_child = NO_PROCESS;
	if (!region || atomic_load_explicit(&passive, memory_order_relaxed))
		return;
	forking_child = la_process_claim(region, PID_FORKING);
	if (forking_child == NO_PROCESS)
		la_track_lacks(LA_LACK_PROCESSES, 0);
	hold_for(region, forking_child);
}

static void fork_parent(void)
{
	atomic_fetch_sub_explicit(&la_forking, 1, memory_order_seq_cst);
}

uint32_t la_track_before_fork(void)
{
	return forking_child;
}

void la_track_after_fork(int pid, uint32_t outer)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint32_t forking = PID_FORKING;

	if (pid == 0)
		return;
	if (region && forking_child != NO_PROCESS) {
		_Atomic uint32_t *entry = &region->processes[forking_child].pid;

		if (pid < 0)
			la_process_bury(region, forking_child);
		/* What the child's pid is here means nothing to those of the family in another namespace. */
		if (pid < 0 || la_processes_are_known())
			atomic_compare_exchange_strong(
				entry, &forking, pid < 0 ? 0 : (uint32_t)pid);
	}
	forking_child = outer;
}

/* Our bit off everything that we do not hold: closed by another thread between counting and forking. */
static void drop_what_was_closed(struct la_region *region)
{
	uint32_t high = atomic_load(&region->header->connections_high), i;
	uint64_t mine = la_track_my_bit();

	if (my_process == NO_PROCESS)
		return;
	for (i = 0; i < high; i++)
		if ((atomic_load_explicit(&region->connections[i].holders, memory_order_relaxed) &
			    mine) &&
			!atomic_load_explicit(&la_local_refs[i], memory_order_relaxed))
			la_holders_drop(region, &region->connections[i], mine);
}

void la_process_become(uint32_t process)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint32_t pid = (uint32_t)la_sys(SYS_getpid);

	atomic_store(fork_page, pid);
	atomic_store(&la_forking, 0);
	la_giving_forget();
	la_rows_forget_mine();
	my_process = process;
	forking_child = NO_PROCESS;
	if (!region) {
		atomic_store(&region_making, 0);
		return;
	}
	/* A pid of ours means nothing to a parent in another namespace; la_track_after_fork() has its own word for us. */
	if (process != NO_PROCESS && la_processes_are_known()) {
		atomic_store(&region->processes[process].pid, pid);
		la_process_bury_namesakes(region, process, pid);
	}
}

static void fork_child(void)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);

	if (apart) /* of the numbers that it has, nothing is known */
		atomic_store(&passive, true);
	if (atomic_load_explicit(&passive, memory_order_relaxed))
		return;
	if (region && la_process_is_foreign()) {
		/* Before the parent could take a pid of ours for one of its own, and that one for gone. */
		la_processes_are_foreign();
		la_track_share_all();
	}
	la_process_become(forking_child);
	if (region)
		drop_what_was_closed(region);
	if (on_fork_child)
		on_fork_child();
}

/* _Fork, or clone without CLONE_VM: nobody counted. The parent cannot know either, so both must take it for shared. */
static void forked_unseen(void)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint32_t i, high;

	la_process_become(NO_PROCESS);
	share_unconnected();
	if (region) {
		high = atomic_load(&region->header->connections_high);
		for (i = 0; i < high; i++)
			if (atomic_load_explicit(&la_local_refs[i], memory_order_relaxed))
				la_holders_add(&region->connections[i], LA_HOLDER_UNKNOWN);
		/* Our pid in another namespace would be taken for somebody else's, and theirs for gone. */
		if (la_process_is_foreign())
			la_processes_are_foreign();
		if (la_processes_are_known())
			my_process = la_process_claim(region, (uint32_t)la_sys(SYS_getpid));
		if (my_process != NO_PROCESS) {
			la_process_bury_namesakes(region, my_process, (uint32_t)la_sys(SYS_getpid));
			atomic_fetch_or(
				&region->processes[my_process].flags, LA_PROCESS_FAMILY_UNKNOWN);
		}
	}
	if (on_fork_child)
		on_fork_child();
}

enum la_here la_track_here(void)
{
	uint32_t pid, known;

	if (atomic_load_explicit(&passive, memory_order_relaxed))
		return LA_HERE_PASSIVE;
	if (apart)
		return LA_HERE_APART;
	known = atomic_load_explicit(fork_page, memory_order_relaxed);
	pid = (uint32_t)la_sys(SYS_getpid);
	if (known == pid)
		return LA_HERE_SELF;
	if (known)
		return LA_HERE_VFORK_CHILD;
	if (fork_page == &plain_page) /* not started */
		return LA_HERE_SELF;
	forked_unseen();
	return LA_HERE_SELF;
}

bool la_track_is_self(void)
{
	return !atomic_load_explicit(&passive, memory_order_relaxed) && !apart &&
	       (!fork_page || atomic_load_explicit(fork_page, memory_order_relaxed) ==
				      (uint32_t)la_sys(SYS_getpid));
}

void la_track_become_passive(void)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);

	if (region && my_process != NO_PROCESS)
		atomic_fetch_or(&region->processes[my_process].flags, LA_PROCESS_PASSIVE);
	/* Its children will not be counted. */
	la_track_share_all();
	atomic_store(&passive, true);
}

bool la_track_is_passive(void)
{
	return atomic_load_explicit(&passive, memory_order_relaxed);
}

bool la_track_is_forking(void)
{
	/* Behind the caller's writes; before the kernel copies anything, fork_prepare() has counted. */
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&la_forking, memory_order_seq_cst) != 0;
}

/* The kernel knows: would it close this number at an exec: Python's set_inheritable() is an ioctl; and a vfork child has a table of its own. */
static bool ends_with_exec(int fd)
{
	long flags = la_sys(SYS_fcntl, fd, F_GETFD);

	return flags < 0 || (flags & FD_CLOEXEC);
}

void la_track_share_inheritable(void)
{
	int fd = -1;

	while ((fd = la_slot_next(fd + 1, 0x3fffffff)) >= 0)
		if (!ends_with_exec(fd))
			la_track_share(fd);
}

void la_track_share_all(void)
{
	int fd = -1;

	while ((fd = la_slot_next(fd + 1, 0x3fffffff)) >= 0)
		la_track_share(fd);
}

void la_track_leave(void)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);

	if (region && my_process != NO_PROCESS)
		atomic_fetch_or(&region->processes[my_process].flags, LA_PROCESS_SPLIT);
	la_track_share_all();
	apart = true;
}

void la_track_on_fork_child(void (*child)(void))
{
	on_fork_child = child;
}

void la_track_start(const struct la_track_settings *settings)
{
	long page;

	la_settings = *settings;
	page = la_sys(
		SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page > 0 || page < -4096) {
		if (la_sys(SYS_madvise, page, 4096, MADV_WIPEONFORK) == 0)
			fork_page = (_Atomic uint32_t *)page;
		else
			la_sys(SYS_munmap, page, 4096);
	}
	atomic_store(fork_page, (uint32_t)la_sys(SYS_getpid));
	la_rows_start();
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* Something was marked: our entry stays, as that of a process that has crashed. */
static bool left_behind;

void la_track_leaving(bool by_exec)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);

	if (!la_settings.keep || !region || my_process == NO_PROCESS ||
		la_track_here() != LA_HERE_SELF)
		return;
	left_behind = !by_exec && la_left_mark();
	atomic_store(&region->processes[my_process].ended_us, la_now_us());
}

void la_track_finish(void)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint32_t high, i, others = 0;
	uint64_t mine = la_track_my_bit();

	/* A vfork child that calls exit() instead of _exit() would take its parent's connections away. */
	if (!region || la_track_here() != LA_HERE_SELF)
		return;
	atomic_store(&passive, true);
	if (left_behind)
		return;
	if (my_process != NO_PROCESS) {
		high = atomic_load(&region->header->connections_high);
		for (i = 0; i < high; i++)
			if (atomic_load_explicit(
				    &region->connections[i].holders, memory_order_relaxed) &
				mine)
				la_holders_drop(region, &region->connections[i], mine);
		atomic_store(&region->processes[my_process].pid, 0);
	}
	for (i = 0; i < LA_REGION_PROCESSES; i++) {
		uint32_t pid = atomic_load(&region->processes[i].pid);

		if (pid && (la_settings.keep || !la_process_is_gone(pid)))
			others++;
	}
	if (!others && region_path[0])
		la_region_remove(region_path);
}
