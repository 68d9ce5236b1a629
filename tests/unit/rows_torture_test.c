/* SPDX-License-Identifier: MIT */
/*
 * Rows under load: writers see facts of more connections than a table has rows, a signal interrupts them at any instruction to
 * see some more, others close and open connections meanwhile, and a reader folds all the time.
 *
 * A fact that was seen of a connection is never lost while its record lives, and never shows for another connection: which
 * facts a connection may have is decided by its index and generation, so that each stray one is recognised.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "track_helpers.h"

enum { SOCKETS = 320, WRITERS = 4, RECYCLERS = 2, SECONDS = 3, RECORDS = 8192 };

static int sockets[SOCKETS];
static _Atomic uint64_t told[RECORDS]; /* generation << 32 | bits of what was seen of it */
static _Atomic bool over;
static _Atomic uint64_t sights, interruptions, recycled, folds, lost, foreign, early;
static __thread uint64_t handler_random;

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Four of eight, others in each generation. The close is seen by the recyclers themselves. */
static bool may_be_seen(uint32_t index, uint32_t generation, enum la_seen seen)
{
	uint64_t state = (uint64_t)generation << 32 | index;

	return seen == LA_SEEN_CLOSE || next(&state) >> seen & 1;
}

static void tell(uint32_t index, uint32_t generation, enum la_seen seen)
{
	uint64_t old = atomic_load(&told[index]), new;

	do {
		if ((int32_t)((uint32_t)(old >> 32) - generation) > 0)
			return; /* a later connection is there already */
		new = (uint64_t)generation << 32 | 1u << seen;
		if (old >> 32 == generation)
			new |= old;
	} while (!atomic_compare_exchange_weak(&told[index], &old, new));
}

static void see_something(uint64_t *random)
{
	int fd = sockets[next(random) % SOCKETS];
	enum la_seen seen = next(random) % LA_SEEN_COUNT;
	uint64_t slot = la_slot_load(fd);
	uint32_t index = LA_SLOT_INDEX(slot), generation;

	if (!la_track_record(slot, &generation) || !may_be_seen(index, generation, seen))
		return;
	la_track_saw(slot, seen);
	/* It counts when the connection was there all the time. */
	if (seen != LA_SEEN_CLOSE && la_slot_load(fd) == slot) {
		tell(index, generation, seen);
		atomic_fetch_add_explicit(&sights, 1, memory_order_relaxed);
	}
}

static void interrupt(int number)
{
	(void)number;
	see_something(&handler_random);
	atomic_fetch_add_explicit(&interruptions, 1, memory_order_relaxed);
}

static void *write_rows(void *seed)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	struct itimerspec often = {.it_interval.tv_nsec = 200000, .it_value.tv_nsec = 200000};
	uint64_t random = (uintptr_t)seed, turns = 0;
	timer_t timer;

	handler_random = ~random;
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
		timer_settime(timer, 0, &often, NULL) != 0)
		abort();
	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		see_something(&random);
		if (++turns % 4096 == 0)
			usleep(1); /* ThreadSanitizer delivers signals here */
	}
	timer_delete(timer);
	return NULL;
}

/* What the hooks do around close and accept; the socket itself stays, tracking does not mind. */
static void *recycle(void *seed)
{
	uint64_t random = (uintptr_t)seed, mine = random % RECYCLERS;

	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		int fd = sockets[next(&random) % (SOCKETS / RECYCLERS) * RECYCLERS + mine];
		struct la_release release = la_track_release(fd);

		if (release.last)
			la_track_closed(&release, fd);
		la_track_socket(fd, LA_SLOT_TCP);
		la_track_connected(fd, false);
		if (atomic_fetch_add_explicit(&recycled, 1, memory_order_relaxed) % 8 == 0)
			usleep(1);
	}
	return NULL;
}

static void check(uint32_t index)
{
	struct la_connection_record *record = record_at(index);
	uint64_t known = atomic_load(&told[index]);
	uint32_t generation = LA_WORD_GEN(atomic_load(&record->word));
	uint64_t since[LA_SEEN_COUNT], opened;
	int s;

	la_track_facts(index, since);
	opened = LA_INSTANT_US(atomic_load(&record->opened));
	if (LA_WORD_GEN(atomic_load(&record->word)) != generation || generation == 0 ||
		phase_of(record) == LA_PHASE_OPENING)
		return;
	for (s = 0; s < LA_SEEN_COUNT; s++) {
		bool must = known >> 32 == generation && known >> s & 1;

		if (must && !since[s])
			atomic_fetch_add(&lost, 1);
		if (since[s] && !may_be_seen(index, generation, (enum la_seen)s))
			atomic_fetch_add(&foreign, 1);
		if (since[s] && since[s] < opened)
			atomic_fetch_add(&early, 1);
	}
	atomic_fetch_add_explicit(&folds, 1, memory_order_relaxed);
}

static void check_all(void)
{
	struct la_region *region = atomic_load(&la_track_region);
	uint32_t high = atomic_load(&region->header->connections_high), i;

	assert_true(high <= RECORDS);
	for (i = 0; i < high; i++)
		check(i);
}

static void *read_rows(void *unused)
{
	uint64_t random = 1;

	(void)unused;
	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		uint64_t slot = la_slot_load(sockets[next(&random) % SOCKETS]);

		if (LA_SLOT_TRACKED(slot))
			check(LA_SLOT_INDEX(slot));
	}
	return NULL;
}

static void no_fact_is_lost_or_strays(void **state)
{
	struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
	pthread_t threads[WRITERS + RECYCLERS + 1];
	uintptr_t i, count = 0;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	for (i = 0; i < SOCKETS; i++) {
		sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_true(sockets[i] >= 0);
		la_track_socket(sockets[i], LA_SLOT_TCP);
		la_track_connected(sockets[i], false);
	}
	for (i = 0; i < WRITERS; i++)
		assert_int_equal(
			pthread_create(&threads[count++], NULL, write_rows, (void *)(i + 1)), 0);
	for (i = 0; i < RECYCLERS; i++)
		assert_int_equal(pthread_create(&threads[count++], NULL, recycle, (void *)i), 0);
	assert_int_equal(pthread_create(&threads[count++], NULL, read_rows, NULL), 0);
	for (i = 0; i < SECONDS * 10; i++) {
		usleep(100000);
		check_all();
	}
	atomic_store(&over, true);
	while (count)
		assert_int_equal(pthread_join(threads[--count], NULL), 0);
	check_all();
	printf("# %lu sights, %lu interruptions, %lu recycled, %lu folds\n", sights, interruptions,
		recycled, folds);
	if (lost || foreign || early)
		fail_msg("%lu facts lost, %lu foreign, %lu older than their connection", lost,
			foreign, early);
	assert_true(sights > 1000 && interruptions > 100 && recycled > 1000 && folds > 1000);
}

static int setup(void **state)
{
	(void)state;
	return start_tracking(120);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_fact_is_lost_or_strays)};

	return cmocka_run_group_tests_name("rows_torture", tests, setup, end_tracking);
}
