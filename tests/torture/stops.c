/* SPDX-License-Identifier: MIT */
/*
 * Writers that are stopped by a signal: at random instants one of them sleeps in a handler, 10 ms and until every other thread has
 * worked on. stops SECONDS.
 */
#include <signal.h>
#include <time.h>

#include "scene.h"

enum { STOP = 10 * 1000000, TURNS = 8, MOST_PLACES = 1 << 16 };

static pthread_t threads[WORKERS + 1];
static _Atomic int stopped = -1; /* the worker that shall stop, or has */
static _Atomic uint64_t stops, places_count;
static _Atomic uint8_t places[MOST_PLACES]; /* by the low bits of the instruction's address */

static bool others_worked(int me, const uint64_t *before, uint64_t reads)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		if (i != me && atomic_load(&scene->workers[i].done) < before[i] + TURNS)
			return false;
	return atomic_load(&scene->reads) >= reads + 2;
}

static void stop_here(int number, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	struct timespec pause = {.tv_nsec = STOP};
	uint64_t before[WORKERS], reads = atomic_load(&scene->reads);
	uint64_t random = at + reads;
	int saved = errno, me = atomic_load(&stopped), i, waits = 0;

	(void)number;
	(void)info;
	/* A handler that tells, too: it may take away the row that its thread is about to write. */
	for (i = 0; i < 16; i++)
		tell_one(&random, false);
	for (i = 0; i < WORKERS; i++)
		before[i] = atomic_load(&scene->workers[i].done);
	do {
		nanosleep(&pause, NULL);
		if (++waits > STOPPED_TOO_LONG_S * 100) {
			fail("while a writer stood, the others did not work");
			break;
		}
	} while (!others_worked(me, before, reads) && !atomic_load(&scene->over));
	if (!atomic_exchange(&places[at % MOST_PLACES], 1))
		atomic_fetch_add(&places_count, 1);
	atomic_fetch_add(&stops, 1);
	atomic_store(&stopped, -1);
	errno = saved;
}

static void stop_one(uint64_t *random)
{
	int who = (int)(next(random) % WORKERS);
	struct timespec pause = {.tv_nsec = (long)(next(random) % 1000000)};

	nanosleep(&pause, NULL);
	atomic_store(&stopped, who);
	pthread_kill(threads[who], SIGUSR2);
	while (atomic_load(&stopped) >= 0)
		usleep(200);
}

int main(int count, char **arguments)
{
	struct sigaction action = {.sa_sigaction = stop_here, .sa_flags = SA_RESTART | SA_SIGINFO};
	int seconds = count > 1 ? atoi(arguments[1]) : 10, i;
	uint64_t random = (uint64_t)time(NULL), end, opened = 0;

	alarm((unsigned int)seconds + 120);
	scene_share();
	scene_track(count > 2 ? (uint32_t)atoi(arguments[2]) : 4);
	sigaction(SIGUSR2, &action, NULL);
	for (i = 0; i < WORKERS; i++)
		if (pthread_create(&threads[i], NULL, work_on, &scene->workers[i]) != 0)
			abort();
	if (pthread_create(&threads[WORKERS], NULL, read_on, NULL) != 0)
		abort();
	end = la_now_ns() + (uint64_t)seconds * 1000000000u;
	while (la_now_ns() < end && !atomic_load(&scene->failures))
		stop_one(&random);
	atomic_store(&scene->over, true);
	for (i = 0; i <= WORKERS; i++)
		pthread_join(threads[i], NULL);
	check_rest(0, WORKERS - 1);
	for (i = 0; i < WORKERS; i++)
		opened += atomic_load(&scene->workers[i].opened);
	printf("stops: %lu stops at %lu places; %lu connections, %lu reads showed %lu and %lu "
	       "facts\n",
		stops, places_count, opened, atomic_load(&scene->reads), atomic_load(&scene->shown),
		atomic_load(&scene->facts));
	if (!atomic_load(&scene->failures) &&
		(stops < 10 || opened < 1000 || atomic_load(&scene->reads) < 20))
		fail("too little happened");
	if (atomic_load(&scene->failures))
		printf("stops: FAILED, %u times; first: %s\n", atomic_load(&scene->failures),
			scene->why);
	i = atomic_load(&scene->failures) != 0;
	scene_remove();
	return i;
}
