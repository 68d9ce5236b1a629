/* SPDX-License-Identifier: MIT */
/*
 * Tracking of one process's connections, on real loopback sockets; TCP_INFO is the judge of positions.
 */
#include <fcntl.h>

#include "track_helpers.h"

static int setup(void **state)
{
	(void)state;
	return start_tracking(120);
}

static const uint8_t loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};

static void the_listener_has_a_record(void **state)
{
	struct la_connection_record *record = record_of(listener);

	(void)state;
	assert_int_equal(record->role, LA_ROLE_LISTENER);
	assert_int_equal(record->local_port, ntohs(listener_address.sin_port));
	assert_int_equal(record->remote_port, 0);
	assert_true(LA_SLOT_FLAGS(la_slot_load(listener)) & LA_SLOT_LISTENER);
}

static void both_ends_have_roles_addresses_and_cookies(void **state)
{
	int client = tracked_connect(), server = tracked_accept();
	struct la_connection_record *ours = record_of(client), *theirs = record_of(server);
	struct sockaddr_in name;
	socklen_t length = sizeof(name);
	uint64_t cookie;

	(void)state;
	assert_int_equal(getsockname(client, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(ours->role, LA_ROLE_CLIENT);
	assert_int_equal(theirs->role, LA_ROLE_SERVER);
	assert_int_equal(ours->family, 4);
	assert_memory_equal(ours->local, loopback, 16);
	assert_memory_equal(theirs->remote, loopback, 16);
	assert_int_equal(ours->local_port, ntohs(name.sin_port));
	assert_int_equal(ours->remote_port, ntohs(listener_address.sin_port));
	assert_int_equal(theirs->local_port, ntohs(listener_address.sin_port));
	assert_int_equal(theirs->remote_port, ntohs(name.sin_port));
	assert_int_equal(la_kernel_cookie(server, &cookie), 0);
	assert_int_equal(atomic_load(&theirs->cookie), cookie);
	assert_int_equal(atomic_load(&theirs->pid), getpid());
	assert_int_equal(atomic_load(&theirs->fd), server);
	assert_int_equal(phase_of(theirs), LA_PHASE_OPEN);
	assert_true(tracked_close(client).last);
	assert_true(tracked_close(server).last);
	assert_int_equal(phase_of(theirs), LA_PHASE_CLOSED);
	assert_int_equal(atomic_load(&theirs->fd), -1);
	assert_int_equal(la_slot_load(client), 0);
}

/* The kernel may move between two looks: the position is right when it was so before or after. */
static void assert_position(int fd, uint32_t index)
{
	int tries;

	for (tries = 0; tries < 5; tries++) {
		enum la_state before = la_state_from_kernel((unsigned int)la_kernel_state(fd));
		enum la_state position = la_facts_position(la_track_facts(index, NULL));
		enum la_state after = la_state_from_kernel((unsigned int)la_kernel_state(fd));

		if (position == before || position == after)
			return;
		if (before == after)
			fail_msg("tracking says %s, the kernel %s", la_state_name(position),
				la_state_name(after));
	}
	fail_msg("the kernel does not come to rest");
}

static void wait_for_state(int fd, int state)
{
	while (la_kernel_state(fd) != state)
		usleep(1000); /* alarm() is the bound */
}

static void positions_are_the_kernels(void **state)
{
	int client = tracked_connect(), server = tracked_accept();
	uint32_t ours = LA_SLOT_INDEX(la_slot_load(client));
	uint32_t theirs = LA_SLOT_INDEX(la_slot_load(server));
	char byte;

	(void)state;
	assert_position(client, ours);
	assert_position(server, theirs);
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	wait_for_state(client, TCP_FIN_WAIT2);
	la_track_half_closed(client, SHUT_WR);
	assert_position(client, ours);
	assert_int_equal(read(server, &byte, 1), 0);
	la_track_read_end(server, la_slot_load(server));
	assert_int_equal(la_kernel_state(server), TCP_CLOSE_WAIT);
	assert_position(server, theirs);
	assert_int_equal(shutdown(server, SHUT_WR), 0);
	la_track_half_closed(server, SHUT_WR);
	/* The last ACK comes by itself; an open descriptor then reads CLOSE, which proves nothing more. */
	assert_int_equal(la_facts_position(la_track_facts(theirs, NULL)), LA_STATE_LAST_ACK);
	tracked_close(client);
	tracked_close(server);
}

static void a_shutdown_of_the_reading_side_is_no_fin(void **state)
{
	int client = tracked_connect(), server = tracked_accept();
	uint32_t theirs = LA_SLOT_INDEX(la_slot_load(server));
	char byte;

	(void)state;
	assert_int_equal(shutdown(server, SHUT_RD), 0);
	la_track_half_closed(server, SHUT_RD);
	assert_int_equal(read(server, &byte, 1), 0);
	la_track_read_end(server, la_slot_load(server));
	assert_int_equal(la_track_facts(theirs, NULL), 0);
	assert_position(server, theirs);
	tracked_close(client);
	tracked_close(server);
}

static void a_duplicate_keeps_the_connection(void **state)
{
	int client = tracked_connect(), server = tracked_accept();
	struct la_connection_record *record = record_of(server);
	uint64_t slot = la_slot_load(server);
	int copy = dup(server);
	struct la_release release;

	(void)state;
	assert_true(la_track_is_sole(slot));
	la_track_duplicated(slot, copy);
	assert_false(la_track_is_sole(slot));
	release = tracked_close(server);
	assert_true(release.tracked);
	assert_false(release.last_here);
	assert_false(release.last);
	assert_int_equal(phase_of(record), LA_PHASE_OPEN);
	assert_int_equal(la_track_facts(LA_SLOT_INDEX(slot), NULL), 0);
	release = tracked_close(copy);
	assert_true(release.last_here);
	assert_true(release.last);
	assert_int_equal(phase_of(record), LA_PHASE_CLOSED);
	tracked_close(client);
}

static void more_duplicates_than_16_bits_can_count(void **state)
{
	enum { FIRST = 1000000, COPIES = 65536 };
	int client = tracked_connect(), server = tracked_accept(), i;
	uint64_t slot = la_slot_load(server);

	(void)state;
	for (i = 0; i < COPIES; i++)
		la_track_duplicated(slot, FIRST + i);
	assert_false(la_track_is_sole(slot));
	for (i = 0; i < COPIES; i++)
		assert_false(la_track_release(FIRST + i).last_here);
	assert_true(tracked_close(server).last);
	tracked_close(client);
}

static void dup2_ends_the_one_and_names_the_other(void **state)
{
	int client = tracked_connect(), first = tracked_accept();
	int other = tracked_connect(), second = tracked_accept();
	uint64_t slot = la_slot_load(first);
	struct la_connection_record *kept = record_of(first), *ended = record_of(second);
	struct la_release release = la_track_release(second);

	(void)state;
	assert_true(release.last);
	la_track_closed(&release, second);
	assert_int_equal(dup2(first, second), second);
	la_track_duplicated(slot, second);
	assert_int_equal(phase_of(ended), LA_PHASE_CLOSED);
	assert_ptr_equal(record_of(second), kept);
	assert_false(tracked_close(first).last);
	assert_true(tracked_close(second).last);
	tracked_close(client);
	tracked_close(other);
}

static void a_number_closed_behind_our_back_is_found_out(void **state)
{
	int client = tracked_connect(), server = tracked_accept();
	struct la_connection_record *old = record_of(server), *new;
	uint32_t index = LA_SLOT_INDEX(la_slot_load(server));
	int other, again;

	(void)state;
	other = tracked_connect();
	syscall(SYS_close, server);
	again = tracked_accept();
	assert_int_equal(again, server);
	new = record_of(again);
	assert_ptr_not_equal(new, old);
	assert_int_equal(phase_of(old), LA_PHASE_CLOSED);
	assert_true(la_track_facts(index, NULL) & LA_FACT_FIN_SENT);
	assert_int_equal(phase_of(new), LA_PHASE_OPEN);
	assert_true(la_track_is_sole(la_slot_load(again)));
	tracked_close(client);
	tracked_close(other);
	assert_true(tracked_close(again).last);
}

static void an_unknown_holder_is_never_ruled_out(void **state)
{
	int client = tracked_connect(), server = tracked_accept();
	struct la_connection_record *record = record_of(server);
	struct la_release release;

	(void)state;
	la_track_share(server);
	assert_true(atomic_load(&record->holders) & LA_HOLDER_UNKNOWN);
	assert_false(la_track_is_sole(la_slot_load(server)));
	release = tracked_close(server);
	assert_true(release.last_here);
	assert_false(release.last);
	tracked_close(client);
}

static void accepted_sockets_inherit_linger(void **state)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int client, server;

	(void)state;
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	la_track_linger(listener, true, 0);
	client = tracked_connect();
	server = tracked_accept();
	assert_true(
		LA_WORD_FLAGS(atomic_load(&record_of(server)->word)) & LA_CONNECTION_LINGER_RESET);
	reset.l_onoff = 0;
	assert_int_equal(setsockopt(server, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	la_track_linger(server, false, 0);
	assert_false(
		LA_WORD_FLAGS(atomic_load(&record_of(server)->word)) & LA_CONNECTION_LINGER_RESET);
	tracked_close(client);
	tracked_close(server);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	la_track_linger(listener, false, 0);
}

static void a_failed_connect_leaves_a_socket_without_connection(void **state)
{
	int client = tracked_connect(), server = tracked_accept();
	uint32_t index = LA_SLOT_INDEX(la_slot_load(client));

	(void)state;
	la_track_disconnected(client);
	assert_false(LA_SLOT_TRACKED(la_slot_load(client)));
	assert_true(LA_SLOT_FLAGS(la_slot_load(client)) & LA_SLOT_TCP);
	assert_int_equal(phase_of(record_at(index)), LA_PHASE_CLOSED);
	assert_false(tracked_close(client).tracked);
	tracked_close(server);
}

static void sockets_that_are_not_tcp_are_left_alone(void **state)
{
	int fds[2], unix_listener;
	struct la_names names;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	la_track_connected(fds[0], false);
	la_track_received(fds[1]);
	assert_int_equal(la_slot_load(fds[0]), 0);
	assert_int_equal(la_slot_load(fds[1]), 0);
	assert_true(la_kernel_names(fds[0], &names) < 0);
	assert_false(la_track_release(fds[0]).tracked);
	assert_false(la_track_release(-1).tracked);
	assert_false(la_track_release(0x7fffffff).tracked);
	close(fds[0]);
	close(fds[1]);
	unix_listener = socket(AF_UNIX, SOCK_STREAM, 0);
	la_track_listening(unix_listener);
	assert_int_equal(la_slot_load(unix_listener), 0);
	close(unix_listener);
}

static void many_cycles_need_few_records(void **state)
{
	struct la_region *region = atomic_load(&la_track_region);
	uint32_t open = atomic_load(&region->header->connections_open);
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		int client = untracked_connect(), server = tracked_accept();
		struct la_release release;

		close_by_reset(client);
		release = tracked_close(server);
		assert_true(release.last);
	}
	assert_int_equal(atomic_load(&region->header->connections_open), open);
	assert_true(atomic_load(&region->header->connections_high) <= 4096 + 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_listener_has_a_record),
		cmocka_unit_test(both_ends_have_roles_addresses_and_cookies),
		cmocka_unit_test(positions_are_the_kernels),
		cmocka_unit_test(a_shutdown_of_the_reading_side_is_no_fin),
		cmocka_unit_test(a_duplicate_keeps_the_connection),
		cmocka_unit_test(more_duplicates_than_16_bits_can_count),
		cmocka_unit_test(dup2_ends_the_one_and_names_the_other),
		cmocka_unit_test(a_number_closed_behind_our_back_is_found_out),
		cmocka_unit_test(an_unknown_holder_is_never_ruled_out),
		cmocka_unit_test(accepted_sockets_inherit_linger),
		cmocka_unit_test(a_failed_connect_leaves_a_socket_without_connection),
		cmocka_unit_test(sockets_that_are_not_tcp_are_left_alone),
		cmocka_unit_test(many_cycles_need_few_records),
	};

	return cmocka_run_group_tests_name("track", tests, setup, end_tracking);
}
