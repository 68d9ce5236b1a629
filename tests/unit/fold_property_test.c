/* SPDX-License-Identifier: MIT */
/*
 * The property that lock-free tables of single writers stand on: however the facts of a connection are spread over observers,
 * repeated and shuffled, their fold is the position of the sequential machine.
 *
 * LASTACK_SEED repeats a run; a failure prints the seed and the case.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <lastack/table.h>

enum { CASES = 200000, EVENTS = 12, OBSERVERS = 6, OBSERVATIONS = 96 };

static uint64_t seed, random_state;

/* splitmix64 */
static uint64_t random_bits(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned int below(unsigned int limit)
{
	return (unsigned int)(random_bits() % limit);
}

struct history {
	enum la_state position;
	uint32_t facts;
	uint32_t observed[OBSERVATIONS];
	unsigned int count;
};

/* Each new fact goes to one observation or more, alone or together with others. */
static void observe(struct history *history, uint32_t facts)
{
	unsigned int copies = 1 + below(3);

	while (copies--)
		history->observed[history->count++] = facts;
	for (uint32_t bit = 1; bit <= LA_FACT_ALL; bit <<= 1) {
		if (facts & bit && below(2))
			history->observed[history->count++] = bit;
	}
}

static void walk(struct history *history, unsigned int events)
{
	while (events--) {
		enum la_event event = below(LA_EVENT_COUNT);
		uint32_t after = la_facts_after(history->facts, event);

		history->position = la_move(history->position, event)->to;
		observe(history, after & ~history->facts);
		history->facts = after;
	}
}

static void shuffle(uint32_t *items, unsigned int count)
{
	for (unsigned int i = count; i > 1; i--) {
		unsigned int j = below(i);
		uint32_t item = items[i - 1];

		items[i - 1] = items[j];
		items[j] = item;
	}
}

/* Deal the observations out to observers, fold each one's, then fold the observers. */
static uint32_t fold(const struct history *history)
{
	uint32_t observers[OBSERVERS] = {0}, facts = 0;

	for (unsigned int i = 0; i < history->count; i++)
		observers[below(OBSERVERS)] |= history->observed[i];
	shuffle(observers, OBSERVERS);
	for (unsigned int i = 0; i < OBSERVERS; i++)
		facts |= observers[i];
	return facts;
}

static void any_order_of_observers_gives_the_position_of_the_machine(void **state)
{
	unsigned int reached[LA_STATE_COUNT] = {0};

	(void)state;
	for (unsigned int number = 0; number < CASES; number++) {
		struct history history = {.position = LA_STATE_ESTABLISHED};
		uint32_t facts;

		walk(&history, below(EVENTS + 1));
		shuffle(history.observed, history.count);
		facts = fold(&history);
		if (la_facts_position(facts) != history.position || la_facts_disagree(facts))
			fail_msg("LASTACK_SEED=%llu, case %u: facts %#x give %s, the machine %s",
				(unsigned long long)seed, number, facts,
				la_state_name(la_facts_position(facts)),
				la_state_name(history.position));
		reached[history.position]++;
	}
	/* A generator that never gets somewhere proves nothing about it. */
	for (unsigned int i = 0; i < LA_STATE_COUNT; i++)
		assert_true(reached[i] > CASES / 1000);
}

/* Another thread's row may reach the reader after the end did. */
static void a_late_observation_brings_no_connection_back(void **state)
{
	(void)state;
	for (uint32_t facts = 0; facts <= LA_FACT_ALL; facts++) {
		for (uint32_t late = 0; late <= LA_FACT_ALL; late++) {
			if (facts & (LA_FACT_RESET | LA_FACT_EXPIRED))
				assert_int_equal(la_facts_position(facts | late), LA_STATE_CLOSED);
		}
	}
}

static void each_fact_only_turns_from_no_to_yes(void **state)
{
	(void)state;
	for (uint32_t facts = 0; facts <= LA_FACT_ALL; facts++) {
		for (unsigned int event = 0; event < LA_EVENT_COUNT; event++)
			assert_int_equal(la_facts_after(facts, event) & facts, facts);
	}
}

static void an_event_without_meaning_changes_no_fact(void **state)
{
	(void)state;
	for (uint32_t facts = 0; facts <= LA_FACT_ALL; facts++) {
		for (unsigned int event = 0; event < LA_EVENT_COUNT; event++) {
			enum la_state from = la_facts_position(facts);

			if (la_move(from, event)->to == from)
				assert_int_equal(la_facts_after(facts, event), facts);
		}
	}
	assert_int_equal(la_facts_after(5, LA_EVENT_COUNT), 5);
}

/* Facts that only the other order of FINs could contradict still follow the machine, one event further. */
static void facts_without_contradiction_follow_the_machine(void **state)
{
	(void)state;
	for (uint32_t facts = 0; facts <= LA_FACT_ALL; facts++) {
		bool ours = facts & LA_FACT_OURS_FIRST && !(facts & LA_FACT_FIN_SENT);
		bool theirs = facts & LA_FACT_THEIRS_FIRST && !(facts & LA_FACT_FIN_RECEIVED);

		if (la_facts_disagree(facts) || ours || theirs)
			continue;
		for (unsigned int event = 0; event < LA_EVENT_COUNT; event++) {
			enum la_state to = la_move(la_facts_position(facts), event)->to;

			assert_int_equal(la_facts_position(la_facts_after(facts, event)), to);
		}
	}
}

static void the_truth_table_holds(void **state)
{
	enum {
		SENT = LA_FACT_FIN_SENT,
		ACKED = LA_FACT_FIN_ACKED,
		RECEIVED = LA_FACT_FIN_RECEIVED,
		OURS = LA_FACT_OURS_FIRST,
		THEIRS = LA_FACT_THEIRS_FIRST,
	};
	static const struct {
		uint32_t facts;
		enum la_state position;
	} rows[] = {
		{0, LA_STATE_ESTABLISHED},
		{SENT, LA_STATE_FIN_WAIT_1},
		{SENT | OURS, LA_STATE_FIN_WAIT_1},
		{SENT | ACKED, LA_STATE_FIN_WAIT_2},
		{ACKED, LA_STATE_FIN_WAIT_2},
		{RECEIVED, LA_STATE_CLOSE_WAIT},
		{RECEIVED | THEIRS, LA_STATE_CLOSE_WAIT},
		{SENT | RECEIVED | THEIRS, LA_STATE_LAST_ACK},
		{SENT | RECEIVED, LA_STATE_LAST_ACK},
		{SENT | RECEIVED | OURS, LA_STATE_CLOSING},
		{SENT | RECEIVED | OURS | THEIRS, LA_STATE_LAST_ACK},
		{SENT | ACKED | RECEIVED | OURS, LA_STATE_TIME_WAIT},
		{SENT | ACKED | RECEIVED | THEIRS, LA_STATE_CLOSED},
		{SENT | ACKED | RECEIVED, LA_STATE_CLOSED},
		{ACKED | RECEIVED | OURS, LA_STATE_TIME_WAIT},
		{ACKED | RECEIVED, LA_STATE_CLOSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(la_facts_position(rows[i].facts), rows[i].position);
		assert_int_equal(la_facts_position(rows[i].facts | LA_FACT_RESET), LA_STATE_CLOSED);
		assert_int_equal(
			la_facts_position(rows[i].facts | LA_FACT_EXPIRED), LA_STATE_CLOSED);
	}
	for (uint64_t facts = 0; facts < 1u << 16; facts++)
		assert_in_range(
			la_facts_position((uint32_t)(facts * 65537)), 0, LA_STATE_COUNT - 1);
}

static void a_state_proves_the_facts_that_lead_to_it(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < LA_STATE_COUNT; i++) {
		assert_int_equal(la_facts_position(la_facts_of_state(i)), i);
		assert_false(la_facts_disagree(la_facts_of_state(i)));
	}
	assert_int_equal(la_facts_of_state(LA_STATE_CLOSED), LA_FACT_EXPIRED);
	assert_int_equal(la_facts_of_state(LA_STATE_COUNT), 0);
}

static void contradictions_are_reported(void **state)
{
	(void)state;
	assert_true(la_facts_disagree(LA_FACT_OURS_FIRST | LA_FACT_THEIRS_FIRST));
	assert_true(la_facts_disagree(LA_FACT_FIN_ACKED));
	assert_true(la_facts_disagree(LA_FACT_FIN_ACKED | LA_FACT_FIN_RECEIVED));
	assert_false(la_facts_disagree(LA_FACT_FIN_ACKED | LA_FACT_FIN_SENT));
	assert_false(la_facts_disagree(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_of_observers_gives_the_position_of_the_machine),
		cmocka_unit_test(a_late_observation_brings_no_connection_back),
		cmocka_unit_test(each_fact_only_turns_from_no_to_yes),
		cmocka_unit_test(an_event_without_meaning_changes_no_fact),
		cmocka_unit_test(facts_without_contradiction_follow_the_machine),
		cmocka_unit_test(the_truth_table_holds),
		cmocka_unit_test(a_state_proves_the_facts_that_lead_to_it),
		cmocka_unit_test(contradictions_are_reported),
	};
	const char *repeat = getenv("LASTACK_SEED");

	seed = repeat ? strtoull(repeat, NULL, 0) : (uint64_t)time(NULL);
	random_state = seed;
	printf("# LASTACK_SEED=%llu, %d cases\n", (unsigned long long)seed, CASES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
