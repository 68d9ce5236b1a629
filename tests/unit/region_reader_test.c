/* SPDX-License-Identifier: MIT */
/*
 * The reader of regions: what is in one comes back, and what only looks like one is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "region_image.h"

static char folder[64], path[96], other[96];
static struct image image;
static struct la_region_copy copy;
static char error[160];

static void write_bytes(const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

static int read_image(void)
{
	write_bytes(&image, sizeof(image));
	la_region_copy_free(&copy);
	return la_region_read(path, &copy, error);
}

/* Refused with this code and a sentence that holds these words; nothing is left to free. */
static void refuses(const char *file, int code, const char *words)
{
	int result = la_region_read(file, &copy, error);

	if (result != code || !strstr(error, words))
		fail_msg("%s: %d \"%s\", and not %d \"%s\"", file, result, error, code, words);
	assert_null(copy.connections);
	assert_null(copy.processes);
}

static int start(void **state)
{
	(void)state;
	image_fill(&image);
	return 0;
}

static int end(void **state)
{
	(void)state;
	la_region_copy_free(&copy);
	unlink(other);
	unlink(path);
	return 0;
}

static void everything_that_was_written_is_read_back(void **state)
{
	const struct la_read_connection *connection;

	(void)state;
	assert_int_equal(read_image(), 0);
	assert_string_equal(error, "");
	assert_string_equal(copy.path, path);
	assert_true(copy.same_boot);
	assert_int_equal(copy.created_us, 900000);
	assert_int_equal(copy.creator_pid, getpid());
	assert_int_equal(copy.processes_count, 1);
	assert_string_equal(copy.processes[0].exe, "server");
	assert_int_equal(copy.processes[0].pid, getpid());
	assert_int_equal(copy.processes[0].started_us, 900001);
	assert_int_equal(copy.processes[0].helper_us, 900002);
	assert_true(copy.processes[0].alive);
	assert_int_equal(copy.connections_count, 3); /* the one being opened is not shown */
	connection = &copy.connections[1];
	assert_int_equal(connection->index, 1);
	assert_int_equal(connection->generation, GENERATION);
	assert_int_equal(connection->phase, LA_PHASE_DRAINING);
	assert_int_equal(connection->flags, LA_CONNECTION_LINGER_TIMED);
	assert_int_equal(connection->cookie, 0x1001);
	assert_int_equal(connection->opened_us, OPENED_US);
	assert_int_equal(connection->fd, 11);
	assert_int_equal(connection->tid, getpid() + 1);
	assert_int_equal(connection->role, LA_ROLE_SERVER);
	assert_int_equal(connection->local_port, 8080);
	assert_int_equal(connection->remote_port, 40001);
	assert_memory_equal(connection->remote, image.connections[1].remote, 16);
	assert_int_equal(connection->open_stack, 1);
	assert_int_equal(connection->facts, 0);
	assert_int_equal(copy.connections[2].index, 3);
}

static void stacks_modules_counters_and_policy_are_read_back(void **state)
{
	(void)state;
	assert_int_equal(read_image(), 0);
	assert_int_equal(copy.stacks_count, 2);
	assert_int_equal(copy.stacks[1].depth, 2);
	assert_int_equal(copy.stacks[1].frames[0].module, 1);
	assert_int_equal(copy.stacks[1].frames[0].offset, 0x1235);
	assert_int_equal(copy.modules_count, 1);
	assert_string_equal(copy.modules[0].path, "/usr/sbin/server");
	assert_int_equal(copy.modules[0].build_id_bytes, 20);
	assert_int_equal(copy.counters[LA_COUNT_OPENED_SERVER], 7);
	assert_true(copy.has_policy);
	assert_string_equal(copy.policy.name, "test");
	assert_int_equal(copy.policy.rules_count, 1);
	assert_int_equal(copy.policy.rules[0].steps_count, 2);
}

/* As process 0 wrote it. */
static void refuse_policy(uint64_t started_us, const char *reason)
{
	image.refusals[0].sequence = 2;
	image.refusals[0].started_us = started_us;
	image.refusals[0].since_us = 777;
	memcpy(image.refusals[0].reason, reason, strnlen(reason, sizeof(image.refusals[0].reason)));
}

static void a_refused_policy_is_read_back_with_its_reason(void **state)
{
	(void)state;
	refuse_policy(image.processes[0].started_us, "a.policy:3:1: what?");
	assert_int_equal(read_image(), 0);
	assert_string_equal(copy.processes[0].refusal, "a.policy:3:1: what?");
	assert_int_equal(copy.processes[0].refused_us, 777);
}

static void a_reason_of_an_earlier_process_or_half_written_is_left_out(void **state)
{
	(void)state;
	refuse_policy(image.processes[0].started_us + 1, "of another");
	assert_int_equal(read_image(), 0);
	assert_string_equal(copy.processes[0].refusal, "");
	image_fill(&image);
	refuse_policy(image.processes[0].started_us, "half");
	image.refusals[0].sequence = 3;
	assert_int_equal(read_image(), 0);
	assert_string_equal(copy.processes[0].refusal, "");
}

static void a_reason_is_printable_and_ends(void **state)
{
	char endless[sizeof(image.refusals[0].reason) + 1];

	(void)state;
	memset(endless, '\x1b', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	refuse_policy(image.processes[0].started_us, endless);
	memset(image.refusals[0].reserved2, 'x', sizeof(image.refusals[0].reserved2));
	assert_int_equal(read_image(), 0);
	assert_int_equal(strlen(copy.processes[0].refusal), sizeof(endless) - 2);
	assert_null(strpbrk(copy.processes[0].refusal, "\x1bx"));
}

static void rows_of_several_threads_are_joined_to_their_minimum(void **state)
{
	const struct la_read_connection *connection;

	(void)state;
	image_row(&image, 0, 0, 0, GENERATION, LA_SEEN_EOF, 3000000);
	image_row(&image, 1, 9, 0, GENERATION, LA_SEEN_EOF, 2000000);
	image_row(&image, 1, 17, 3, GENERATION, LA_SEEN_EOF, 1500000); /* another connection's */
	image_row_stack(&image, 1, 9, 2);
	image.connections[0].own[LA_SEEN_EOF] = LA_INSTANT_MAKE(GENERATION, 4000000);
	image.connections[0].folded[LA_SEEN_SHUTDOWN] = LA_INSTANT_MAKE(GENERATION, 5000000);
	assert_int_equal(read_image(), 0);
	connection = &copy.connections[0];
	assert_int_equal(connection->seen_us[LA_SEEN_EOF], 2000000);
	assert_int_equal(connection->seen_us[LA_SEEN_SHUTDOWN], 5000000);
	assert_int_equal(connection->seen_us[LA_SEEN_CLOSE], 0);
	assert_int_equal(
		connection->facts, LA_FACT_FIN_RECEIVED | LA_FACT_FIN_SENT | LA_FACT_THEIRS_FIRST);
	assert_int_equal(connection->eof_stack, 2);
	assert_int_equal(copy.connections[1].facts, 0);
	assert_int_equal(copy.connections[2].seen_us[LA_SEEN_EOF], 1500000);
}

static void a_row_that_is_being_folded_still_counts(void **state)
{
	(void)state;
	image_row(&image, 0, 0, 0, GENERATION, LA_SEEN_EOF, 3000000);
	image.threads[0].rows[0].key |= LA_ROW_LEAVING;
	image.threads[0].rows[1].key = ~0ull;
	assert_int_equal(read_image(), 0);
	assert_int_equal(copy.connections[0].seen_us[LA_SEEN_EOF], 3000000);
}

/* Left by a thread that walked its stack while the record, or the row, was given to this connection. */
static void a_stack_of_another_connection_is_not_shown(void **state)
{
	(void)state;
	image_row(&image, 0, 0, 0, GENERATION, LA_SEEN_SHUTDOWN, 3000000);
	image.threads[0].rows[0].stack[1] =
		LA_STACK_MAKE(la_row_tag(image.threads[0].rows[0].key) + 1, 1);
	image.connections[0].own[LA_SEEN_EOF] = LA_INSTANT_MAKE(GENERATION, 4000000);
	image.connections[0].stack[0] = LA_STACK_MAKE(GENERATION - 1, 1);
	image.connections[1].own[LA_SEEN_EOF] = LA_INSTANT_MAKE(GENERATION, 4000000);
	image.connections[1].stack[0] = LA_STACK_MAKE(GENERATION, 1);
	assert_int_equal(read_image(), 0);
	assert_int_equal(copy.connections[0].eof_stack, 0);
	assert_int_equal(copy.connections[0].shutdown_stack, 0);
	assert_int_equal(copy.connections[1].eof_stack, 1);
}

static void a_row_and_an_instant_of_an_older_generation_are_ignored(void **state)
{
	(void)state;
	image_row(&image, 0, 0, 0, GENERATION - 1, LA_SEEN_EOF, 3000000);
	/* Same low 16 bits, so only the key tells it from ours. */
	image_row(&image, 0, 1, 0, GENERATION & 0xffff, LA_SEEN_RESET, 3000000);
	image.connections[0].own[LA_SEEN_CLOSE] = LA_INSTANT_MAKE(GENERATION - 1, 3000000);
	image.connections[0].folded[LA_SEEN_CLOSE] = LA_INSTANT_MAKE(GENERATION + 1, 3000000);
	image.connections[0].folded[LA_SEEN_SHUTDOWN] = LA_INSTANT_MAKE(GENERATION, 0);
	image.connections[0].opened = LA_INSTANT_MAKE(GENERATION - 1, OPENED_US);
	assert_int_equal(read_image(), 0);
	assert_int_equal(copy.connections[0].facts, 0);
	assert_int_equal(copy.connections[0].opened_us, 0);
	for (int s = 0; s < LA_SEEN_COUNT; s++)
		assert_int_equal(copy.connections[0].seen_us[s], 0);
}

static void a_region_of_another_boot_has_no_living_process(void **state)
{
	(void)state;
	for (int i = 0; i < 16; i += 15) {
		image_fill(&image);
		image.header.boot_id[i] ^= 1;
		assert_int_equal(read_image(), 0);
		assert_false(copy.same_boot);
		assert_int_equal(copy.processes_count, 1);
		assert_false(copy.processes[0].alive);
	}
}

static void a_pid_that_was_given_to_someone_else_is_not_alive(void **state)
{
	(void)state;
	image.processes[0].start_ticks = 1;
	image.processes[2].pid = 0x7ffffff0;
	assert_int_equal(read_image(), 0);
	assert_int_equal(copy.processes_count, 2);
	assert_false(copy.processes[0].alive);
	assert_int_equal(copy.processes[1].index, 2);
	assert_false(copy.processes[1].alive);
}

/* What a child that did `how` is taken for. It is waited for by WNOWAIT: a zombie stays one. */
static bool child_is_alive(void *(*how)(void *))
{
	siginfo_t ended;
	int alive, ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		how(&ready[1]);
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 0) /* closed, not written to: it ended */
		assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
	image.processes[0].pid = (uint32_t)child;
	assert_int_equal(read_image(), 0);
	alive = copy.processes[0].alive;
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(ready[0]);
	/* And once it was reaped, nothing is left. */
	assert_int_equal(read_image(), 0);
	assert_false(copy.processes[0].alive);
	return alive;
}

static void *ends(void *ready)
{
	return ready;
}

/* The main thread's state as /proc shows it. */
static char main_thread_state(void)
{
	char text[256] = "", *at;
	FILE *file = fopen("/proc/self/stat", "re");

	if (!file || !fgets(text, sizeof(text), file))
		_exit(1);
	fclose(file);
	at = strrchr(text, ')');
	return at ? at[2] : '?';
}

static void *serves_on(void *ready)
{
	while (main_thread_state() != 'Z')
		sched_yield();
	if (write(*(int *)ready, "", 1) == 1)
		pause();
	_exit(1);
}

static void *leaves_a_thread_behind(void *ready)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, serves_on, ready) != 0)
		_exit(1);
	syscall(SYS_exit,
		0); /* as pthread_exit() ends, without running what is registered for it */
	return NULL;
}

static void a_zombie_is_not_alive(void **state)
{
	(void)state;
	assert_false(child_is_alive(ends));
}

static void a_process_whose_main_thread_ended_is_alive(void **state)
{
	(void)state;
	assert_true(child_is_alive(leaves_a_thread_behind));
}

static void strings_without_an_end_are_ended(void **state)
{
	(void)state;
	memset(image.processes[0].exe, 'x', sizeof(image.processes[0].exe));
	memset(image.modules[0].path, 'y', sizeof(image.modules[0].path));
	assert_int_equal(read_image(), 0);
	assert_int_equal(strlen(copy.processes[0].exe), 64);
	assert_int_equal(strlen(copy.modules[0].path), 212);
}

#include "region_reader_live.h"
#include "region_reader_refuses.h"

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	int failed;
#define T(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		T(everything_that_was_written_is_read_back),
		T(stacks_modules_counters_and_policy_are_read_back),
		T(a_refused_policy_is_read_back_with_its_reason),
		T(a_reason_of_an_earlier_process_or_half_written_is_left_out),
		T(a_reason_is_printable_and_ends),
		T(rows_of_several_threads_are_joined_to_their_minimum),
		T(a_row_that_is_being_folded_still_counts),
		T(a_stack_of_another_connection_is_not_shown),
		T(a_row_and_an_instant_of_an_older_generation_are_ignored),
		T(a_region_of_another_boot_has_no_living_process),
		T(a_pid_that_was_given_to_someone_else_is_not_alive),
		T(a_zombie_is_not_alive),
		T(a_process_whose_main_thread_ended_is_alive),
		T(strings_without_an_end_are_ended),
		T(every_one_of_many_connections_is_read_whatever_its_alignment),
		T(a_record_that_changes_hands_is_never_a_mixture_of_two),
		T(references_beyond_a_table_become_none),
		T(entries_that_grew_in_a_later_version_are_stepped_over),
		T(a_policy_that_is_being_written_or_damaged_is_left_out),
		T(a_region_cut_anywhere_is_refused),
		T(sections_outside_the_file_are_refused),
		T(what_lies_between_entries_far_apart_is_not_read),
		T(what_is_no_region_is_refused_with_a_reason),
		T(random_damage_never_crashes_the_reader),
	};

	snprintf(folder, sizeof(folder), "%.40s/region-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/1.region", folder);
	snprintf(other, sizeof(other), "%s/2.region", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
