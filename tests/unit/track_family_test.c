/* SPDX-License-Identifier: MIT */
/*
 * Tracking across fork and threads: who still holds a connection, and what several threads saw of it.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "track_helpers.h"

static int setup(void **state)
{
	(void)state;
	return start_tracking(120);
}

struct child {
	pid_t pid;
	int go, ready; /* pipes: to it, from it */
};

/* What a child found goes into its exit status. */
enum { FOUND_LAST = 1, FOUND_LAST_HERE = 2, FOUND_TRACKED = 4 };

/* A child that waits for a byte (or the end of the pipe), then closes `fd` and tells what it found. */
static struct child holding_child(int fd)
{
	struct child child;
	int go[2], ready[2];
	char byte;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(ready), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		struct la_release release;

		alarm(30);
		close(go[1]);
		if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) < 0)
			_exit(64);
		release = tracked_close(fd);
		_exit((release.last ? FOUND_LAST : 0) | (release.last_here ? FOUND_LAST_HERE : 0) |
			(release.tracked ? FOUND_TRACKED : 0));
	}
	close(go[0]);
	close(ready[1]);
	child.go = go[1];
	child.ready = ready[0];
	assert_int_equal(read(child.ready, &byte, 1), 1);
	return child;
}

static int end_child(struct child *child)
{
	int status;

	close(child->go);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	close(child->ready);
	return status;
}

static int found_by(struct child *child)
{
	int status = end_child(child);

	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void the_last_of_two_processes_is_last(void **state)
{
	int client = tracked_connect(), server = tracked_accept();
	struct la_connection_record *record = record_of(server);
	struct child child = holding_child(server);
	struct la_release release;

	(void)state;
	assert_false(la_track_is_sole(la_slot_load(server)));
	release = tracked_close(server);
	assert_true(release.last_here);
	assert_false(release.last);
	assert_int_equal(phase_of(record), LA_PHASE_OPEN);
	assert_int_equal(found_by(&child), FOUND_LAST | FOUND_LAST_HERE | FOUND_TRACKED);
	assert_int_equal(phase_of(record), LA_PHASE_CLOSED);
	tracked_close(client);
}

static void the_child_that_closes_first_is_not(void **state)
{
	int client = tracked_connect(), server = tracked_accept();
	struct child child = holding_child(server);

	(void)state;
	assert_int_equal(found_by(&child), FOUND_LAST_HERE | FOUND_TRACKED);
	assert_true(la_track_is_sole(la_slot_load(server)));
	assert_true(tracked_close(server).last);
	tracked_close(client);
}

/* Two numbers before the fork are two in the child, too. */
static void a_fork_copies_the_duplicates(void **state)
{
	int client = tracked_connect(), server = tracked_accept(), copy = dup(server);
	struct child child;

	(void)state;
	la_track_duplicated(la_slot_load(server), copy);
	child = holding_child(server);
	assert_false(tracked_close(server).last_here);
	assert_false(tracked_close(copy).last);
	assert_int_equal(found_by(&child), FOUND_TRACKED);
	tracked_close(client);
}

static void a_killed_child_no_longer_counts(void **state)
{
	int client = tracked_connect(), server = tracked_accept();
	struct child child = holding_child(server);
	int status;

	(void)state;
	assert_false(la_track_is_sole(la_slot_load(server)));
	assert_int_equal(kill(child.pid, SIGKILL), 0);
	status = end_child(&child);
	assert_true(WIFSIGNALED(status));
	assert_true(la_track_is_sole(la_slot_load(server)));
	assert_true(tracked_close(server).last);
	tracked_close(client);
}

/* More children one after another than the region has entries. */
/* A server that gives each connection to a child, which ends in its own way: `finish` as exit() does it, else as _exit() does. */
static void give_away(bool finish)
{
	int client = tracked_connect(), server = tracked_accept();
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		la_track_saw(la_slot_load(server), LA_SEEN_PEER_FIN); /* claims a table */
		if (finish)
			la_track_finish();
		_exit(0);
	}
	tracked_close(server);
	assert_int_equal(waitpid(child, NULL, 0), child);
	tracked_close(client);
}

static void connections_end_with_the_children_that_hold_them(void **state)
{
	struct la_region *region = atomic_load(&la_track_region);
	uint32_t before = atomic_load(&region->header->connections_open);
	int i;

	(void)state;
	for (i = 0; i < 4 * LA_REGION_PROCESSES; i++)
		give_away(i % 2);
	/* The dead ones are found out when their entries are needed, those that finished at once. */
	assert_true(atomic_load(&region->header->connections_open) <= before + LA_REGION_PROCESSES);
}

static void many_children_need_few_tables(void **state)
{
	struct la_region *region = atomic_load(&la_track_region);
	int i;

	(void)state;
	for (i = 0; i < 4 * LA_REGION_PROCESSES; i++)
		give_away(true);
	assert_true(atomic_load(&region->header->threads_high) <= 2 * LA_REGION_PROCESSES);
}

static void entries_of_dead_processes_are_used_again(void **state)
{
	int client = tracked_connect(), server = tracked_accept(), i;

	(void)state;
	for (i = 0; i < 3 * LA_REGION_PROCESSES; i++) {
		struct child child = holding_child(server);

		if (i % 2)
			assert_int_equal(kill(child.pid, SIGKILL), 0);
		end_child(&child);
	}
	assert_false(atomic_load(&record_of(server)->holders) & LA_HOLDER_UNKNOWN);
	assert_true(tracked_close(server).last);
	tracked_close(client);
}

/* By raw clone: no handler ran, so nobody knows who of the two closes last. */
static void a_fork_past_our_sight_shares_everything(void **state)
{
	int client = tracked_connect(), server = tracked_accept(), status;
	struct la_connection_record *record = record_of(server);
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	(void)state;
	if (pid == 0) {
		struct la_release release;

		if (la_track_here() != LA_HERE_SELF)
			_exit(64);
		release = tracked_close(server);
		_exit((release.last ? FOUND_LAST : 0) | (release.tracked ? FOUND_TRACKED : 0));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, FOUND_TRACKED << 8);
	assert_true(atomic_load(&record->holders) & LA_HOLDER_UNKNOWN);
	assert_false(tracked_close(server).last);
	tracked_close(client);
}

struct sight {
	uint64_t slot;
	enum la_seen seen;
};

static void *see(void *value)
{
	struct sight *sight = value;

	la_track_saw(sight->slot, sight->seen);
	return NULL;
}

static void in_a_thread(void *(*run)(void *), void *value)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run, value), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void facts_are_joined_from_all_threads(void **state)
{
	int client = tracked_connect(), server = tracked_accept(), i;
	uint64_t slot = la_slot_load(server), since[LA_SEEN_COUNT], started = la_now_us();
	struct sight sights[] = {
		{slot, LA_SEEN_EOF}, {slot, LA_SEEN_SHUTDOWN}, {slot, LA_SEEN_OURS_FIRST}};

	(void)state;
	assert_int_equal(la_track_facts(LA_SLOT_INDEX(slot), NULL), 0);
	for (i = 0; i < 3; i++)
		in_a_thread(see, &sights[i]);
	assert_int_equal(la_track_facts(LA_SLOT_INDEX(slot), since),
		LA_FACT_FIN_RECEIVED | LA_FACT_FIN_SENT | LA_FACT_OURS_FIRST);
	assert_true(since[LA_SEEN_EOF] >= started);
	assert_true(since[LA_SEEN_EOF] <= since[LA_SEEN_SHUTDOWN]);
	assert_int_equal(since[LA_SEEN_RESET], 0);
	/* The first time counts, whoever saw it. */
	usleep(2000);
	la_track_saw(slot, LA_SEEN_EOF);
	la_track_facts(LA_SLOT_INDEX(slot), since);
	assert_true(since[LA_SEEN_EOF] <= since[LA_SEEN_SHUTDOWN]);
	tracked_close(client);
	tracked_close(server);
}

static void many_threads_need_few_tables(void **state)
{
	struct la_region *region = atomic_load(&la_track_region);
	int client = tracked_connect(), server = tracked_accept(), i;
	struct sight sight = {la_slot_load(server), LA_SEEN_PEER_FIN};

	(void)state;
	for (i = 0; i < 2000; i++)
		in_a_thread(see, &sight);
	assert_true(atomic_load(&region->header->threads_high) <= 16);
	tracked_close(client);
	tracked_close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_of_two_processes_is_last),
		cmocka_unit_test(the_child_that_closes_first_is_not),
		cmocka_unit_test(a_fork_copies_the_duplicates),
		cmocka_unit_test(a_killed_child_no_longer_counts),
		cmocka_unit_test(entries_of_dead_processes_are_used_again),
		cmocka_unit_test(a_fork_past_our_sight_shares_everything),
		cmocka_unit_test(facts_are_joined_from_all_threads),
		cmocka_unit_test(many_threads_need_few_tables),
		cmocka_unit_test(connections_end_with_the_children_that_hold_them),
		cmocka_unit_test(many_children_need_few_tables),
	};

	return cmocka_run_group_tests_name("track_family", tests, setup, end_tracking);
}
