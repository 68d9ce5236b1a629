/* SPDX-License-Identifier: MIT */
/*
 * A bound marks a connection at one look and ends it at a later one, so that a write which had passed its hook before has long been in the kernel
 * (src/enforce/sigpipe.c). The looks are made here, each at the instant that is given.
 */
#include "track_helpers.h"

#include "../../src/enforce/internal.h"

enum { PERIOD_MS = 10000 / 8 }; /* between two looks, by the policy below */

static struct la_policy policy;
static int ours, peer;
static uint64_t now_ns;

static void look_after(uint64_t ms)
{
	now_ns += ms * LA_MS_NS;
	la_bounds_turn(now_ns);
}

static bool is_marked(void)
{
	return LA_SLOT_FLAGS(la_slot_load(ours)) & LA_SLOT_ENFORCED;
}

static void wait_for_state(int state)
{
	int tries;

	for (tries = 0; tries < 2000 && la_kernel_state(ours) != state; tries++)
		usleep(1000);
	assert_int_equal(la_kernel_state(ours), state);
}

/* In CLOSE-WAIT since a first look that saw it. */
static void half_closed(void)
{
	ours = tracked_connect();
	peer = accept(listener, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	wait_for_state(TCP_CLOSE_WAIT);
	now_ns = now_ns ? now_ns + 10000 * LA_MS_NS : la_now_ns();
	look_after(0);
	assert_false(is_marked());
}

static void over(void)
{
	close_by_reset(peer);
	tracked_close(ours);
}

static void it_is_marked_at_the_look_before_the_one_that_ends_it(void **state)
{
	int i;

	(void)state;
	half_closed();
	for (i = 1; i < 7; i++)
		look_after(PERIOD_MS);
	assert_false(is_marked());
	look_after(PERIOD_MS);
	assert_true(is_marked());
	assert_int_equal(la_kernel_state(ours), TCP_CLOSE_WAIT);
	assert_false(la_enforce_has_ended(la_slot_load(ours)));
	look_after(PERIOD_MS);
	assert_int_not_equal(la_kernel_state(ours), TCP_CLOSE_WAIT);
	assert_true(is_marked());
	assert_true(la_enforce_has_ended(la_slot_load(ours)));
	over();
}

/* Due at a late look, and not marked before. */
static void become_due(void)
{
	int i;

	look_after(PERIOD_MS - 100 + PERIOD_MS);
	for (i = 0; i < 5; i++)
		look_after(PERIOD_MS);
	assert_false(is_marked());
	look_after(2 * PERIOD_MS - 50);
	assert_true(is_marked());
	assert_int_equal(la_kernel_state(ours), TCP_CLOSE_WAIT);
}

static void one_that_comes_due_unmarked_is_ended_a_look_later(void **state)
{
	(void)state;
	half_closed();
	become_due();
	look_after(PERIOD_MS);
	assert_int_not_equal(la_kernel_state(ours), TCP_CLOSE_WAIT);
	over();
}

static void progress_takes_the_mark_back(void **state)
{
	(void)state;
	half_closed();
	become_due();
	assert_int_equal(write(ours, "answer", 6), 6);
	look_after(PERIOD_MS);
	assert_int_equal(la_kernel_state(ours), TCP_CLOSE_WAIT);
	assert_false(is_marked());
	over();
}

static void after_a_stop_of_the_process_it_is_as_if_marked_only_then(void **state)
{
	(void)state;
	half_closed();
	become_due();
	look_after(100 * PERIOD_MS);
	assert_int_equal(la_kernel_state(ours), TCP_CLOSE_WAIT);
	assert_true(is_marked());
	over();
}

/* Of two that stand in turn for the files; each is in force as long as it is not swapped. */
static void swap_for(struct la_policy_kept *kept, const char *text)
{
	assert_int_equal(la_policy_parse(&kept->policy, "other", text, strlen(text), NULL), 0);
	la_in_force_swap(kept);
}

static void a_bound_that_goes_takes_its_mark_and_what_was_foretold_along(void **state)
{
	static struct la_policy_kept without, with;

	(void)state;
	half_closed();
	become_due();
	assert_true(is_marked());
	assert_int_equal(atomic_load(&record_of(ours)->next_action), LA_ACTION_SHUTDOWN);
	swap_for(&without, "[fin-wait-2]\nafter 10s = log\n");
	look_after(PERIOD_MS);
	assert_false(is_marked());
	assert_int_equal(atomic_load(&record_of(ours)->next_action), LA_ACTION_NONE);
	assert_int_equal(la_kernel_state(ours), TCP_CLOSE_WAIT);
	/* Nobody has seen progress meanwhile: the time begins anew. */
	swap_for(&with, "[close-wait]\nafter 10s = shutdown\n");
	look_after(PERIOD_MS);
	assert_false(is_marked());
	become_due();
	assert_int_equal(la_kernel_state(ours), TCP_CLOSE_WAIT);
	assert_true(is_marked());
	over();
}

static void a_number_that_is_used_anew_is_not_marked(void **state)
{
	int old, fd;

	(void)state;
	half_closed();
	become_due();
	old = ours;
	over();
	fd = tracked_connect();
	if (fd != old) {
		assert_int_equal(dup2(fd, old), old);
		la_track_duplicated(la_slot_load(fd), old);
	}
	assert_false(LA_SLOT_FLAGS(la_slot_load(old)) & LA_SLOT_ENFORCED);
}

static int setup(void **state)
{
	struct la_policy_error error;
	static const char text[] = "[close-wait]\nafter 10s = shutdown\n";

	(void)state;
	if (la_policy_parse(&policy, "bound", text, sizeof(text) - 1, &error) < 0)
		return -1;
	la_in_force_start(&policy);
	return start_tracking(60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_marked_at_the_look_before_the_one_that_ends_it),
		cmocka_unit_test(one_that_comes_due_unmarked_is_ended_a_look_later),
		cmocka_unit_test(progress_takes_the_mark_back),
		cmocka_unit_test(after_a_stop_of_the_process_it_is_as_if_marked_only_then),
		cmocka_unit_test(a_bound_that_goes_takes_its_mark_and_what_was_foretold_along),
		cmocka_unit_test(a_number_that_is_used_anew_is_not_marked),
	};

	return cmocka_run_group_tests_name("bounds", tests, setup, end_tracking);
}
