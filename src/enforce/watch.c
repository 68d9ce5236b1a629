/* SPDX-License-Identifier: MIT */
/*
 * The watcher: one more bare thread, beside the helper where policy files may change. Once a second it looks at them by their paths, and reads
 * them when they have changed and are at rest.
 *
 * It has a table of descriptors of its own, without any: what it opens takes no number that the application could miss, and would take one in
 * the helper, for a moment: `close(0); open(file)` must give 0. So it can neither act nor log; the helper does, by what it hands over. A file
 * system that does not answer holds up nobody else.
 *
 * The table is made by close_range(2), from which on the kernel no longer shares the application's; some kernels copy up to 64 numbers
 * of it, and let go of them in the same call. A description that the application closed within those microseconds would stay that long. So
 * whoever starts the thread waits for that: a program of one thread can close nothing meanwhile, and it happens once a helper, not once a change. In
 * the child of a fork nobody waits: what it closes then, its parent still has open.
 *
 * At rest: the same at two looks half a second apart, and once more after reading. A file written in pieces, with less than that between
 * them, is never taken in part. In all a change is in force 0.5 to 1.5 s after it; a file that never rests is never taken.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <lastack/sys.h>

#include "internal.h"

enum { STACK_BYTES = 32 * 1024 };
#define LOOK_NS (1000 * LA_MS_NS)
#define REST_NS (500 * LA_MS_NS)
#define WAIT_NS (50 * LA_MS_NS) /* for the helper to take the news */
#define TICK_NS (10 * LA_MS_NS)

static _Atomic uint32_t alive;  /* the kernel clears it when it is gone */
static _Atomic uint32_t ready;  /* futex: it has no descriptor of the application */
static _Atomic uint32_t ending; /* futex */
static _Atomic uint32_t handed; /* `news` is the helper's to read, and no longer ours to write */
static int held_up;             /* one that did not end in time, 0: none */
static int thread;
static struct la_news news;
static struct la_files_look judged; /* what is in force, or was refused, was read from these */
static struct la_files_look seen;   /* by the look before this one */
static bool begun, resting, refused;
static char stack[STACK_BYTES] __attribute__((aligned(64)));

static void sleep_on(_Atomic uint32_t *futex, uint32_t value, uint64_t ns)
{
	struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	la_sys(SYS_futex, futex, FUTEX_WAIT_PRIVATE, value, &time);
}

static bool is_same(const struct la_files_look *a, const struct la_files_look *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void hand_over(void)
{
	atomic_store(&handed, 1);
	la_helper_wake();
}

/* Returns ns until the next look. */
static uint64_t look(void)
{
	struct la_files_look *now = &news.kept.files;
	struct la_files_look after;
	int result;

	if (atomic_load(&handed))
		return WAIT_NS;
	la_files_look(now);
	if (is_same(now, &judged)) {
		resting = false;
		return LOOK_NS;
	}
	if (!resting || !is_same(now, &seen)) {
		seen = *now;
		resting = true;
		return REST_NS;
	}
	result = la_files_read_again(&news.kept.policy, &news.why);
	la_files_look(&after);
	if (!is_same(now, &after)) {
		seen = after;
		return REST_NS;
	}
	if (result == -EAGAIN)
		return LOOK_NS;
	judged = *now;
	resting = false;
	news.refused = refused = result < 0;
	hand_over();
	return LOOK_NS;
}

static void be_ready(void)
{
	atomic_store(&ready, 1);
	la_sys(SYS_futex, &ready, FUTEX_WAKE_PRIVATE, 1);
}

static void watcher(void)
{
	bool alone;

	la_signals_set(LA_SIGNALS_ALL);
	la_sys(SYS_prctl, PR_SET_NAME, "lastack-policy");
	alone = la_sys(SYS_close_range, 0, ~0u, CLOSE_RANGE_UNSHARE) == 0;
	be_ready();
	if (!alone) {
		strcpy(news.why.text,
			"its files are not followed: no close_range(2), which Linux has since 5.9");
		news.refused = true;
		hand_over();
		return;
	}
	while (!atomic_load(&ending))
		sleep_on(&ending, 0, look());
}

void la_watch_start(void)
{
	long tid = -1;

	if (!la_files_watched())
		return;
	/* One that a file system holds up has our stack. */
	if (atomic_load(&alive)) {
		be_ready();
		return;
	}
	/* What was refused may be readable by who we are now. */
	if (!begun || refused)
		judged = *la_in_force_files();
	begun = true;
	atomic_store(&ending, 0);
	atomic_store(&alive, 1);
	tid = la_sys_thread(watcher, stack + STACK_BYTES,
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
			CLONE_CHILD_CLEARTID,
		&alive);
	thread = (int)tid;
	if (tid < 0) {
		atomic_store(&alive, 0);
		be_ready();
	}
}

void la_watch_await_ready(void)
{
	int tries;

	/* The file system of what the application has open may take its time. */
	for (tries = 0; tries < 10 && la_files_watched() && !atomic_load(&ready); tries++)
		sleep_on(&ready, 0, TICK_NS);
}

void la_watch_end(void)
{
	if (!la_files_watched())
		return;
	atomic_store(&ending, 1);
	la_sys(SYS_futex, &ending, FUTEX_WAKE_PRIVATE, 1);
	/* One that a file system holds up ends when that lets it go, and is the last. It is waited for once. */
	if (atomic_load(&alive) && held_up != thread && !la_helper_await_end(&alive, thread))
		held_up = thread;
	atomic_store(&ready, 0);
}

/* The copy of the memory may be of any moment; the policy in force is whole, and names the files that it was read from. */
void la_watch_forked(void)
{
	atomic_store(&alive, 0);
	atomic_store(&ready, 0);
	atomic_store(&handed, 0);
	held_up = 0;
	begun = resting = refused = false;
}

const struct la_news *la_watch_news(void)
{
	return atomic_load_explicit(&handed, memory_order_acquire) ? &news : NULL;
}

void la_watch_dealt_with(void)
{
	atomic_store(&handed, 0);
}
