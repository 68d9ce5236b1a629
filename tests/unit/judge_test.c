/* SPDX-License-Identifier: MIT */
/*
 * The judge: position, age, EOF and verdict of one connection, from what hooks saw and what the kernel says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <string.h>

/* The command's rooms are in no library. */
#include "../../src/cli/judge.c"

#define S(us) ((uint64_t)(us)*1000000)
enum { NOW_S = 1000, OPENED_S = 900 };

static struct la_region_copy region = {.same_boot = true};
static struct la_read_connection record;
static struct la_diag_socket socket_;
static struct la_item item;

/* A connection that a living process holds; the kernel has it in `state`, 0: does not list it. */
static void given(uint32_t state)
{
	memset(&record, 0, sizeof(record));
	memset(&socket_, 0, sizeof(socket_));
	memset(&item, 0, sizeof(item));
	record.phase = LA_PHASE_OPEN;
	record.opened_us = S(OPENED_S);
	socket_.state = state;
	socket_.inode = 77;
	item.region = &region;
	item.connection = &record;
	item.socket = state ? &socket_ : NULL;
	item.alive = item.held = item.asked = true;
}

static void saw(enum la_seen seen, uint64_t seconds, uint32_t facts)
{
	record.seen_us[seen] = S(seconds);
	record.facts |= facts;
}

/* The kernel's own clocks: milliseconds since the last ACK came and data went and came. */
static void quiet_for(uint32_t ack_s, uint32_t sent_s, uint32_t received_s)
{
	socket_.has_info = true;
	socket_.last_ack_received_ms = ack_s * 1000;
	socket_.last_data_sent_ms = sent_s * 1000;
	socket_.last_data_received_ms = received_s * 1000;
}

static void judged(enum la_state state, enum la_verdict verdict)
{
	la_judge(&item, S(NOW_S));
	assert_int_equal(item.state, state);
	assert_int_equal(item.verdict, verdict);
}

static void aged(uint64_t seconds, bool at_least)
{
	assert_int_equal(item.age_us, S(seconds));
	assert_int_equal(item.age_at_least, at_least);
}

static void the_kernel_overrules_every_fact(void **state)
{
	static const uint32_t kernel[] = {TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2,
		TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK, TCP_TIME_WAIT, TCP_CLOSE};
	uint32_t facts;
	size_t k;

	(void)state;
	for (k = 0; k < sizeof(kernel) / sizeof(kernel[0]); k++)
		for (facts = 0; facts <= LA_FACT_ALL; facts++) {
			given(kernel[k]);
			record.facts = facts;
			la_judge(&item, S(NOW_S));
			assert_int_equal(item.state, la_state_from_kernel(kernel[k]));
		}
}

static void what_a_living_process_holds_and_the_kernel_does_not_list_is_closed(void **state)
{
	(void)state;
	given(0);
	saw(LA_SEEN_EOF, 950, LA_FACT_FIN_RECEIVED);
	judged(LA_STATE_CLOSED, LA_VERDICT_DEAD_FD);
	assert_int_equal(item.eof, LA_EOF_READ);
	assert_false(item.gone);
}

static void what_the_kernel_could_not_be_asked_about_stands_where_it_was_last_seen(void **state)
{
	(void)state;
	given(0);
	item.asked = false;
	saw(LA_SEEN_EOF, 950, LA_FACT_FIN_RECEIVED);
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_EOF_READ_NOT_CLOSED);
	given(0);
	item.asked = false;
	judged(LA_STATE_ESTABLISHED, LA_VERDICT_NONE);
}

static void what_the_dead_held_stands_where_it_was_last_seen(void **state)
{
	(void)state;
	given(0);
	item.alive = item.asked = false;
	saw(LA_SEEN_PEER_FIN, 990, LA_FACT_FIN_RECEIVED);
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_EOF_UNREAD);
	aged(10, true);
}

static void closed_behind_our_back_is_over_and_no_leak(void **state)
{
	(void)state;
	given(0);
	item.held = false;
	judged(LA_STATE_CLOSED, LA_VERDICT_NONE);
	assert_true(item.gone);
}

static void a_handshake_is_no_position_of_the_termination_table(void **state)
{
	(void)state;
	given(TCP_SYN_SENT);
	judged(LA_STATE_COUNT, LA_VERDICT_NONE);
	assert_string_equal(la_judge_state_name(&item), "SYN-SENT");
	given(TCP_SYN_RECV);
	judged(LA_STATE_COUNT, LA_VERDICT_NONE);
	assert_string_equal(la_judge_state_name(&item), "SYN-RECEIVED");
	given(TCP_NEW_SYN_RECEIVED + 1); /* bound, and no more */
	judged(LA_STATE_CLOSED, LA_VERDICT_DEAD_FD);
}

static void connecting_is_no_dead_descriptor(void **state)
{
	(void)state;
	given(0);
	record.flags = LA_CONNECTION_CONNECTING;
	judged(LA_STATE_CLOSED, LA_VERDICT_NONE);
}

static void close_wait_is_told_by_the_receive_queue(void **state)
{
	(void)state;
	given(TCP_CLOSE_WAIT); /* nobody saw the read: a call that is not hooked */
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_EOF_READ_NOT_CLOSED);
	given(TCP_CLOSE_WAIT);
	socket_.receive_queue = 1;
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_EOF_UNREAD);
	assert_int_equal(item.unread_bytes, 0);
	given(TCP_CLOSE_WAIT); /* a read of 0 bytes after shutdown(SHUT_RD) is not the peer's FIN */
	socket_.receive_queue = 11;
	saw(LA_SEEN_EOF, 950, LA_FACT_FIN_RECEIVED);
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_EOF_UNREAD);
	assert_int_equal(item.unread_bytes, 10);
}

static void an_orphan_has_nobody_to_be_told_and_is_no_leak(void **state)
{
	(void)state;
	given(TCP_FIN_WAIT2);
	judged(LA_STATE_FIN_WAIT_2, LA_VERDICT_PEER_NOT_CLOSING);
	given(TCP_FIN_WAIT2);
	socket_.inode = 0;
	item.held = false;
	judged(LA_STATE_FIN_WAIT_2, LA_VERDICT_NONE);
	given(TCP_TIME_WAIT);
	record.phase = LA_PHASE_CLOSED;
	socket_.inode = 0;
	item.held = false;
	judged(LA_STATE_TIME_WAIT, LA_VERDICT_NONE);
	assert_int_equal(item.eof, LA_EOF_NONE);
}

static void closed_here_and_still_held_is_held_elsewhere(void **state)
{
	(void)state;
	given(TCP_ESTABLISHED);
	record.phase = LA_PHASE_CLOSED;
	item.held = false;
	judged(LA_STATE_ESTABLISHED, LA_VERDICT_HELD_ELSEWHERE);
	socket_.inode = 0;
	judged(LA_STATE_ESTABLISHED, LA_VERDICT_NONE);
}

static void an_abortive_close_stays_after_its_end(void **state)
{
	(void)state;
	given(0);
	record.phase = LA_PHASE_CLOSED;
	item.held = false;
	assert_false(la_judge_is_shown(&record, NULL));
	record.flags = LA_CONNECTION_UNREAD_AT_CLOSE;
	assert_true(la_judge_is_shown(&record, NULL));
	saw(LA_SEEN_CLOSE, 940, LA_FACT_FIN_SENT);
	judged(LA_STATE_CLOSED, LA_VERDICT_ABORTIVE_CLOSE);
	assert_true(item.gone);
	aged(60, true);
}

static void draining_is_no_leak(void **state)
{
	(void)state;
	given(TCP_FIN_WAIT2);
	record.phase = LA_PHASE_DRAINING;
	item.held = false;
	judged(LA_STATE_FIN_WAIT_2, LA_VERDICT_NONE);
}

static void a_drain_without_a_holder_is_over(void **state)
{
	(void)state;
	given(TCP_FIN_WAIT1);
	record.phase = LA_PHASE_DRAINING;
	record.holders = 0;
	record.facts = LA_FACT_FIN_SENT;
	item.socket = NULL;
	item.held = item.alive = false;
	judged(LA_STATE_CLOSED, LA_VERDICT_NONE);
	assert_true(item.gone);
}

static void a_backlog_is_never_accepted(void **state)
{
	(void)state;
	given(TCP_CLOSE_WAIT);
	item.connection = NULL;
	item.held = false;
	socket_.inode = 0;
	socket_.receive_queue = 6;
	quiet_for(7, 0, 0);
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_NEVER_ACCEPTED);
	assert_int_equal(item.eof, LA_EOF_UNREAD);
	assert_int_equal(item.unread_bytes, 5);
	aged(7, true);
}

static void what_was_opened_out_of_sight_has_its_verdict_by_the_kernel(void **state)
{
	(void)state;
	given(TCP_CLOSE_WAIT);
	item.connection = NULL;
	socket_.receive_queue = 0;
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_EOF_READ_NOT_CLOSED);
	socket_.receive_queue = 1;
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_EOF_UNREAD);
	given(TCP_FIN_WAIT2);
	item.connection = NULL;
	judged(LA_STATE_FIN_WAIT_2, LA_VERDICT_PEER_NOT_CLOSING);
	given(TCP_ESTABLISHED);
	item.connection = NULL;
	judged(LA_STATE_ESTABLISHED, LA_VERDICT_NONE);
}

static void ages_are_exact_only_when_the_beginning_was_seen(void **state)
{
	(void)state;
	given(TCP_ESTABLISHED);
	judged(LA_STATE_ESTABLISHED, LA_VERDICT_NONE);
	aged(100, false);
	given(TCP_LAST_ACK);
	saw(LA_SEEN_SHUTDOWN, 995, LA_FACT_FIN_SENT);
	judged(LA_STATE_LAST_ACK, LA_VERDICT_NONE);
	aged(5, false);
	given(TCP_CLOSE_WAIT); /* the FIN carried an ACK, and nothing came since */
	quiet_for(30, 0, 0);
	saw(LA_SEEN_EOF, 990, LA_FACT_FIN_RECEIVED);
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_EOF_READ_NOT_CLOSED);
	aged(30, true);
	given(TCP_TIME_WAIT);
	socket_.timer = 3;
	socket_.expires_ms = 41000;
	judged(LA_STATE_TIME_WAIT, LA_VERDICT_DEAD_FD);
	aged(19, false);
	given(TCP_CLOSE); /* our FIN came before the end: it says nothing about when that was */
	saw(LA_SEEN_SHUTDOWN, 910, LA_FACT_FIN_SENT);
	saw(LA_SEEN_ENFORCED, 910, LA_FACT_FIN_SENT);
	judged(LA_STATE_CLOSED, LA_VERDICT_DEAD_FD);
	aged(0, true);
	saw(LA_SEEN_RESET, 980, LA_FACT_RESET);
	judged(LA_STATE_CLOSED, LA_VERDICT_DEAD_FD);
	aged(20, true);
}

static void idle_is_since_the_last_data_and_no_longer_than_the_age(void **state)
{
	(void)state;
	given(TCP_CLOSE_WAIT);
	saw(LA_SEEN_EOF, 940, LA_FACT_FIN_RECEIVED);
	quiet_for(1, 2, 90);
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_EOF_READ_NOT_CLOSED);
	aged(60, true);
	assert_int_equal(item.idle_us, S(2));
	quiet_for(80, 90, 90);
	judged(LA_STATE_CLOSE_WAIT, LA_VERDICT_EOF_READ_NOT_CLOSED);
	assert_int_equal(item.idle_us, S(80));
}

static void an_instant_in_the_future_is_none(void **state)
{
	(void)state;
	given(TCP_ESTABLISHED);
	record.opened_us = S(NOW_S + 1);
	judged(LA_STATE_ESTABLISHED, LA_VERDICT_NONE);
	aged(0, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_overrules_every_fact),
		cmocka_unit_test(
			what_a_living_process_holds_and_the_kernel_does_not_list_is_closed),
		cmocka_unit_test(
			what_the_kernel_could_not_be_asked_about_stands_where_it_was_last_seen),
		cmocka_unit_test(what_the_dead_held_stands_where_it_was_last_seen),
		cmocka_unit_test(closed_behind_our_back_is_over_and_no_leak),
		cmocka_unit_test(a_handshake_is_no_position_of_the_termination_table),
		cmocka_unit_test(connecting_is_no_dead_descriptor),
		cmocka_unit_test(close_wait_is_told_by_the_receive_queue),
		cmocka_unit_test(an_orphan_has_nobody_to_be_told_and_is_no_leak),
		cmocka_unit_test(closed_here_and_still_held_is_held_elsewhere),
		cmocka_unit_test(an_abortive_close_stays_after_its_end),
		cmocka_unit_test(draining_is_no_leak),
		cmocka_unit_test(a_drain_without_a_holder_is_over),
		cmocka_unit_test(a_backlog_is_never_accepted),
		cmocka_unit_test(what_was_opened_out_of_sight_has_its_verdict_by_the_kernel),
		cmocka_unit_test(ages_are_exact_only_when_the_beginning_was_seen),
		cmocka_unit_test(idle_is_since_the_last_data_and_no_longer_than_the_age),
		cmocka_unit_test(an_instant_in_the_future_is_none),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
