/* SPDX-License-Identifier: MIT */
/* Policies at work: which rule governs a connection, what is due and when, and which policies may be trusted. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include <lastack/policy.h>

#define SECOND_NS 1000000000ull

static struct la_policy policy;

static void use(const char *text)
{
	struct la_policy_error error;

	la_policy_init(&policy);
	if (la_policy_parse(&policy, "x", text, strlen(text), &error))
		fail_msg("%s", error.text);
}

/* A condition alone, as a match. */
static const struct la_match *when(const char *condition)
{
	char text[256] = "[reset a]\naction = allow\nmatch = ";

	strcat(text, condition);
	use(text);
	return &policy.rules[0].match;
}

static struct la_view from_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct la_view){.remote = {[10] = 0xff, [11] = 0xff, a, b, c, d}};
}

static const char bounded[] = "[close-wait]\n"
			      "after 30s = keepalive\n"
			      "after 60s = shutdown\n"
			      "after 5m = reset\n";

static void assert_decision(
	const struct la_rule *rule, uint64_t idle_s, uint32_t done, struct la_decision expected)
{
	struct la_decision decision = la_policy_decide(rule, idle_s * SECOND_NS, done);

	assert_string_equal(la_action_name(decision.action), la_action_name(expected.action));
	assert_int_equal(decision.step, expected.step);
	assert_string_equal(la_action_name(decision.next), la_action_name(expected.next));
	assert_int_equal(decision.next_in_ns, expected.next_in_ns * SECOND_NS);
}

/* Two conditions, the wide one first. */
static bool covers(const char *wide, const char *narrow)
{
	struct la_match first = {0}, second = {0};

	if (*wide)
		first = *when(wide);
	if (*narrow)
		second = *when(narrow);
	return la_match_covers(&first, &second);
}

static void a_match_covers_those_that_ask_for_more(void **state)
{
	(void)state;
	assert_true(covers("", ""));
	assert_true(covers("", "role client, exe nginx"));
	assert_true(covers("role client", "role client, remote-port 80"));
	assert_true(covers("remote-port 9000-9299", "remote-port 9200"));
	assert_true(covers("local-port 80", "local-port 80"));
	assert_true(covers("remote 10.0.0.0/8", "remote 10.1.0.0/16"));
	assert_true(covers("remote 10.0.0.0/8", "remote 10.1.2.3"));
	assert_true(covers("local ::/0", ""));
	assert_true(covers("exe nginx, eof read", "eof read, exe nginx, role server"));
}

static void a_match_does_not_cover_what_it_may_miss(void **state)
{
	(void)state;
	assert_false(covers("role client", ""));
	assert_false(covers("role client", "role server"));
	assert_false(covers("eof read", "eof unread"));
	assert_false(covers("exe nginx", "exe nginx2"));
	assert_false(covers("remote-port 9200-9299", "remote-port 9299-9300"));
	assert_false(covers("local-port 80", "remote-port 80"));
	assert_false(covers("remote 10.1.0.0/16", "remote 10.0.0.0/8"));
	assert_false(covers("remote 10.0.0.0/8", "remote 11.0.0.0/8"));
	assert_false(covers("remote 10.0.0.0/8", "local 10.0.0.0/8"));
	assert_false(covers("local 0.0.0.0/0", "local ::1"));
	assert_false(covers("local 0.0.0.0/0", ""));
}

static void nothing_is_due_before_the_first_step(void **state)
{
	(void)state;
	use(bounded);
	assert_decision(policy.rules, 0, 0,
		(struct la_decision){LA_ACTION_NONE, 0, LA_ACTION_KEEPALIVE, 30});
	assert_decision(policy.rules, 29, 0,
		(struct la_decision){LA_ACTION_NONE, 0, LA_ACTION_KEEPALIVE, 1});
}

static void a_step_is_due_at_its_time_and_the_next_one_is_named(void **state)
{
	(void)state;
	use(bounded);
	assert_decision(policy.rules, 30, 0,
		(struct la_decision){LA_ACTION_KEEPALIVE, 0, LA_ACTION_SHUTDOWN, 30});
	assert_decision(policy.rules, 60, 1,
		(struct la_decision){LA_ACTION_SHUTDOWN, 1, LA_ACTION_RESET, 240});
	assert_decision(
		policy.rules, 300, 2, (struct la_decision){LA_ACTION_RESET, 2, LA_ACTION_NONE, 0});
}

static void a_step_that_was_taken_is_not_due_again(void **state)
{
	(void)state;
	use(bounded);
	assert_decision(policy.rules, 45, 1,
		(struct la_decision){LA_ACTION_NONE, 1, LA_ACTION_SHUTDOWN, 15});
	assert_decision(policy.rules, 100000, 3,
		(struct la_decision){LA_ACTION_NONE, 3, LA_ACTION_NONE, 0});
	assert_decision(policy.rules, 100000, UINT32_MAX,
		(struct la_decision){LA_ACTION_NONE, 3, LA_ACTION_NONE, 0});
}

static void of_several_overdue_steps_the_strongest_is_taken(void **state)
{
	(void)state;
	use(bounded);
	assert_decision(policy.rules, 61, 0,
		(struct la_decision){LA_ACTION_SHUTDOWN, 1, LA_ACTION_RESET, 239});
	assert_decision(policy.rules, 100000, 0,
		(struct la_decision){LA_ACTION_RESET, 2, LA_ACTION_NONE, 0});
}

static void a_milder_step_behind_the_strongest_still_comes(void **state)
{
	(void)state;
	use("[fin-wait-2]\nafter 1s = log\nafter 2s = shutdown\nafter 3s = log\nafter 9s = log\n");
	assert_decision(
		policy.rules, 5, 0, (struct la_decision){LA_ACTION_SHUTDOWN, 1, LA_ACTION_LOG, 0});
	assert_decision(
		policy.rules, 5, 2, (struct la_decision){LA_ACTION_LOG, 2, LA_ACTION_LOG, 4});
	assert_decision(
		policy.rules, 9, 2, (struct la_decision){LA_ACTION_LOG, 3, LA_ACTION_NONE, 0});
}

/* Whoever follows `next_in_ns` and counts steps as the header says takes each action once, in time, and comes to an end. */
static void following_the_decisions_walks_through_every_step(void **state)
{
	static const uint32_t expected[] = {
		LA_ACTION_KEEPALIVE, LA_ACTION_SHUTDOWN, LA_ACTION_RESET};
	uint64_t idle_ns = 0;
	uint32_t done = 0, taken = 0;

	(void)state;
	use(bounded);
	for (;;) {
		struct la_decision decision = la_policy_decide(policy.rules, idle_ns, done);

		if (decision.action != LA_ACTION_NONE) {
			assert_int_equal(decision.action, expected[taken++]);
			assert_int_equal(idle_ns, policy.rules[0].steps[decision.step].after_ns);
			done = decision.step + 1;
		}
		if (decision.next == LA_ACTION_NONE)
			break;
		idle_ns += decision.next_in_ns;
	}
	assert_int_equal(taken, 3);
}

static void the_strongest_action_and_the_shortest_time_are_found(void **state)
{
	(void)state;
	use(bounded);
	assert_int_equal(la_rule_strongest(policy.rules), LA_ACTION_RESET);
	assert_int_equal(la_policy_shortest_ns(&policy), 30 * SECOND_NS);
	assert_true(la_policy_bounds_anything(&policy));
	assert_false(la_policy_closes_gracefully(&policy));
	use("[close]\naction = graceful\nidle = 1ms\n");
	assert_int_equal(la_rule_strongest(policy.rules), LA_ACTION_NONE);
	assert_int_equal(la_policy_shortest_ns(&policy), 0);
	assert_false(la_policy_bounds_anything(&policy));
	assert_true(la_policy_closes_gracefully(&policy));
	use("[close]\naction = plain\n[exit]\naction = handover\n[last-ack]\nafter 7s=log\n"
	    "[closing]\nafter 6s=log\nafter 1s=log\n");
	assert_false(la_policy_closes_gracefully(&policy));
	assert_int_equal(la_policy_shortest_ns(&policy), SECOND_NS);
}

static void a_prefix_ends_where_its_bits_end(void **state)
{
	struct la_view inside = from_v4(10, 255, 255, 255), outside = from_v4(11, 0, 0, 0);

	(void)state;
	assert_true(la_match_holds(when("remote 10.0.0.0/8"), &inside));
	assert_false(la_match_holds(when("remote 10.0.0.0/8"), &outside));
	inside = from_v4(172, 31, 255, 255);
	outside = from_v4(172, 32, 0, 0);
	assert_true(la_match_holds(when("remote 172.16.0.0/12"), &inside));
	assert_false(la_match_holds(when("remote 172.16.0.0/12"), &outside));
	outside = from_v4(172, 15, 255, 255);
	assert_false(la_match_holds(when("remote 172.16.0.0/12"), &outside));
	inside = from_v4(192, 0, 2, 7);
	outside = from_v4(192, 0, 2, 6);
	assert_true(la_match_holds(when("remote 192.0.2.7"), &inside));
	assert_false(la_match_holds(when("remote 192.0.2.7"), &outside));
}

static void an_ipv4_rule_holds_for_a_mapped_peer_and_for_no_ipv6_peer(void **state)
{
	struct la_view v4 = from_v4(1, 2, 3, 4), v6 = {.remote = {0x20, 1, [12] = 1, 2, 3, 4}};

	(void)state;
	assert_true(la_match_holds(when("remote 0.0.0.0/0"), &v4));
	assert_false(la_match_holds(when("remote 0.0.0.0/0"), &v6));
	assert_true(la_match_holds(when("remote ::/0"), &v4));
	assert_true(la_match_holds(when("remote ::/0"), &v6));
	assert_true(la_match_holds(when("remote ::ffff:1.2.3.4"), &v4));
	assert_true(la_match_holds(when("remote 2000::/3"), &v6));
	assert_false(la_match_holds(when("remote 2000::/3"), &v4));
	assert_true(la_match_holds(when("remote 2001::102:304"), &v6));
}

static void local_and_remote_are_not_mixed_up(void **state)
{
	struct la_view view = {.local_port = 80, .remote_port = 9200, .local = {[15] = 1}};

	(void)state;
	assert_true(la_match_holds(when("local ::1"), &view));
	assert_false(la_match_holds(when("remote ::1"), &view));
	assert_true(la_match_holds(when("local-port 80"), &view));
	assert_false(la_match_holds(when("remote-port 80"), &view));
}

static void a_port_range_includes_both_ends(void **state)
{
	struct la_view view = {0};

	(void)state;
	view.remote_port = 9199;
	assert_false(la_match_holds(when("remote-port 9200-9299"), &view));
	view.remote_port = 9200;
	assert_true(la_match_holds(when("remote-port 9200-9299"), &view));
	view.remote_port = 9299;
	assert_true(la_match_holds(when("remote-port 9200-9299"), &view));
	view.remote_port = 9300;
	assert_false(la_match_holds(when("remote-port 9200-9299"), &view));
	view.remote_port = 65535;
	assert_true(la_match_holds(when("remote-port 1-65535"), &view));
}

static void role_eof_and_exe_must_be_the_same(void **state)
{
	struct la_view view = {.role = LA_ROLE_CLIENT, .eof = LA_EOF_READ, .exe = "nginx"};

	(void)state;
	assert_true(la_match_holds(when("role client"), &view));
	assert_false(la_match_holds(when("role server"), &view));
	assert_true(la_match_holds(when("eof read"), &view));
	assert_false(la_match_holds(when("eof unread"), &view));
	assert_true(la_match_holds(when("exe nginx"), &view));
	assert_false(la_match_holds(when("exe ngin"), &view));
	assert_false(la_match_holds(when("exe nginx2"), &view));
	view = (struct la_view){0};
	assert_false(la_match_holds(when("role client"), &view));
	assert_false(la_match_holds(when("eof unread"), &view));
	assert_false(la_match_holds(when("exe nginx"), &view));
}

static void every_condition_must_hold(void **state)
{
	const struct la_match *match = when("role client, remote-port 9200");
	struct la_view view = {.role = LA_ROLE_CLIENT, .remote_port = 9200};

	(void)state;
	assert_true(la_match_holds(match, &view));
	view.role = LA_ROLE_SERVER;
	assert_false(la_match_holds(match, &view));
	view = (struct la_view){.role = LA_ROLE_CLIENT, .remote_port = 9201};
	assert_false(la_match_holds(match, &view));
}

static void the_first_rule_that_holds_governs(void **state)
{
	struct la_view view = {.role = LA_ROLE_CLIENT};

	(void)state;
	use("[close-wait]\nafter 1s = reset\n"
	    "[close-wait pool]\nmatch = role client\nafter 10m = log\n"
	    "[close-wait late]\nmatch = eof read\nafter 20m = log\n"
	    "[fin-wait-2 pool]\nmatch = role client\nafter 10m = log\n");
	assert_string_equal(la_policy_find(&policy, LA_SECTION_CLOSE_WAIT, &view)->name, "pool");
	view.role = LA_ROLE_SERVER;
	assert_string_equal(la_policy_find(&policy, LA_SECTION_CLOSE_WAIT, &view)->name, "");
	view.eof = LA_EOF_READ;
	assert_string_equal(la_policy_find(&policy, LA_SECTION_CLOSE_WAIT, &view)->name, "late");
	assert_null(la_policy_find(&policy, LA_SECTION_FIN_WAIT_2, &view));
	assert_null(la_policy_find(&policy, LA_SECTION_LAST_ACK, &view));
}

static void each_bounded_state_has_the_section_of_its_name(void **state)
{
	unsigned int bounded_states = 0;

	(void)state;
	for (unsigned int i = 0; i < LA_STATE_COUNT; i++) {
		enum la_section section = la_section_of_state(i);

		if (section == LA_SECTION_COUNT)
			continue;
		assert_int_equal(la_state_by_name(la_section_name(section)), i);
		bounded_states++;
	}
	assert_int_equal(bounded_states, 5);
	assert_int_equal(la_section_of_state(LA_STATE_ESTABLISHED), LA_SECTION_COUNT);
	assert_int_equal(la_section_of_state(LA_STATE_TIME_WAIT), LA_SECTION_COUNT);
}

static void names_out_of_range_are_question_marks(void **state)
{
	(void)state;
	assert_string_equal(la_action_name(LA_ACTION_NONE), "none");
	assert_string_equal(la_action_name(LA_ACTION_RESET), "reset");
	assert_string_equal(la_action_name(LA_ACTION_COUNT), "?");
	assert_string_equal(la_section_name(LA_SECTION_COUNT), "?");
	assert_string_equal(la_role_name(LA_ROLE_SERVER), "server");
	assert_string_equal(la_role_name(LA_ROLE_LISTENER), "listener");
	assert_string_equal(la_role_name(LA_ROLE_UNKNOWN), "?");
	assert_string_equal(la_role_name(UINT32_MAX), "?");
}

static void a_policy_with_anything_out_of_range_is_not_sane(void **state)
{
	struct la_policy good;

#define REFUSED(change)                                             \
	do {                                                        \
		policy = good;                                      \
		change;                                             \
		if (la_policy_is_sane(&policy))                     \
			fail_msg("%s was taken for sane", #change); \
	} while (0)

	(void)state;
	use("[close-wait a]\nmatch = remote 10.0.0.0/8, exe a\nafter 1s = log\nafter 2s = reset\n"
	    "[exit]\naction = drain\n");
	good = policy;
	assert_true(la_policy_is_sane(&good));
	REFUSED(policy.rules_count = LA_POLICY_RULES + 1);
	REFUSED(policy.rules_count = UINT32_MAX);
	REFUSED(policy.observe = 2);
	REFUSED(memset(policy.name, 'a', sizeof(policy.name)));
	REFUSED(strcpy(policy.name, "\x1b[2J"));
	REFUSED(policy.rules[0].section = LA_SECTION_COUNT);
	REFUSED(memset(policy.rules[0].name, 'a', LA_POLICY_NAME));
	REFUSED(strcpy(policy.rules[0].name, "a b"));
	REFUSED(policy.rules[0].steps_count = LA_POLICY_STEPS + 1);
	REFUSED(policy.rules[0].steps_count = 3);
	REFUSED(policy.rules[0].steps[0].action = LA_ACTION_NONE);
	REFUSED(policy.rules[0].steps[1].action = LA_ACTION_COUNT);
	REFUSED(policy.rules[0].steps[1].after_ns = SECOND_NS);
	REFUSED(policy.rules[0].steps[0].after_ns = 0);
	REFUSED(policy.rules[0].action = 1);
	REFUSED(policy.rules[0].linger = 2);
	REFUSED(policy.rules[0].match.fields |= LA_MATCH_ALL + 1);
	REFUSED(policy.rules[0].match.role = LA_ROLE_LISTENER + 1);
	REFUSED(policy.rules[0].match.eof = LA_EOF_READ + 1);
	REFUSED(policy.rules[0].match.remote.bits = 129);
	REFUSED(policy.rules[0].match.local.bits = 129);
	REFUSED(policy.rules[0].match.local_port_low = 1);
	REFUSED(policy.rules[0].match.remote_port_low = 1);
	REFUSED(memset(policy.rules[0].match.exe, 'a', LA_POLICY_EXE));
	REFUSED(strcpy(policy.rules[0].match.exe, "a\n"));
	REFUSED(policy.rules[1].action = LA_EXIT_HANDOVER + 1);
	REFUSED(policy.rules[1].steps_count = 1);
#undef REFUSED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_match_covers_those_that_ask_for_more),
		cmocka_unit_test(a_match_does_not_cover_what_it_may_miss),
		cmocka_unit_test(nothing_is_due_before_the_first_step),
		cmocka_unit_test(a_step_is_due_at_its_time_and_the_next_one_is_named),
		cmocka_unit_test(a_step_that_was_taken_is_not_due_again),
		cmocka_unit_test(of_several_overdue_steps_the_strongest_is_taken),
		cmocka_unit_test(a_milder_step_behind_the_strongest_still_comes),
		cmocka_unit_test(following_the_decisions_walks_through_every_step),
		cmocka_unit_test(the_strongest_action_and_the_shortest_time_are_found),
		cmocka_unit_test(a_prefix_ends_where_its_bits_end),
		cmocka_unit_test(an_ipv4_rule_holds_for_a_mapped_peer_and_for_no_ipv6_peer),
		cmocka_unit_test(local_and_remote_are_not_mixed_up),
		cmocka_unit_test(a_port_range_includes_both_ends),
		cmocka_unit_test(role_eof_and_exe_must_be_the_same),
		cmocka_unit_test(every_condition_must_hold),
		cmocka_unit_test(the_first_rule_that_holds_governs),
		cmocka_unit_test(each_bounded_state_has_the_section_of_its_name),
		cmocka_unit_test(names_out_of_range_are_question_marks),
		cmocka_unit_test(a_policy_with_anything_out_of_range_is_not_sane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
