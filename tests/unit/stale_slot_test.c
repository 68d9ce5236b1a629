/* SPDX-License-Identifier: MIT */
/*
 * A number whose slot is out of date: it was closed and given to another connection out of our sight, by inline system calls or by
 * another thread between two steps of ours. What is asked of the number then says nothing of the connection in the slot.
 */
#include <errno.h>

#include "track_helpers.h"

#include <lastack/enforce.h>

static struct la_policy policy;

/* The number of a tracked connection, now of an untracked one whose peer has hung up. The peer's end is left in `peer`. */
static int stale_number(int *peer)
{
	int number = tracked_connect(), first = accept(listener, NULL, NULL), other, theirs;
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	other = untracked_connect();
	theirs = accept(listener, NULL, NULL);
	assert_true(first >= 0 && theirs >= 0);
	assert_int_equal(shutdown(theirs, SHUT_WR), 0);
	while (getsockopt(other, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
		info.tcpi_state != TCP_CLOSE_WAIT)
		usleep(1000);
	assert_int_equal(dup2(other, number), number);
	close(other);
	close(first);
	*peer = theirs;
	return number;
}

static void end(int number, int peer)
{
	close_by_reset(peer);
	tracked_close(number);
}

static void the_end_of_another_connection_is_not_told_of_this_one(void **state)
{
	int peer, number = stale_number(&peer);
	uint64_t slot = la_slot_load(number);
	char byte;

	(void)state;
	assert_int_equal(read(number, &byte, 1), 0);
	la_track_read_end(number, slot);
	assert_int_equal(la_track_facts(LA_SLOT_INDEX(slot), NULL), 0);
	end(number, peer);
}

static void a_shutdown_of_another_connection_is_not_this_ones(void **state)
{
	int peer, number = stale_number(&peer);
	uint64_t slot = la_slot_load(number);

	(void)state;
	assert_int_equal(shutdown(number, SHUT_WR), 0);
	la_track_half_closed(number, SHUT_WR);
	assert_int_equal(la_track_facts(LA_SLOT_INDEX(slot), NULL), 0);
	end(number, peer);
}

static void a_reset_of_another_connection_is_not_this_ones(void **state)
{
	int peer, number = stale_number(&peer);
	uint64_t slot = la_slot_load(number);

	(void)state;
	la_track_read_failed(number, slot, ECONNRESET);
	assert_int_equal(la_track_facts(LA_SLOT_INDEX(slot), NULL), 0);
	end(number, peer);
}

static void the_helper_learns_nothing_from_another_connections_state(void **state)
{
	struct la_enforce_settings settings = {.policy = &policy, .exe = "test"};
	static const char bounded[] = "[close-wait]\nafter 1s = reset\n";
	int peer, number = stale_number(&peer);
	uint64_t slot = la_slot_load(number), now = la_now_ns();
	struct la_policy_error error;

	(void)state;
	la_policy_init(&policy);
	assert_int_equal(la_policy_parse(&policy, "x", bounded, strlen(bounded), &error), 0);
	assert_int_equal(la_enforce_start(&settings), 0);
	la_enforce_turn(now);
	la_enforce_turn(now + 2000000000u);
	la_enforce_turn(now + 4000000000u);
	assert_int_equal(la_track_facts(LA_SLOT_INDEX(slot), NULL), 0);
	assert_int_equal(la_kernel_state(number), TCP_CLOSE_WAIT);
	end(number, peer);
}

static int setup(void **state)
{
	(void)state;
	return start_tracking(60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_of_another_connection_is_not_told_of_this_one),
		cmocka_unit_test(a_shutdown_of_another_connection_is_not_this_ones),
		cmocka_unit_test(a_reset_of_another_connection_is_not_this_ones),
		cmocka_unit_test(the_helper_learns_nothing_from_another_connections_state),
	};

	return cmocka_run_group_tests_name("stale_slot", tests, setup, end_tracking);
}
