/* SPDX-License-Identifier: MIT */
/*
 * Drains without a helper that could end them: it may be kept from running, and the numbers may have been given away out of our sight.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "track_helpers.h"

#include "../../src/enforce/internal.h"

enum { DRAINS = 8, LIMIT = 64, SECONDS = 1000000 };

/* Closed by the application, as the hook does it, but for the helper. Returns the number of the drain. */
static int drain_begun(void)
{
	int fd = tracked_connect(), place;
	struct la_release release = la_track_release(fd);
	struct la_drain_order order = {.index = release.index, .generation = release.generation};

	assert_true(release.last);
	assert_int_equal(la_kernel_cookie(fd, &order.cookie), 0);
	place = la_drains_reserve(order.cookie);
	assert_true(place >= 0);
	order.fd = la_act_dup(fd);
	assert_true(order.fd >= 0);
	la_slot_exchange(order.fd, LA_SLOT_OWN(place));
	la_drains_fill(place, &order);
	la_track_draining(&release);
	la_drains_commit(place);
	close(fd);
	return order.fd;
}

static void room_for_a_message_is_waited_for_once_not_once_a_drain(void **state)
{
	struct rlimit before, limit;
	uint64_t began, took;
	int fds[LIMIT], count = 0, i;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = LIMIT;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (i = 0; i < DRAINS - 1; i++)
		drain_begun();
	while (count < LIMIT && (fds[count] = dup(listener)) >= 0)
		count++;
	began = la_now_us();
	la_enforce_leave_room(listener);
	took = la_now_us() - began;
	while (count > 0)
		close(fds[--count]);
	la_drains_end_all();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(la_drains_count(), 0);
	/* 1 s, and not 7. */
	assert_true(took > SECONDS / 2 && took < (DRAINS - 3) * SECONDS);
}

static void numbers_that_are_something_else_by_now_are_not_closed(void **state)
{
	int given_away = drain_begun(), ours = drain_begun(), null;
	struct stat status;

	(void)state;
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(null >= 0);
	assert_int_equal(syscall(SYS_dup3, null, given_away, O_CLOEXEC), given_away);
	la_drains_end_all();
	assert_int_equal(la_drains_count(), 0);
	assert_int_equal(fstat(given_away, &status), 0);
	assert_true(S_ISCHR(status.st_mode));
	assert_int_equal(fstat(ours, &status), -1);
	close(given_away);
	close(null);
}

static int setup(void **state)
{
	(void)state;
	return start_tracking(60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_for_a_message_is_waited_for_once_not_once_a_drain),
		cmocka_unit_test(numbers_that_are_something_else_by_now_are_not_closed),
	};

	return cmocka_run_group_tests_name("drains", tests, setup, end_tracking);
}
