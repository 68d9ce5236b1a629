/* SPDX-License-Identifier: MIT */
/*
 * A writer that is stopped, and interrupted by a handler that writes too, at every instruction of what it publishes, while other threads, another process of the family and a reader
 * must go on; then writers that are stopped somewhere for ever and killed; then a reader that is stopped at every instruction.
 */
#include <signal.h>

#include "stepping.h"

enum { TURNS = 16, VISITS = 4, STEPPED = 0, KILLS = 40, STACK_DEPTH = 3, HANDLED = 32 };

static const char *const publication[] = {"open_record", "la_record_take", "publish", "publish_new",
	"closed_unseen", "la_record_change", "grow", "la_track_socket", "la_track_connected",
	"la_track_record", "la_track_duplicated", "la_track_release", "la_track_closed",
	"la_holders_living", "la_track_saw", "take_row", "find_row", "fold_row", "record_of_key",
	"la_track_fold", "la_track_count", "la_rows_mine", "la_track_claim_table",
	"la_track_release_table", "la_slot_exchange", "slot_at", "la_track_giving", "la_stack_here",
	"fill", "intern_module", "la_holders_add", "la_instant_join", NULL};
static const char *const reading[] = {"la_region_read", "la_reader_rows", "la_reader_connections",
	"la_reader_entry", "la_reader_bytes", "add_rows", "compare_rows", "join", "join_rows",
	"join_stacks", "take", "take_chunk", "settled", "facts_of", NULL};

/* What the workers call, except what follows these at once. */
static void (*const beginnings[ENTRIES])(void) = {(void (*)(void))la_track_saw,
	(void (*)(void))la_track_socket, (void (*)(void))la_track_release,
	(void (*)(void))la_track_duplicated};

static pid_t family, sibling, reader;

static void be_sibling(void)
{
	alarm(900); /* it outlives its parent */
	work_on(&scene->workers[SIBLING]);
	_exit(0);
}

/* What an interrupted thread's handler is told of. */
static void tell_more(int number)
{
	static uint64_t random;
	int saved = errno, i;

	(void)number;
	for (i = 0; i < HANDLED; i++)
		tell_one(&random, false);
	errno = saved;
}

static void be_family(int pipe_end)
{
	struct sigaction action = {.sa_handler = tell_more, .sa_flags = SA_RESTART};
	pthread_t threads[SIBLING];
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR2, &action, NULL);
	scene_track(STACK_DEPTH);
	sibling = fork();
	if (sibling == 0)
		be_sibling();
	if (write(pipe_end, &sibling, sizeof(sibling)) != sizeof(sibling))
		abort();
	for (i = 0; i < SIBLING; i++)
		if (pthread_create(&threads[i], NULL, work_on, &scene->workers[i]) != 0)
			abort();
	for (i = 0; i < SIBLING; i++)
		pthread_join(threads[i], NULL);
	waitpid(sibling, NULL, 0);
	check_rest(0, SIBLING - 1);
	_exit(0);
}

static void begin(void)
{
	int ends[2], i;

	scene_share();
	for (i = 0; i < WORKERS; i++)
		scene->workers[i].goal = TURNS;
	scene->workers[STEPPED].goal = ~0ull;
	scene->reads_goal = 1;
	if (pipe(ends) != 0)
		abort();
	family = fork();
	if (family == 0)
		be_family(ends[1]);
	if (read(ends[0], &sibling, sizeof(sibling)) != sizeof(sibling))
		abort();
	close(ends[0]);
	close(ends[1]);
	reader = fork();
	if (reader == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		read_on(NULL);
		_exit(0);
	}
	for (i = 0; i < WORKERS; i++)
		while (atomic_load(&scene->workers[i].done) < TURNS)
			usleep(100);
}

static bool have_worked(int first)
{
	int i;

	for (i = first; i < WORKERS; i++)
		if (atomic_load(&scene->workers[i].done) < atomic_load(&scene->workers[i].goal))
			return false;
	return atomic_load(&scene->reads_goal) == ~0ull ||
	       atomic_load(&scene->reads) >= atomic_load(&scene->reads_goal);
}

/* Workers from `first` on do `turns` each, and the reader reads `reads` times. */
static bool others_work(int first, uint64_t turns, uint64_t reads, uint64_t at)
{
	uint64_t end = la_now_ns() + STOPPED_TOO_LONG_S * 1000000000ull;
	int i;

	for (i = first; i < WORKERS; i++)
		atomic_store(&scene->workers[i].goal, atomic_load(&scene->workers[i].done) + turns);
	if (reads)
		atomic_store(&scene->reads_goal, atomic_load(&scene->reads) + reads);
	new_goals();
	while (!have_worked(first)) {
		if (la_now_ns() > end) {
			fail("a thread that stands at %s+%lx stops others", name_of(at), at);
			return false;
		}
		usleep(20);
	}
	return true;
}

static void finish(void)
{
	int status = 0;

	atomic_store(&scene->over, true);
	new_goals();
	waitpid(reader, NULL, 0);
	if (waitpid(family, &status, 0) != family || !WIFEXITED(status) || WEXITSTATUS(status))
		fail("the tracked process ended with status %x", status);
}

static bool is_failed(const char *what)
{
	bool failed = atomic_load(&scene->failures) != 0;

	if (failed)
		printf("%s: FAILED, %u times; first: %s\n", what, atomic_load(&scene->failures),
			scene->why);
	scene_remove();
	return failed;
}

/* Step until nothing new has come for a while. */
static bool step_through(
	const char *what, pid_t thread, uint64_t reads, uint64_t seconds, int signal)
{
	uint64_t end = la_now_ns() + seconds * 1000000000u, at, steps = 0, holds = 0;

	if (!attach(thread)) {
		fail("cannot be traced: %s", strerror(errno));
		return false;
	}
	while (la_now_ns() < end && !atomic_load(&scene->failures)) {
		at = step(thread);
		steps++;
		if (at == ~0ull) {
			fail("it ended");
			return false;
		}
		if (!is_new(at, VISITS))
			continue;
		holds++;
		/* Every other time a handler comes between. */
		if (signal && holds % 2 && !interrupt(thread, signal)) {
			fail("a handler did not return to %s+%lx", name_of(at), at);
			break;
		}
		if (!others_work(1, TURNS, reads, at))
			break;
	}
	ptrace(PTRACE_DETACH, thread, NULL, NULL);
	print_coverage(what);
	printf("%s: %lu steps, %lu stops, %lu reads showed %lu connections and %lu facts\n", what,
		steps, holds, atomic_load(&scene->reads), atomic_load(&scene->shown),
		atomic_load(&scene->facts));
	return true;
}

static void forget_coverage(void)
{
	memset(function_at, 0, sizeof(function_at));
	memset(visits, 0, sizeof(visits));
	memset(functions, 0, sizeof(functions));
	functions_count = places_count = 0;
}

/* Stopped at `offset` for ever, then killed with its process: its family and the reader go on, and the region is as true as before. */
static void stand_for_ever(uint32_t offset)
{
	pid_t thread = (pid_t)atomic_load(&scene->workers[STEPPED].tid);
	uint64_t steps, at = 0;

	if (!attach(thread)) {
		fail("cannot be traced: %s", strerror(errno));
		return;
	}
	for (steps = 0; steps < 20000 && at != offset && at != ~0ull; steps++)
		at = step(thread);
	others_work(1, TURNS * 8, 2, at);
	kill(family, SIGKILL);
	waitpid(thread, NULL, __WALL); /* who traces a thread must bury it first */
	waitpid(family, NULL, 0);
	others_work(SIBLING, TURNS * 8, 2, at);
	kill(sibling, SIGKILL);
	waitpid(sibling, NULL, 0);
	atomic_store(&scene->over, true);
	new_goals();
	waitpid(reader, NULL, 0);
	check_region();
}

int main(int count, char **arguments)
{
	uint64_t seconds = count > 1 ? (uint64_t)atoi(arguments[1]) : 60;
	uint32_t i, stands = 0;
	bool failed = false;

	alarm((unsigned int)seconds * 2 + 400);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!learn_instructions(publication))
		return 2;
	entries = beginnings;
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* a sibling outlives its parent */
	begin();
	step_through(
		"writer", (pid_t)atomic_load(&scene->workers[STEPPED].tid), 1, seconds, SIGUSR2);
	finish();
	failed |= is_failed("writer");

	for (i = 0; i < KILLS && !failed; i++, stands++) {
		begin();
		stand_for_ever(places[(uint64_t)i * places_count / KILLS]);
		failed |= is_failed("stopped for ever");
	}
	printf("stopped for ever: at %u places, then killed\n", stands);

	forget_coverage();
	entries = NULL;
	if (failed || !learn_instructions(reading))
		return 1;
	begin();
	atomic_store(&scene->reads_goal, ~0ull);
	step_through("reader", reader, 0, seconds, 0);
	finish();
	return is_failed("reader");
}
