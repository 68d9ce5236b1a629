/* SPDX-License-Identifier: MIT */
/*
 * The helper: one bare thread of the process that drains, bounds and takes up a changed policy, started when there is something to do.
 *
 * It shares everything with the process and has no thread-local storage of its own, see enforce.h. All signals are blocked
 * in it, so it never runs a handler of the application.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <time.h>

#include <lastack/sys.h>

#include "internal.h"

enum { STACK_BYTES = 64 * 1024 };

static _Atomic uint32_t state;  /* 0 none, 1 being started, 2 runs */
static _Atomic uint32_t calls;  /* futex: a call for the helper */
static _Atomic uint32_t asleep; /* it sleeps long: a call must wake it */
static _Atomic uint32_t alive;  /* the kernel clears it when it is gone */
static int thread;              /* its tid */
static bool just_forked;        /* all that is open here, the parent has open too */
static _Atomic bool stopping;
static _Atomic uint32_t pauses; /* it must not run while this is not 0 */
static _Atomic bool owed;       /* it was to run meanwhile: the last pause to end starts it */
static struct la_thread_table *table;
static char stack[STACK_BYTES]
	__attribute__((aligned(64))); /* one helper a process, so one stack */

void la_helper_count(enum la_counter counter)
{
	la_track_count_in(table, counter);
}

uint64_t la_enforce_turn(uint64_t now_ns)
{
	/* First: a turn is of one policy. */
	uint64_t reload = la_reload_turn(), drains = la_drains_turn(now_ns),
		 bounds = la_bounds_turn(now_ns), next = drains < bounds ? drains : bounds;

	return reload < next ? reload : next;
}

static void sleep_for(uint32_t seen, uint64_t ns)
{
	struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	/* A hook that hands over a drain in a short sleep need not wake us: facts/cost.md, "tick and sweep". */
	atomic_store(&asleep, ns > 2 * LA_MS_NS);
	la_sys(SYS_futex, &calls, FUTEX_WAIT_PRIVATE, seen, ns == LA_NEVER ? NULL : &time);
	atomic_store(&asleep, 0);
}

static void helper(void)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint32_t process = (uint32_t)__builtin_ctzll(la_track_my_bit());

	la_signals_set(LA_SIGNALS_ALL);
	la_sys(SYS_prctl, PR_SET_NAME, "lastack");
	la_watch_start();
	table = la_track_claim_table((uint32_t)la_sys(SYS_gettid));
	while (!atomic_load_explicit(&stopping, memory_order_relaxed) && !atomic_load(&pauses)) {
		uint32_t seen = atomic_load_explicit(&calls, memory_order_acquire);
		uint64_t now = la_now_ns(), pause = la_enforce_turn(now);

		if (process < LA_REGION_PROCESSES)
			atomic_store_explicit(&region->processes[process].helper_us, now / 1000,
				memory_order_relaxed);
		if (pause)
			sleep_for(seen, pause);
	}
	/* Nobody would ever end them. */
	if (atomic_load(&stopping))
		la_drains_end_all();
	if (table)
		la_track_release_table(table);
	table = NULL;
	/* Whoever follows takes up what is left: drains and watches are the process's. It may begin when the kernel says that we are gone. */
	atomic_store(&owed, true);
	atomic_store(&state, 0);
}

/*
 * The first dup makes the table grow. Once the helper shares it, that costs a grace period of the kernel's (10 ms), in the application's
 * close; so it grows before, where that is free.
 */
static void widen_table(void)
{
	int fd = la_slot_next(0, 0x3fffffff), wide;

	if (!__libc_single_threaded || !la_enforce_closes() || fd < 0)
		return;
	wide = la_act_dup(fd);
	if (wide >= 0)
		la_sys(SYS_close, wide);
}

/*
 * With all signals blocked: the new thread inherits that, for no handler may ever run without thread-local storage. By no clone() that others
 * can interpose: ThreadSanitizer's takes every child for a fork.
 */
static bool start(void)
{
	long tid;

	widen_table();
	atomic_store(&alive, 1);
	tid = la_sys_thread(helper, stack + STACK_BYTES,
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
			CLONE_CHILD_CLEARTID,
		&alive);
	if (tid < 0)
		atomic_store(&alive, 0);
	thread = (int)tid;
	return tid >= 0;
}

bool la_helper_await_end(_Atomic uint32_t *there, int tid)
{
	uint32_t value;
	long process = la_sys(SYS_getpid);
	struct timespec tick = {0, 10000000};
	int tries;

	for (tries = 0; tries < 100 && (value = atomic_load(there)); tries++)
		la_sys(SYS_futex, there, FUTEX_WAIT, value, &tick);
	/* That was a little before the kernel takes it off the list of threads. */
	for (tries = 0; tries < 1000; tries++) {
		if (la_sys(SYS_tgkill, process, tid, 0) == -ESRCH)
			return true;
		la_sys(SYS_sched_yield);
	}
	return false;
}

static void wait_until_gone(void)
{
	atomic_fetch_add(&calls, 1);
	la_sys(SYS_futex, &calls, FUTEX_WAKE_PRIVATE, 1);
	la_helper_await_end(&alive, thread);
}

/* Does it run? Another thread may be starting it. */
static bool runs(void)
{
	int tries;

	for (tries = 0; tries < 1000 && atomic_load(&state) == 1; tries++)
		la_sys(SYS_sched_yield);
	return atomic_load(&state) == 2;
}

/* From none to running, by whoever is first. */
static bool start_once(struct la_region *region)
{
	uint32_t none = 0, starting = 1, process = (uint32_t)__builtin_ctzll(la_track_my_bit());

	if (!atomic_compare_exchange_strong(&state, &none, 1))
		return runs();
	if (atomic_load(&alive))
		wait_until_gone();
	la_watch_end();
	/* Either we see the pause, or the pause sees that it is being started, and waits. Both are sequentially consistent. */
	if (atomic_load(&pauses) || atomic_load(&alive)) {
		atomic_store(&owed, true);
		atomic_store(&state, 0);
		return false;
	}
	if (!start()) {
		/* Too many threads, or none of this PID namespace any more. The next close asks again; what a helper left, nobody would read till then. */
		la_track_lacks(LA_LACK_HELPER, thread);
		la_drains_end_all();
		atomic_store(&state, 0);
		return false;
	}
	if (process < LA_REGION_PROCESSES)
		atomic_fetch_or(&region->processes[process].flags, LA_PROCESS_HELPER);
	/* Unless a pause has ended it already. */
	atomic_compare_exchange_strong(&state, &starting, 2);
	if (!just_forked)
		la_watch_await_ready();
	return true;
}

bool la_helper_ensure(void)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint64_t signals;
	bool started;

	if (atomic_load_explicit(&state, memory_order_acquire) == 2 || la_exit_is_served())
		return true;
	if (!region || atomic_load(&stopping) || la_track_is_passive())
		return false;
	/*
	 * Before it is said to be starting: a handler that forks here would have its child start it on the same stack, and one that jumps
	 * away would leave it starting for ever.
	 */
	signals = la_signals_block();
	do
		started = start_once(region);
	while (!started && !atomic_load(&pauses) && atomic_exchange(&owed, false));
	la_signals_restore(signals);
	return started;
}

void la_helper_stand_in(bool begins)
{
	if (begins)
		table = la_track_claim_table((uint32_t)la_sys(SYS_gettid));
	else if (table)
		la_track_release_table(table);
	if (!begins)
		table = NULL;
}

void la_helper_wake(void)
{
	if (atomic_load(&stopping) == false && la_track_is_passive())
		return;
	atomic_fetch_add(&calls, 1);
	if (atomic_load(&asleep))
		la_sys(SYS_futex, &calls, FUTEX_WAKE_PRIVATE, 1);
}

static void end_it(void)
{
	if (runs() || atomic_load(&alive))
		wait_until_gone();
	la_watch_end();
}

void la_helper_stop(void)
{
	atomic_store(&stopping, true);
	end_it();
}

void la_helper_pause(void)
{
	atomic_fetch_add(&pauses, 1);
	end_it();
}

bool la_helper_is_gone(void)
{
	return atomic_load(&alive) == 0;
}

void la_helper_resume(bool may_start)
{
	/* Of several pauses the last to end: it may be one that found no helper any more. */
	if (atomic_fetch_sub(&pauses, 1) == 1 && may_start && atomic_exchange(&owed, false))
		la_helper_ensure();
}

void la_helper_forked(void)
{
	/* Of the parent's threads only the caller is here. */
	atomic_store(&state, 0);
	atomic_store(&alive, 0);
	atomic_store(&pauses, 0);
	atomic_store(&owed, false);
	atomic_store(&asleep, 0);
	table = NULL;
	la_watch_forked();
	just_forked = true;
	la_enforce_connection();
	just_forked = false;
}
