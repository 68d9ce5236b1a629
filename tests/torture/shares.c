/* SPDX-License-Identifier: MIT */
/*
 * Two processes hold a connection and close it. One of them is stopped at each instruction of its close in turn, while the other closes
 * too, and opens the next one on the same record or does not: the connection ends once, and the next one is left alone.
 */
#include <signal.h>

#include "stepping.h"

enum { MOST_STOPS = 2000, NOBODY = -1 };

static const char *const closing[] = {"la_track_release", "la_track_closed", "la_holders_living",
	"la_record_change", "la_track_saw", "take_row", "find_row", "la_track_fold",
	"la_track_record", "la_slot_exchange", "la_track_count", NULL};

/* Who is stepped says that it is about to close; the other is told when. */
struct turns {
	_Atomic int ready, go, closed, done, fd, opens_next;
	_Atomic uint32_t before, after, record_fd_lost;
};
static struct turns *turns;

static void wait_for(const _Atomic int *what)
{
	while (!atomic_load(what))
		usleep(50);
}

/* Only one record is to be had, so that the next connection gets it. */
static void leave_one_record(struct la_region *region)
{
	uint32_t i;

	for (i = 0; i < RECORDS; i++)
		if (LA_WORD_PHASE(atomic_load(&region->connections[i].word)) == LA_PHASE_FREE)
			atomic_store(
				&region->connections[i].word, LA_WORD_MAKE(1, LA_PHASE_OPENING, 0));
	atomic_store(&region->connections[0].word, LA_WORD_MAKE(1, LA_PHASE_FREE, 0));
}

static int open_tracked(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	la_track_socket(fd, LA_SLOT_TCP);
	la_track_connected(fd, false);
	return fd;
}

static void be_other(struct la_region *region)
{
	int next_fd;

	wait_for(&turns->go);
	close_tracked(atomic_load(&turns->fd));
	/* Is the record free yet? Then the next connection takes it. */
	if (atomic_load(&turns->opens_next) &&
		LA_WORD_PHASE(atomic_load(&region->connections[0].word)) == LA_PHASE_CLOSED) {
		next_fd = open_tracked();
		atomic_store(&turns->closed, 1);
		wait_for(&turns->done);
		atomic_store(
			&turns->record_fd_lost, atomic_load(&region->connections[0].fd) != next_fd);
		close_tracked(next_fd);
	}
	atomic_store(&turns->closed, 1);
	_exit(0);
}

static void be_both(void)
{
	struct la_region *region;
	pid_t other;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	scene_track(0);
	region = la_region_now();
	leave_one_record(region);
	atomic_store(&turns->before, atomic_load(&region->header->connections_open));
	atomic_store(&turns->fd, open_tracked());
	other = fork();
	if (other == 0)
		be_other(region);
	atomic_store(&turns->ready, 1);
	while (!atomic_load(&turns->done)) /* the tracer comes */
		;
	atomic_store(&turns->done, 0);
	close_tracked(atomic_load(&turns->fd));
	atomic_store(&turns->done, 1);
	waitpid(other, NULL, 0);
	atomic_store(&turns->after, atomic_load(&region->header->connections_open));
	_exit(0);
}

/* Stop at our instruction number `wanted` of the close. False when it has not so many. */
static bool close_with_stop_at(int wanted, int opens_next)
{
	uint64_t at = 0;
	bool reached = false;
	int ours = 0;
	pid_t both;

	scene_share();
	memset(turns, 0, sizeof(*turns));
	atomic_store(&turns->opens_next, opens_next);
	both = fork();
	if (both == 0)
		be_both();
	wait_for(&turns->ready);
	if (!attach(both)) {
		fail("cannot be traced: %s", strerror(errno));
		return false;
	}
	atomic_store(&turns->done, 1);
	while (!reached && at != ~0ull && !(ours && atomic_load(&turns->done))) {
		at = step(both);
		if (at < sizeof(visits) && function_at[at] && visits[at] != 0xff)
			reached = ours++ == wanted;
		if (reached)
			is_new(at, 1);
	}
	atomic_store(&turns->go, 1);
	wait_for(&turns->closed);
	ptrace(PTRACE_DETACH, both, NULL, NULL);
	waitpid(both, NULL, 0);
	if (atomic_load(&turns->after) != atomic_load(&turns->before))
		fail("stopped at %s+%lx: %d connections are counted as open", name_of(at), at,
			(int)atomic_load(&turns->after));
	if (atomic_load(&turns->record_fd_lost))
		fail("stopped at %s+%lx: the next connection lost its number", name_of(at), at);
	return reached;
}

int main(void)
{
	bool reached = true, failed = false;
	int i;

	alarm(300);
	turns = mmap(
		NULL, sizeof(*turns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (turns == MAP_FAILED || !learn_instructions(closing))
		return 2;
	for (i = 0; i < MOST_STOPS && reached && !failed; i++) {
		reached = close_with_stop_at(i / 2, i % 2);
		failed = atomic_load(&scene->failures) != 0;
		if (failed)
			printf("shares: FAILED: %s\n", scene->why);
		scene_remove();
	}
	printf("shares: a close stopped twice at each of %d instructions, at %u places\n",
		(i - 1) / 2, places_count);
	return failed || places_count < 50;
}
