/* SPDX-License-Identifier: MIT */
/* Policy files: what is read out of them, and the sentence that answers a bad one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lastack/policy.h>

#define SECOND_NS 1000000000ull

static struct la_policy policy, before;
static struct la_policy_error error;

static int parse(const char *text)
{
	la_policy_init(&policy);
	memset(&error, 0, sizeof(error));
	return la_policy_parse(&policy, "x.policy", text, strlen(text), &error);
}

static const struct la_rule *parse_one(const char *text)
{
	if (parse(text))
		fail_msg("%s", error.text);
	assert_int_equal(policy.rules_count, 1);
	assert_true(la_policy_is_sane(&policy));
	return &policy.rules[0];
}

static void assert_refused(const char *text, const char *sentence)
{
	assert_int_equal(parse(text), -EINVAL);
	assert_string_equal(error.text, sentence);
}

static void every_error_says_where_it_is_and_what_to_write_instead(void **state)
{
	static const char *const errors[][2] = {
#define ERROR(text, sentence) {text, sentence},
#include "policy_errors.def"
#undef ERROR
	};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		assert_refused(errors[i][0], errors[i][1]);
		assert_non_null(strstr(error.text, "write "));
	}
}

static void an_empty_policy_observes(void **state)
{
	static const char *const empty[] = {"", "\n", "\r\n", "# a comment\n", "  ; another",
		"\xef\xbb\xbf# marked\n", "\t \n\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		assert_int_equal(parse(empty[i]), 0);
		assert_int_equal(policy.rules_count, 0);
		assert_false(la_policy_bounds_anything(&policy));
		assert_false(la_policy_closes_gracefully(&policy));
		assert_int_equal(la_policy_shortest_ns(&policy), 0);
	}
}

static void a_bounded_state_is_read_whole(void **state)
{
	const struct la_rule *rule = parse_one("# reason\n"
					       "[close-wait]   # also others\n"
					       "after 30s = keepalive ; probes\n"
					       "after 1500ms=log\n"
					       "  after 5m\t= reset\n"
					       "max = 1000\n");

	(void)state;
	assert_int_equal(rule->section, LA_SECTION_CLOSE_WAIT);
	assert_int_equal(rule->line, 2);
	assert_string_equal(rule->name, "");
	assert_int_equal(rule->match.fields, 0);
	assert_int_equal(rule->max, 1000);
	assert_int_equal(rule->steps_count, 3);
	assert_int_equal(rule->steps[0].after_ns, 1500000000);
	assert_int_equal(rule->steps[0].action, LA_ACTION_LOG);
	assert_int_equal(rule->steps[1].after_ns, 30 * SECOND_NS);
	assert_int_equal(rule->steps[1].action, LA_ACTION_KEEPALIVE);
	assert_int_equal(rule->steps[2].after_ns, 300 * SECOND_NS);
	assert_int_equal(rule->steps[2].action, LA_ACTION_RESET);
}

static void what_close_leaves_out_is_filled_in(void **state)
{
	const struct la_rule *rule = parse_one("[close]\naction = graceful\n");

	(void)state;
	assert_int_equal(rule->action, LA_CLOSE_GRACEFUL);
	assert_int_equal(rule->linger, LA_LINGER_NEEDED);
	assert_int_equal(rule->idle_ns, LA_CLOSE_IDLE_NS);
	assert_int_equal(rule->total_ns, LA_CLOSE_TOTAL_NS);
	assert_int_equal(rule->drain_bytes, LA_CLOSE_DRAIN_BYTES);
	assert_int_equal(rule->max, LA_CLOSE_MAX);
	rule = parse_one(
		"[close]\naction=plain\nlinger=always\nidle=1s\ntotal=2h\ndrain=3KiB\nmax=4");
	assert_int_equal(rule->action, LA_CLOSE_PLAIN);
	assert_int_equal(rule->linger, LA_LINGER_ALWAYS);
	assert_int_equal(rule->idle_ns, SECOND_NS);
	assert_int_equal(rule->total_ns, 7200 * SECOND_NS);
	assert_int_equal(rule->drain_bytes, 3072);
	assert_int_equal(rule->max, 4);
}

static void exit_and_reset_are_read(void **state)
{
	(void)state;
	assert_int_equal(parse_one("[exit]\naction = drain\n")->total_ns, LA_EXIT_TOTAL_NS);
	assert_int_equal(parse_one("[exit]\naction = drain\n")->action, LA_EXIT_DRAIN);
	assert_int_equal(parse_one("[exit]\naction = handover\n")->action, LA_EXIT_HANDOVER);
	assert_int_equal(parse_one("[exit]\naction = plain\ntotal=1ms")->total_ns, 1000000);
	assert_int_equal(parse_one("[reset]\naction = refuse\n")->action, LA_RESET_REFUSE);
	assert_int_equal(parse_one("[reset]\naction = allow\n")->action, LA_RESET_ALLOW);
}

static void a_match_takes_every_condition(void **state)
{
	const struct la_match *match =
		&parse_one("[close-wait vendor-pool]\n"
			   "match = role client,remote-port 9200-9299 , local-port 80, "
			   "remote 10.0.0.0/8, local ::1, exe nginx, eof unread\n"
			   "after 10m = log\n")
			 ->match;
	static const uint8_t ten[16] = {[10] = 0xff, [11] = 0xff, [12] = 10}, one[16] = {[15] = 1};

	(void)state;
	assert_string_equal(policy.rules[0].name, "vendor-pool");
	assert_int_equal(match->fields, LA_MATCH_ALL);
	assert_int_equal(match->role, LA_ROLE_CLIENT);
	assert_int_equal(match->eof, LA_EOF_UNREAD);
	assert_int_equal(match->remote_port_low, 9200);
	assert_int_equal(match->remote_port_high, 9299);
	assert_int_equal(match->local_port_low, 80);
	assert_int_equal(match->local_port_high, 80);
	assert_memory_equal(match->remote.address, ten, 16);
	assert_int_equal(match->remote.bits, 104);
	assert_memory_equal(match->local.address, one, 16);
	assert_int_equal(match->local.bits, 128);
	assert_string_equal(match->exe, "nginx");
}

static int parse_remote(const char *address)
{
	char text[200];

	snprintf(text, sizeof(text), "[reset a]\nmatch = remote %s\naction = allow\n", address);
	return parse(text);
}

static void addresses_are_read_as_rfc_4291_writes_them(void **state)
{
	static const struct {
		const char *text;
		uint8_t address[16];
		uint32_t bits;
	} good[] = {
		{"0.0.0.0/0", {[10] = 0xff, [11] = 0xff}, 96},
		{"192.168.255.1", {[10] = 0xff, [11] = 0xff, 192, 168, 255, 1}, 128},
		{"255.255.255.254/31", {[10] = 0xff, [11] = 0xff, 255, 255, 255, 254}, 127},
		{"::", {0}, 128},
		{"::/0", {0}, 0},
		{"::ffff:10.1.2.3", {[10] = 0xff, [11] = 0xff, 10, 1, 2, 3}, 128},
		{"1::", {0, 1}, 128},
		{"2001:db8::/32", {0x20, 0x01, 0x0d, 0xb8}, 32},
		{"FE80::aBcD:1", {0xfe, 0x80, [12] = 0xab, 0xcd, 0, 1}, 128},
		{"1:2:3:4:5:6:7:8", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}, 128},
		{"1:2:3:4:5:6:7::", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7}, 128},
		{"::2:3:4:5:6:7:8", {0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}, 128},
		{"1::8", {0, 1, [14] = 0, 8}, 128},
		{"1:2:3:4:5:6:1.2.3.4", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1, 2, 3, 4}, 128},
	};
	static const char *const bad[] = {"1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3", "1..2.3",
		"256.0.0.1", "1.2.3.04", "1.2.3.1000", ":", ":::", "1", "1:", ":1", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "1::2::3", "1:::2", "12345::", "g::", "::1.2.3",
		"1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4::5:6:7:8", "fe80::1%eth0", "[::1]",
		"/8", "::1 /128", "1.2.3.4/-1", "1.2.3.4/8/8"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (parse_remote(good[i].text))
			fail_msg("%s", error.text);
		assert_memory_equal(policy.rules[0].match.remote.address, good[i].address, 16);
		assert_int_equal(policy.rules[0].match.remote.bits, good[i].bits);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse_remote(bad[i]) == 0)
			fail_msg("%s was taken for an address", bad[i]);
	}
}

static void named_rules_are_tried_before_the_unnamed_one(void **state)
{
	static const char *const order[] = {"b", "a", "c", "", ""};

	(void)state;
	assert_int_equal(parse("[close-wait]\nafter 1s = log\n"
			       "[close-wait b]\nmatch = role client\nafter 2s = log\n"
			       "[close]\naction = plain\n"
			       "[close a]\nmatch = role server\naction = plain\n"
			       "[close-wait c]\nmatch = role server\nafter 3s = log\n"),
		0);
	assert_int_equal(policy.rules_count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(policy.rules[i].name, order[i]);
	assert_int_equal(policy.rules[3].section, LA_SECTION_CLOSE_WAIT);
	assert_int_equal(policy.rules[4].section, LA_SECTION_CLOSE);
}

static void earlier_files_win(void **state)
{
	static const char second[] = "[reset]\naction = allow\n[exit]\naction = plain\n";
	const struct la_view view = {0};

	(void)state;
	assert_int_equal(parse("[reset]\naction = refuse\n"), 0);
	assert_int_equal(la_policy_parse(&policy, "2", second, sizeof(second) - 1, &error), 0);
	assert_int_equal(policy.rules_count, 3);
	assert_int_equal(la_policy_find(&policy, LA_SECTION_RESET, &view)->action, LA_RESET_REFUSE);
	assert_int_equal(la_policy_find(&policy, LA_SECTION_EXIT, &view)->action, LA_EXIT_PLAIN);
}

static void a_bad_file_leaves_the_policy_as_it_was(void **state)
{
	static const char bad[] = "[close]\naction = plain\n[exit]\naction = plain\ntotal = 5\n";

	(void)state;
	assert_int_equal(parse("[reset]\naction = refuse\n"), 0);
	before = policy;
	assert_int_equal(la_policy_parse(&policy, "2", bad, sizeof(bad) - 1, &error), -EINVAL);
	assert_string_equal(error.text, "2:5:9: \"5\" needs a unit: write 5s");
	assert_memory_equal(&policy, &before, sizeof(policy));
	assert_int_equal(la_policy_parse(&policy, NULL, bad, sizeof(bad) - 1, NULL), -EINVAL);
}

static void lines_may_end_as_on_windows(void **state)
{
	const struct la_rule *rule =
		parse_one("\xef\xbb\xbf[close-wait]\r\n\r\nafter 5s = log\r\n# end\r\n");

	(void)state;
	assert_int_equal(rule->steps[0].action, LA_ACTION_LOG);
	assert_refused("[reset]\r\naction = alow\r\n",
		"x.policy:2:10: unknown action \"alow\": write allow");
}

static void a_zero_byte_is_refused_wherever_it_stands(void **state)
{
	static const char text[] = "[reset]\naction = allow # \0\n";

	(void)state;
	la_policy_init(&policy);
	assert_int_equal(la_policy_parse(&policy, "x", text, sizeof(text) - 1, &error), -EINVAL);
	assert_string_equal(error.text, "x:2:18: a zero byte: write plain text (UTF-8)");
}

static void an_overlong_line_is_refused(void **state)
{
	char text[LA_POLICY_LINE + 3];

	(void)state;
	memset(text, '#', sizeof(text));
	text[LA_POLICY_LINE] = '\n';
	text[LA_POLICY_LINE + 1] = '\0';
	assert_int_equal(parse(text), 0);
	text[LA_POLICY_LINE] = '#';
	assert_refused(text, "x.policy:1: the line is longer than 1024 bytes: write a shorter one");
}

static void more_rules_than_fit_are_refused(void **state)
{
	static char text[8192];
	size_t length = 0;

	(void)state;
	for (int i = 0; i <= LA_POLICY_RULES; i++) {
		if (i == LA_POLICY_RULES)
			assert_int_equal(parse(text), 0);
		length += (size_t)snprintf(text + length, sizeof(text) - length,
			"[reset r%d]\nmatch = role client\naction = allow\n", i);
	}
	assert_refused(text, "x.policy:193:1: more than 64 sections: write fewer");
	assert_int_equal(policy.rules_count, 0);
}

static void the_advice_fits_behind_the_longest_names(void **state)
{
	char name[5000], text[512] = "[exit]\n";

	(void)state;
	for (int c = 1; c < 256; c += 96) {
		memset(name, c, sizeof(name) - 1);
		name[sizeof(name) - 1] = '\0';
		memset(text + 7, c, 400);
		strcpy(text + 407, " = 1");
		la_policy_init(&policy);
		assert_int_equal(
			la_policy_parse(&policy, name, text, strlen(text), &error), -EINVAL);
		assert_non_null(
			strstr(error.text, "...\" in [exit]: write match, total or action"));
		assert_non_null(strstr(error.text, ":2:1: unknown setting \""));
		for (const char *at = error.text; *at; at++)
			assert_in_range(*at, ' ', '~');
	}
}

static void shipped_policies_parse(void **state)
{
	static char text[65536];
	glob_t files;

	(void)state;
	assert_int_equal(glob("policies/*.policy", 0, NULL, &files), 0);
	assert_true(files.gl_pathc >= 3);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		FILE *file = fopen(files.gl_pathv[i], "r");
		size_t length;

		assert_non_null(file);
		length = fread(text, 1, sizeof(text), file);
		fclose(file);
		la_policy_init(&policy);
		if (la_policy_parse(&policy, files.gl_pathv[i], text, length, &error))
			fail_msg("%s", error.text);
		assert_true(la_policy_is_sane(&policy));
		assert_int_equal(text[0], '#'); /* the reason stands on top */
	}
	globfree(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_says_where_it_is_and_what_to_write_instead),
		cmocka_unit_test(an_empty_policy_observes),
		cmocka_unit_test(a_bounded_state_is_read_whole),
		cmocka_unit_test(what_close_leaves_out_is_filled_in),
		cmocka_unit_test(exit_and_reset_are_read),
		cmocka_unit_test(a_match_takes_every_condition),
		cmocka_unit_test(addresses_are_read_as_rfc_4291_writes_them),
		cmocka_unit_test(named_rules_are_tried_before_the_unnamed_one),
		cmocka_unit_test(earlier_files_win),
		cmocka_unit_test(a_bad_file_leaves_the_policy_as_it_was),
		cmocka_unit_test(lines_may_end_as_on_windows),
		cmocka_unit_test(a_zero_byte_is_refused_wherever_it_stands),
		cmocka_unit_test(an_overlong_line_is_refused),
		cmocka_unit_test(more_rules_than_fit_are_refused),
		cmocka_unit_test(the_advice_fits_behind_the_longest_names),
		cmocka_unit_test(shipped_policies_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
