/* SPDX-License-Identifier: MIT */
/*
 * FILTER of the command: what it accepts, what it selects, and what it says about the rest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * The command's sources are in no library: unit tests are linked with the rooms that the shim has
 * too. These two need nothing else of the command, so they become part of this program.
 */
#include "../../src/cli/filter.c"
#include "../../src/cli/verdict.c"

static struct la_filter filter;
static char error[200];

static int parse(const char *text)
{
	char *words[] = {(char *)text};

	memset(error, 0, sizeof(error));
	return la_filter_parse(&filter, 1, words, error);
}

static void accepts(const char *text, unsigned int conditions)
{
	if (parse(text) != 0 || filter.count != conditions)
		fail_msg("\"%s\": \"%s\", %u conditions", text, error, filter.count);
}

/* With a sentence that says what to write. */
static void refuses(const char *text, const char *words)
{
	if (parse(text) != -EINVAL || !strstr(error, words))
		fail_msg("\"%s\": \"%s\", and not \"%s\"", text, error, words);
}

static struct la_item item(void)
{
	struct la_item made = {
		.state = LA_STATE_CLOSE_WAIT,
		.age_us = 300000000,
		.eof = LA_EOF_READ,
		.verdict = LA_VERDICT_EOF_READ_NOT_CLOSED,
		.pid = 4711,
		.local_port = 8080,
		.remote_port = 40000,
	};

	return made;
}

static void selects(const char *text, const struct la_item *one, bool expected)
{
	if (parse(text) != 0)
		fail_msg("\"%s\": \"%s\"", text, error);
	if (la_filter_holds(&filter, one) != expected)
		fail_msg("\"%s\" is %s", text, expected ? "false" : "true");
}

static void an_empty_filter_holds_for_everything(void **state)
{
	struct la_item one = item();

	(void)state;
	accepts("", 0);
	accepts(" \t ", 0);
	assert_true(la_filter_holds(&filter, &one));
	assert_int_equal(la_filter_parse(&filter, 0, NULL, error), 0);
	assert_true(la_filter_holds(&filter, &one));
}

static void each_condition_selects_what_it_says(void **state)
{
	struct la_item one = item();

	(void)state;
	selects("state close-wait", &one, true);
	selects("state CLOSE-WAIT", &one, true);
	selects("state established", &one, false);
	selects("sport = :8080", &one, true);
	selects("sport = :40000", &one, false);
	selects("dport = :40000", &one, true);
	selects("dport = :8080", &one, false);
	selects("eof read", &one, true);
	selects("eof unread", &one, false);
	selects("verdict L1", &one, true);
	selects("verdict l1", &one, true);
	selects("verdict eof-read-not-closed", &one, true);
	selects("verdict L2", &one, false);
	selects("pid 4711", &one, true);
	selects("pid 471", &one, false);
}

static void half_closed_is_three_states(void **state)
{
	struct la_item one = item();

	(void)state;
	for (unsigned int s = 0; s < LA_STATE_COUNT; s++) {
		one.state = (enum la_state)s;
		selects("state half-closed", &one,
			s == LA_STATE_CLOSE_WAIT || s == LA_STATE_FIN_WAIT_1 ||
				s == LA_STATE_FIN_WAIT_2);
	}
}

static void every_state_and_verdict_can_be_asked_for_by_its_name(void **state)
{
	char text[64];

	(void)state;
	for (unsigned int s = 0; s < LA_STATE_COUNT; s++) {
		struct la_item one = {.state = (enum la_state)s};

		snprintf(text, sizeof(text), "state %s", la_state_name((enum la_state)s));
		selects(text, &one, true);
	}
	for (unsigned int v = LA_VERDICT_NONE + 1; v < LA_VERDICT_COUNT; v++) {
		struct la_item one = {.verdict = (enum la_verdict)v};

		snprintf(text, sizeof(text), "verdict %s", la_verdict_id((enum la_verdict)v));
		selects(text, &one, true);
		assert_true(la_filter_wants(&filter, (enum la_verdict)v));
		snprintf(text, sizeof(text), "verdict %s", la_verdict_name((enum la_verdict)v));
		selects(text, &one, true);
	}
}

static void ages_are_compared_in_their_units(void **state)
{
	struct la_item one = item(); /* 5 minutes */

	(void)state;
	selects("age > 4m", &one, true);
	selects("age > 6m", &one, false);
	selects("age < 6m", &one, true);
	selects("age < 4m", &one, false);
	selects("age >= 300s", &one, true);
	selects("age <= 300s", &one, true);
	selects("age > 300s", &one, false);
	selects("age < 300s", &one, false);
	selects("age > 299999ms", &one, true);
	selects("age < 1h", &one, true);
	selects("age > 0s", &one, true);
}

static void conditions_are_joined_by_and(void **state)
{
	struct la_item one = item();

	(void)state;
	selects("state close-wait and sport = :8080 and age > 1m and pid 4711", &one, true);
	selects("state close-wait and sport = :8081", &one, false);
	selects("sport = :8081 and state close-wait", &one, false);
}

static void words_may_be_cut_anywhere(void **state)
{
	char *words[] = {(char *)"state", (char *)"close-wait", (char *)"and sport", (char *)"=",
		(char *)":8080", (char *)"and", (char *)"age>5s"};
	struct la_item one = item();

	(void)state;
	assert_int_equal(la_filter_parse(&filter, 7, words, error), 0);
	assert_int_equal(filter.count, 3);
	assert_true(la_filter_holds(&filter, &one));
	selects("sport=:8080", &one, true);
	selects("sport 8080", &one, true);
	selects("age>=1m", &one, true);
}

static void only_a_verdict_that_is_asked_for_is_wanted(void **state)
{
	(void)state;
	accepts("state closed and verdict L7", 2);
	assert_true(la_filter_wants(&filter, LA_VERDICT_ABORTIVE_CLOSE));
	assert_false(la_filter_wants(&filter, LA_VERDICT_EOF_UNREAD));
	accepts("pid 7", 1);
	assert_false(la_filter_wants(&filter, LA_VERDICT_ABORTIVE_CLOSE));
}

static void what_is_wrong_is_refused_with_what_to_write(void **state)
{
	(void)state;
	refuses("close-wait", "write state, sport, dport, age, eof, verdict or pid");
	refuses("state", "ends too early");
	refuses("state closewait", "\"closewait\": write state and a position");
	refuses("sport = :", "ends too early: write a port");
	refuses("sport = :65536", "\"65536\": write a port");
	refuses("sport = :http", "\"http\": write a port");
	refuses("dport = :-1", "write a port");
	refuses("age 5m", "write age > or age <");
	refuses("age = 5m", "write age > or age <");
	refuses("age > 5", "a time with its unit");
	refuses("age > 5 m", "a time with its unit");
	refuses("age > 5d", "a time with its unit");
	refuses("age > -5s", "a time with its unit");
	refuses("age > 99999999999999999999s", "a time with its unit");
	refuses("age > 9999999999999999h", "a time with its unit");
	refuses("eof none", "write eof read or eof unread");
	refuses("verdict L8", "write a verdict");
	refuses("verdict", "ends too early");
	refuses("pid 0x12", "write a process id");
	refuses("pid 2147483648", "write a process id");
	refuses("pid 1 pid 2", "\"pid\": write and between two conditions");
	refuses("pid 1 or pid 2", "\"or\": write and between two conditions");
	refuses("pid 1 and", "ends too early: write a condition");
	refuses("and pid 1", "\"and\": write state");
}

static void a_filter_may_be_long_and_not_endless(void **state)
{
	char text[4096] = "pid 1";

	(void)state;
	for (int i = 1; i < LA_FILTER_CONDITIONS; i++)
		strcat(text, " and pid 1");
	accepts(text, LA_FILTER_CONDITIONS);
	strcat(text, " and pid 1");
	refuses(text, "at most 16 conditions");
	memset(text, ':', sizeof(text) - 1);
	refuses(text, "the filter is too long");
	memset(text, 'x', sizeof(text) - 1);
	refuses(text, "the filter is too long");
	text[1000] = '\0';
	refuses(text, "xxx\": write state"); /* cut to fit in the message */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_filter_holds_for_everything),
		cmocka_unit_test(each_condition_selects_what_it_says),
		cmocka_unit_test(half_closed_is_three_states),
		cmocka_unit_test(every_state_and_verdict_can_be_asked_for_by_its_name),
		cmocka_unit_test(ages_are_compared_in_their_units),
		cmocka_unit_test(conditions_are_joined_by_and),
		cmocka_unit_test(words_may_be_cut_anywhere),
		cmocka_unit_test(only_a_verdict_that_is_asked_for_is_wanted),
		cmocka_unit_test(what_is_wrong_is_refused_with_what_to_write),
		cmocka_unit_test(a_filter_may_be_long_and_not_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
