/* SPDX-License-Identifier: MIT */
/* The termination table: the machine, Table 154, names. What the compiler proves already is not repeated here. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <string.h>

#include <lastack/table.h>

#define S(id) LA_STATE_##id
#define E(id) LA_EVENT_##id

static void assert_move(enum la_state from, enum la_event on, enum la_state to, enum la_sends sends)
{
	const struct la_move *move = la_move(from, on);

	assert_non_null(move);
	if (move->to != to || move->sends != sends)
		fail_msg("%s on %s goes to %s sending %s", la_state_name(from), la_event_name(on),
			la_state_name(move->to), la_sends_name(move->sends));
}

static void every_cell_stands_where_its_row_says(void **state)
{
	(void)state;
	for (unsigned int from = 0; from < LA_STATE_COUNT; from++) {
		for (unsigned int on = 0; on < LA_EVENT_COUNT; on++) {
			const struct la_move *move = la_move(from, on);

			assert_non_null(move);
			assert_int_equal(move->from, from);
			assert_int_equal(move->on, on);
			assert_in_range(move->to, 0, LA_STATE_COUNT - 1);
			assert_true(strlen(move->rfc) > 0);
		}
	}
}

static void a_move_out_of_range_is_none(void **state)
{
	(void)state;
	assert_null(la_move(LA_STATE_COUNT, E(FIN)));
	assert_null(la_move(S(CLOSED), LA_EVENT_COUNT));
	assert_null(la_move((enum la_state) - 1, (enum la_event) - 1));
}

static void the_active_closer_walks_the_left_column(void **state)
{
	(void)state;
	assert_move(S(ESTABLISHED), E(CLOSE), S(FIN_WAIT_1), LA_SENDS_FIN);
	assert_move(S(FIN_WAIT_1), E(ACK_OF_FIN), S(FIN_WAIT_2), LA_SENDS_NOTHING);
	assert_move(S(FIN_WAIT_2), E(FIN), S(TIME_WAIT), LA_SENDS_ACK);
	assert_move(S(TIME_WAIT), E(TIMEOUT), S(CLOSED), LA_SENDS_NOTHING);
}

static void the_passive_closer_walks_the_right_column(void **state)
{
	(void)state;
	assert_move(S(ESTABLISHED), E(FIN), S(CLOSE_WAIT), LA_SENDS_ACK);
	assert_move(S(CLOSE_WAIT), E(CLOSE), S(LAST_ACK), LA_SENDS_FIN);
	assert_move(S(LAST_ACK), E(ACK_OF_FIN), S(CLOSED), LA_SENDS_NOTHING);
}

static void crossing_fins_meet_in_closing(void **state)
{
	(void)state;
	assert_move(S(FIN_WAIT_1), E(FIN), S(CLOSING), LA_SENDS_ACK);
	assert_move(S(CLOSING), E(ACK_OF_FIN), S(TIME_WAIT), LA_SENDS_NOTHING);
}

static void a_fin_that_acknowledges_ours_passes_over_fin_wait_2(void **state)
{
	(void)state;
	assert_move(S(FIN_WAIT_1), E(FIN_ACK), S(TIME_WAIT), LA_SENDS_ACK);
}

static void a_reset_ends_every_state(void **state)
{
	(void)state;
	for (unsigned int from = 0; from < LA_STATE_COUNT; from++)
		assert_move(from, E(RST), S(CLOSED), LA_SENDS_NOTHING);
}

static void an_abort_sends_a_reset_from_every_state_that_a_close_can_reach(void **state)
{
	(void)state;
	for (unsigned int from = 0; from < LA_STATE_COUNT; from++) {
		if (from != S(TIME_WAIT) && from != S(CLOSED))
			assert_move(from, E(ABORT), S(CLOSED), LA_SENDS_RST);
	}
	assert_move(S(TIME_WAIT), E(ABORT), S(TIME_WAIT), LA_SENDS_NOTHING);
	assert_move(S(CLOSED), E(ABORT), S(CLOSED), LA_SENDS_NOTHING);
}

static void only_time_wait_ends_by_its_timer(void **state)
{
	(void)state;
	for (unsigned int from = 0; from < LA_STATE_COUNT; from++)
		assert_move(from, E(TIMEOUT), from == S(TIME_WAIT) ? S(CLOSED) : from,
			LA_SENDS_NOTHING);
}

static void our_fin_is_sent_exactly_once(void **state)
{
	(void)state;
	for (unsigned int from = 0; from < LA_STATE_COUNT; from++) {
		bool open = from == S(ESTABLISHED) || from == S(CLOSE_WAIT);

		assert_int_equal(la_move(from, E(CLOSE))->sends == LA_SENDS_FIN, open);
		assert_int_equal(la_move(from, E(CLOSE))->to != from, open);
	}
}

static void nothing_leaves_closed(void **state)
{
	(void)state;
	for (unsigned int on = 0; on < LA_EVENT_COUNT; on++)
		assert_int_equal(la_move(S(CLOSED), on)->to, S(CLOSED));
}

/* Every way through the machine ends: no state can be come back to, so no cycle is longer than a state itself. */
static void no_state_is_entered_twice(void **state)
{
	(void)state;
	for (unsigned int start = 0; start < LA_STATE_COUNT; start++) {
		unsigned int reached = 0;

		for (unsigned int on = 0; on < LA_EVENT_COUNT; on++) {
			if (la_move(start, on)->to != start)
				reached |= 1u << la_move(start, on)->to;
		}
		for (unsigned int round = 0; round < LA_STATE_COUNT; round++) {
			for (unsigned int from = 0; from < LA_STATE_COUNT; from++) {
				for (unsigned int on = 0; on < LA_EVENT_COUNT; on++) {
					if (reached & 1u << from)
						reached |= 1u << la_move(from, on)->to;
				}
			}
		}
		assert_int_equal(reached & 1u << start, 0);
	}
}

/* steps.c proves this per row too; here it is found without the event, as a reader of the row would. */
static void every_step_is_a_move_of_the_machine(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < la_steps_count; i++) {
		for (int side = 0; side < 2; side++) {
			const struct la_step_cell *cell = &la_steps[i].side[side];
			bool found = cell->to == cell->in;

			for (unsigned int on = 0; on < LA_EVENT_COUNT; on++)
				found |= la_move(cell->in, on)->to == cell->to;
			if (!found)
				fail_msg("row %u: %s does not lead to %s", la_steps[i].number,
					la_state_name(cell->in), la_state_name(cell->to));
		}
	}
}

static void the_rows_are_numbered_from_one(void **state)
{
	(void)state;
	assert_int_equal(la_steps_table_154, 8);
	assert_true(la_steps_count > la_steps_table_154);
	for (unsigned int i = 0; i < la_steps_count; i++)
		assert_int_equal(la_steps[i].number, i + 1);
}

/* The eight rows as The TCP/IP Guide prints them. */
static void table_154_is_told_as_it_is_printed(void **state)
{
	static const struct {
		enum la_state client, client_to, server, server_to;
		const char *client_step, *server_step;
	} printed[8] = {
		{S(ESTABLISHED), S(FIN_WAIT_1), S(ESTABLISHED), S(ESTABLISHED),
			"Client Close Step #1 Transmit", ""},
		{S(FIN_WAIT_1), S(FIN_WAIT_1), S(ESTABLISHED), S(CLOSE_WAIT), "",
			"Client Close Step #1 Receive / Step #2 Transmit"},
		{S(FIN_WAIT_1), S(FIN_WAIT_2), S(CLOSE_WAIT), S(CLOSE_WAIT),
			"Client Close Step #2 Receive", ""},
		{S(FIN_WAIT_2), S(FIN_WAIT_2), S(CLOSE_WAIT), S(LAST_ACK), "",
			"Server Close Step #1 Transmit"},
		{S(FIN_WAIT_2), S(TIME_WAIT), S(LAST_ACK), S(LAST_ACK),
			"Server Close Step #1 Receive / Step #2 Transmit", ""},
		{S(TIME_WAIT), S(TIME_WAIT), S(LAST_ACK), S(CLOSED), "",
			"Server Close Step #2 Receive"},
		{S(TIME_WAIT), S(CLOSED), S(CLOSED), S(CLOSED), "", ""},
		{S(CLOSED), S(CLOSED), S(CLOSED), S(CLOSED), "", ""},
	};

	(void)state;
	for (unsigned int i = 0; i < la_steps_table_154; i++) {
		const struct la_step_cell *client = &la_steps[i].side[LA_SIDE_CLIENT];
		const struct la_step_cell *server = &la_steps[i].side[LA_SIDE_SERVER];

		assert_int_equal(client->in, printed[i].client);
		assert_int_equal(client->to, printed[i].client_to);
		assert_string_equal(client->step, printed[i].client_step);
		assert_int_equal(server->in, printed[i].server);
		assert_int_equal(server->to, printed[i].server_to);
		assert_string_equal(server->step, printed[i].server_step);
	}
}

static void each_row_of_table_154_begins_where_the_last_one_ended(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < la_steps_table_154; i++) {
		for (int side = 0; side < 2; side++)
			assert_int_equal(la_steps[i].side[side].in, la_steps[i - 1].side[side].to);
	}
}

static void every_position_stands_in_some_row(void **state)
{
	unsigned int seen = 0;

	(void)state;
	for (unsigned int i = 0; i < la_steps_count; i++) {
		for (int side = 0; side < 2; side++)
			seen |= 1u << la_steps[i].side[side].in;
	}
	assert_int_equal(seen, (1u << LA_STATE_COUNT) - 1);
}

static void names_are_printed_as_in_the_rfc_and_read_in_any_case(void **state)
{
	(void)state;
	assert_string_equal(la_state_name(S(CLOSE_WAIT)), "CLOSE-WAIT");
	assert_string_equal(la_state_name(S(FIN_WAIT_2)), "FIN-WAIT-2");
	assert_string_equal(la_event_name(E(FIN)), "FIN received");
	assert_string_equal(la_sends_name(LA_SENDS_RST), "RST");
	assert_int_equal(la_state_by_name("close-wait"), S(CLOSE_WAIT));
	assert_int_equal(la_state_by_name("Last-Ack"), S(LAST_ACK));
	for (unsigned int i = 0; i < LA_STATE_COUNT; i++) {
		assert_int_equal(la_state_by_name(la_state_name(i)), i);
		assert_true(strlen(la_state_meaning(i)) > 0 && strlen(la_state_rfc(i)) > 0);
	}
}

static void an_unknown_name_is_no_state(void **state)
{
	static const char *const unknown[] = {
		"", "close", "close-wait ", "closed-", "closewait", "?"};

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_int_equal(la_state_by_name(unknown[i]), LA_STATE_COUNT);
	assert_int_equal(la_state_by_name(NULL), LA_STATE_COUNT);
	assert_string_equal(la_state_name(LA_STATE_COUNT), "?");
	assert_string_equal(la_state_meaning((enum la_state)1000), "?");
	assert_string_equal(la_state_rfc((enum la_state) - 1), "?");
	assert_string_equal(la_event_name(LA_EVENT_COUNT), "?");
	assert_string_equal(la_sends_name((enum la_sends)99), "?");
}

static void the_kernels_numbers_are_understood(void **state)
{
	(void)state;
	assert_int_equal(la_state_from_kernel(TCP_ESTABLISHED), S(ESTABLISHED));
	assert_int_equal(la_state_from_kernel(TCP_FIN_WAIT1), S(FIN_WAIT_1));
	assert_int_equal(la_state_from_kernel(TCP_FIN_WAIT2), S(FIN_WAIT_2));
	assert_int_equal(la_state_from_kernel(TCP_CLOSE_WAIT), S(CLOSE_WAIT));
	assert_int_equal(la_state_from_kernel(TCP_CLOSING), S(CLOSING));
	assert_int_equal(la_state_from_kernel(TCP_LAST_ACK), S(LAST_ACK));
	assert_int_equal(la_state_from_kernel(TCP_TIME_WAIT), S(TIME_WAIT));
	assert_int_equal(la_state_from_kernel(TCP_CLOSE), S(CLOSED));
	assert_int_equal(la_state_from_kernel(TCP_LISTEN), LA_STATE_COUNT);
	assert_int_equal(la_state_from_kernel(TCP_SYN_SENT), LA_STATE_COUNT);
	assert_int_equal(la_state_from_kernel(TCP_SYN_RECV), LA_STATE_COUNT);
	assert_int_equal(la_state_from_kernel(0), LA_STATE_COUNT);
	assert_int_equal(la_state_from_kernel(UINT32_MAX), LA_STATE_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_stands_where_its_row_says),
		cmocka_unit_test(a_move_out_of_range_is_none),
		cmocka_unit_test(the_active_closer_walks_the_left_column),
		cmocka_unit_test(the_passive_closer_walks_the_right_column),
		cmocka_unit_test(crossing_fins_meet_in_closing),
		cmocka_unit_test(a_fin_that_acknowledges_ours_passes_over_fin_wait_2),
		cmocka_unit_test(a_reset_ends_every_state),
		cmocka_unit_test(an_abort_sends_a_reset_from_every_state_that_a_close_can_reach),
		cmocka_unit_test(only_time_wait_ends_by_its_timer),
		cmocka_unit_test(our_fin_is_sent_exactly_once),
		cmocka_unit_test(nothing_leaves_closed),
		cmocka_unit_test(no_state_is_entered_twice),
		cmocka_unit_test(every_step_is_a_move_of_the_machine),
		cmocka_unit_test(the_rows_are_numbered_from_one),
		cmocka_unit_test(table_154_is_told_as_it_is_printed),
		cmocka_unit_test(each_row_of_table_154_begins_where_the_last_one_ended),
		cmocka_unit_test(every_position_stands_in_some_row),
		cmocka_unit_test(names_are_printed_as_in_the_rfc_and_read_in_any_case),
		cmocka_unit_test(an_unknown_name_is_no_state),
		cmocka_unit_test(the_kernels_numbers_are_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
