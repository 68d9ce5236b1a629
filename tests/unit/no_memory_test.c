/* SPDX-License-Identifier: MIT */
/*
 * No memory to know a descriptor by: what cannot be followed to its close is not begun.
 */
#include "track_helpers.h"

#include <sys/resource.h>

enum { FAR = 1 << LA_SLOT_CHUNK_BITS }; /* a number in a part of the table that is not there yet */

static int at_far(int fd)
{
	int far = dup2(fd, FAR);

	assert_int_equal(far, FAR);
	return far;
}

/* No mapping may be made until it is given back. */
static struct rlimit take_memory(void)
{
	struct rlimit before, none;

	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	return before;
}

static uint32_t open_now(void)
{
	return atomic_load(&la_track_region->header->connections_open);
}

static uint32_t told;

static void tell(enum la_lack lack, int error)
{
	assert_int_equal(lack, LA_LACK_NUMBERS);
	assert_true(error < 0);
	told++;
}

static void an_accepted_connection_is_not_begun(void **state)
{
	int client = untracked_connect(), fd = accept(listener, NULL, NULL), far = at_far(fd);
	uint32_t before = open_now();
	struct rlimit memory = take_memory();

	(void)state;
	la_track_accepted(listener, far);
	la_track_accepted(listener, far);
	setrlimit(RLIMIT_AS, &memory);
	assert_int_equal(la_slot_load(far), 0);
	assert_int_equal(open_now(), before);
	assert_int_equal(told, 1);
	close(far);
	close(fd);
	close(client);
}

static void a_copy_makes_it_shared(void **state)
{
	int client = untracked_connect(), fd = tracked_accept(), far = at_far(fd);
	struct rlimit memory = take_memory();
	struct la_release release;

	(void)state;
	la_track_duplicated(la_slot_load(fd), far);
	setrlimit(RLIMIT_AS, &memory);
	/* It is the last number that we know, and not the last: nothing may be shut down. */
	release = la_track_release(fd);
	assert_true(release.last_here);
	assert_false(release.last);
	close(fd);
	close(far);
	close(client);
}

static int setup(void **state)
{
	struct rlimit numbers;

	(void)state;
	la_track_on_lack(tell);
	getrlimit(RLIMIT_NOFILE, &numbers);
	numbers.rlim_cur = FAR + 1;
	if (numbers.rlim_max < numbers.rlim_cur)
		numbers.rlim_max = numbers.rlim_cur; /* root may */
	return setrlimit(RLIMIT_NOFILE, &numbers) || start_tracking(60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_accepted_connection_is_not_begun),
		cmocka_unit_test(a_copy_makes_it_shared),
	};

	return cmocka_run_group_tests_name("no_memory", tests, setup, end_tracking);
}
