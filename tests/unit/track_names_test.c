/* SPDX-License-Identifier: MIT */
/*
 * A socket of several names, some of them older than its connection; and one that is connected anew. Found by tests/differential.
 */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "track_helpers.h"

static int setup(void **state)
{
	(void)state;
	return start_tracking(60);
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	la_track_socket(fd, LA_SLOT_TCP);
	return fd;
}

static void connect_it(int fd)
{
	assert_int_equal(
		connect(fd, (struct sockaddr *)&listener_address, sizeof(listener_address)), 0);
	la_track_connected(fd, false);
}

static void disconnect_it(int fd)
{
	struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	assert_int_equal(connect(fd, &nowhere, sizeof(nowhere)), 0);
	la_track_disconnected(fd);
}

static bool is_shared(int fd)
{
	return atomic_load(&record_of(fd)->holders) & LA_HOLDER_UNKNOWN;
}

static void a_name_from_before_the_connect_is_a_holder(void **state)
{
	int fd = new_socket(), other, server;

	(void)state;
	other = dup(fd);
	la_track_share(fd); /* as the hook does before the call */
	la_track_duplicated(la_slot_load(fd), other);
	connect_it(other);
	server = tracked_accept();
	assert_true(is_shared(other));
	assert_false(tracked_close(other).last);
	tracked_close(fd);
	tracked_close(server);
}

/* As the hook does it. */
static pid_t tracked_fork(void)
{
	uint32_t outer = la_track_before_fork();
	pid_t child = fork();

	la_track_after_fork(child, outer);
	assert_true(child >= 0);
	return child;
}

static void a_child_from_before_the_connect_is_a_holder(void **state)
{
	int fd = new_socket(), server, status;
	pid_t child = tracked_fork();

	(void)state;
	if (child == 0) {
		alarm(30);
		pause();
		_exit(0);
	}
	connect_it(fd);
	server = tracked_accept();
	assert_true(is_shared(fd));
	assert_false(tracked_close(fd).last);
	tracked_close(server);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
}

static void a_socket_of_one_name_is_not_shared(void **state)
{
	int fd = tracked_connect(), server = tracked_accept();

	(void)state;
	assert_false(is_shared(fd));
	assert_false(is_shared(server));
	assert_true(tracked_close(fd).last);
	tracked_close(server);
}

static void a_name_that_is_connected_anew_has_a_new_record(void **state)
{
	int fd = tracked_connect(), server = tracked_accept(), second;
	struct la_connection_record *first = record_of(fd);
	struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	(void)state;
	/* Out of our sight, so that the number still says that it is the first. */
	la_track_saw(la_slot_load(fd), LA_SEEN_RESET);
	assert_int_equal(connect(fd, &nowhere, sizeof(nowhere)), 0);
	connect_it(fd);
	second = tracked_accept();
	assert_ptr_not_equal(record_of(fd), first);
	assert_int_equal(phase_of(first), LA_PHASE_CLOSED);
	assert_int_equal(la_track_facts(LA_SLOT_INDEX(la_slot_load(fd)), NULL), 0);
	tracked_close(fd);
	tracked_close(server);
	tracked_close(second);
}

static void other_names_of_what_is_connected_anew_are_holders(void **state)
{
	int fd = tracked_connect(), server = tracked_accept(), other = dup(fd), second;

	(void)state;
	la_track_duplicated(la_slot_load(fd), other);
	disconnect_it(fd);
	connect_it(other); /* by the name that still has the first record */
	second = tracked_accept();
	assert_true(is_shared(other));
	assert_false(tracked_close(other).last);
	tracked_close(fd);
	tracked_close(server);
	tracked_close(second);
}

static void what_only_unknown_holders_have_is_closed_as_far_as_we_know(void **state)
{
	struct la_region *region = atomic_load(&la_track_region);
	uint32_t open = atomic_load(&region->header->connections_open);
	int fd = tracked_connect(), server = tracked_accept();
	struct la_connection_record *record = record_of(fd);

	(void)state;
	la_track_share(fd);
	disconnect_it(fd);
	assert_int_equal(phase_of(record), LA_PHASE_CLOSED);
	tracked_close(fd);
	tracked_close(server);
	assert_int_equal(atomic_load(&region->header->connections_open), open);
}

/* A server that forks for each connection, and whose children end by _exit. */
static void connections_of_dead_children_are_given_back(void **state)
{
	struct la_region *region = atomic_load(&la_track_region);
	uint32_t open = atomic_load(&region->header->connections_open);
	int i;

	(void)state;
	for (i = 0; i < 3 * LA_REGION_PROCESSES; i++) {
		int client = untracked_connect(), server = tracked_accept(), status;
		pid_t child = tracked_fork();

		if (child == 0) {
			int its_own = tracked_connect();

			_exit(its_own < 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		tracked_close(server);
		close_by_reset(client);
		tracked_close(tracked_accept());
	}
	assert_true(atomic_load(&region->header->connections_open) <= open + LA_REGION_PROCESSES);
}

/* exit(), not _exit(): la_track_finish() runs. */
static void a_child_that_exits_gives_its_connections_back(void **state)
{
	struct la_region *region = atomic_load(&la_track_region);
	uint32_t open = atomic_load(&region->header->connections_open);
	pid_t child = tracked_fork();
	int status;

	(void)state;
	if (child == 0) {
		tracked_connect();
		la_track_finish();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	tracked_close(tracked_accept());
	assert_int_equal(atomic_load(&region->header->connections_open), open);
}

/* A drain ends with its process, and its record with it: by exit(), and by a signal, which is found out when the entry is needed. */
static void a_drain_that_dies_with_its_process_is_over(void **state)
{
	struct la_region *region = atomic_load(&la_track_region);
	uint32_t open = atomic_load(&region->header->connections_open);
	int status, i;

	(void)state;
	for (i = 0; i < 3 * LA_REGION_PROCESSES; i++) {
		pid_t child = tracked_fork();

		if (child == 0) {
			struct la_release release = la_track_release(tracked_connect());

			if (!release.last)
				_exit(1);
			la_track_draining(&release);
			if (i % 2)
				la_track_finish();
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		tracked_close(tracked_accept());
	}
	assert_true(atomic_load(&region->header->connections_open) <= open + LA_REGION_PROCESSES);
}

/* Entries with a number that is neither ours nor that of `child`. */
static int numbers_of_others(pid_t child)
{
	struct la_region *region = atomic_load(&la_track_region);
	int others = 0;
	uint32_t i;

	for (i = 0; i < LA_REGION_PROCESSES; i++) {
		pid_t pid = (pid_t)atomic_load(&region->processes[i].pid);

		others += pid && pid != 0x7fffffff && pid != getpid() && pid != child;
	}
	return others;
}

/* We, our first process in a new PID namespace, and that one's child, which has a number there that is somebody else's here. */
static int family_of_three(void)
{
	int ready[2], go[2], others = numbers_of_others(0), status;
	pid_t first, child;
	char byte;

	alarm(30);
	if (pipe(ready) != 0 || pipe(go) != 0)
		return 3;
	first = tracked_fork();
	if (first == 0) {
		child = tracked_fork();
		close(go[1]);
		if (child > 0 && write(ready[1], "r", 1) != 1)
			_exit(3);
		if (read(go[0], &byte, 1) != 0 || (child > 0 && waitpid(child, NULL, 0) != child))
			_exit(3);
		la_track_finish();
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		return 3;
	others = numbers_of_others(first) - others;
	close(go[1]);
	if (waitpid(first, &status, 0) != first || status != 0)
		return 3;
	la_track_finish();
	return others;
}

static void a_number_in_another_pid_namespace_is_nobodys_here(void **state)
{
	int server = tracked_connect(), client = tracked_accept(), status;
	pid_t parent = tracked_fork();

	(void)state;
	if (parent == 0)
		_exit(unshare(CLONE_NEWPID) != 0 ? 4 : family_of_three());
	assert_int_equal(waitpid(parent, &status, 0), parent);
	tracked_close(server);
	tracked_close(client);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 4)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_from_before_the_connect_is_a_holder),
		cmocka_unit_test(a_child_from_before_the_connect_is_a_holder),
		cmocka_unit_test(a_socket_of_one_name_is_not_shared),
		cmocka_unit_test(a_name_that_is_connected_anew_has_a_new_record),
		cmocka_unit_test(other_names_of_what_is_connected_anew_are_holders),
		cmocka_unit_test(what_only_unknown_holders_have_is_closed_as_far_as_we_know),
		cmocka_unit_test(a_child_that_exits_gives_its_connections_back),
		cmocka_unit_test(a_number_in_another_pid_namespace_is_nobodys_here),
		cmocka_unit_test(connections_of_dead_children_are_given_back),
		cmocka_unit_test(a_drain_that_dies_with_its_process_is_over),
	};

	return cmocka_run_group_tests_name("track_names", tests, setup, end_tracking);
}
