/* SPDX-License-Identifier: MIT */
/*
 * A fork copies the table of descriptors first and the memory later, while the helper goes on: the child has the copy of a dup of the helper's, and
 * memory in which that act is long over. Here the copy is left where the dup was, as in such a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "track_helpers.h"

#include "../../src/enforce/internal.h"

enum { CONNECTIONS = 40 };

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void no_copy_of_what_was_acted_on_stays_in_a_child(void **state)
{
	int ours[CONNECTIONS], peers[CONNECTIONS], copies[CONNECTIONS], others, i;
	uint64_t cookie;

	(void)state;
	for (i = 0; i < CONNECTIONS; i++) {
		ours[i] = tracked_connect();
		peers[i] = accept(listener, NULL, NULL);
		assert_true(peers[i] >= 0);
		assert_int_equal(la_kernel_cookie(ours[i], &cookie), 0);
		assert_int_equal(la_act(ours[i], cookie, LA_ACTION_KEEPALIVE), 0);
	}
	for (i = 0; i < CONNECTIONS; i++) {
		copies[i] = fcntl(ours[i], F_DUPFD_CLOEXEC, (int)la_act_base());
		assert_true(copies[i] >= 0);
	}
	others = fcntl(peers[0], F_DUPFD_CLOEXEC, (int)la_act_base());
	la_act_abandon();
	for (i = 0; i < CONNECTIONS; i++) {
		assert_false(is_open(copies[i]));
		assert_true(is_open(ours[i]));
	}
	/* Nobody acted on it. */
	assert_true(is_open(others));
	close(others);
	for (i = 0; i < CONNECTIONS; i++) {
		close_by_reset(peers[i]);
		tracked_close(ours[i]);
	}
}

static int setup(void **state)
{
	(void)state;
	return start_tracking(60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_copy_of_what_was_acted_on_stays_in_a_child),
	};

	return cmocka_run_group_tests_name("act", tests, setup, end_tracking);
}
