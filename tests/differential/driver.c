/* SPDX-License-Identifier: MIT */
/*
 * The differential test: random programs of both ends of TCP connections; after each step the shim's view of every connection is
 * compared with the kernel's.
 *
 *     driver [--steps N] [--seed N] [--enforce] [--list-every N] LIST-FILE LIST-COMMAND
 *
 * Preloaded with liblastack.so, in a network namespace of its own: run.sh. The same seed makes the same program, as far as the kernel's
 * timers allow; to look at less, run it to an earlier step.
 *
 * What cannot agree, and is left out of the comparison, with the reason:
 *
 *   a FIN that nobody has read, an ACK, a reset      only the kernel sees them: the region need not have them, the command joins them
 *   a 0 read from a socket that is CLOSED            TIME-WAIT and a reset read the same by TCP_INFO: told is told, so EOF
 *   what a name from before the connect does         no record is known for it (it makes the connection shared); only closed here
 *   what another name does after one of a socket's   it is still the name of the first connection's record, until it is used
 *   names was connected anew                         to connect; only closed here
 *   what a child of a raw fork does, once all        nobody counts it: the record is closed as far as is known, and may be given
 *   others have closed                               to another connection
 *   SO_LINGER set by another name or process         it is the description's; a record that is shared is closed plainly in any case
 *   a holder that died without a close               found out when its entry, or the connection, is next needed
 *   where the connections of the dead stood          `list` shows their last word, not the kernel's
 *   a closed record, more than 4,096 later           it is kept for as long as there is room
 *   a drain whose FIN waits for output               ENFORCED is seen, and the kernel says ESTABLISHED or CLOSE-WAIT
 *   anything by the keeper                           it is not preloaded: it only holds and closes
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors.h"
#include "compare.h"
#include "plan.h"
#include "region_view.h"
#include "slots.h"

enum {
	REMEMBERED = 30,
	STRAYS_EVERY = 16,
	READ_EVERY = 64,
	ENOUGH_TIME_WAIT = 24,
	PATIENCE = 40,
	LISTED = 4
};

static struct {
	uint64_t seed, steps, from_step;
	unsigned int list_every;
	const char *list_file, *list_command;
} options = {.seed = 1, .steps = 100000, .list_every = 500};

static char history[REMEMBERED][160];
static uint64_t step;
static struct kernel_view kernel;
static uint64_t done[OP_COUNT], failed[OP_COUNT];

static const char *const names[OP_COUNT] = {
#define OP(id, name) name,
#include "ops.def"
#undef OP
};

static void remember(const struct plan *plan, const struct answer *answer)
{
	const struct request *request = &plan->request;
	const struct handle *handle = &model.processes[plan->process].fds[request->fd];
	uint64_t cookie = answer->cookie;

	if (request->fd >= FIRST_FD && handle->kind == KIND_TCP)
		cookie = model.ends[handle->end].cookie;
	done[request->op]++;
	failed[request->op] += answer->result < 0;
	snprintf(history[step % REMEMBERED], sizeof(history[0]),
		"%llu: process %d thread %d: %s how %d fd %d to %d last %d bytes %u mark %u "
		"of %" PRIx64 " -> %ld%s%s",
		(unsigned long long)step, plan->process, plan->thread, names[request->op],
		request->how, request->fd, request->to, request->last, request->bytes,
		request->mark, cookie, answer->result, answer->error ? " " : "",
		answer->error ? strerrorname_np(answer->error) : "");
}

static void disagree(const char *why)
{
	uint64_t i;

	printf("DISAGREEMENT at step %llu, seed %llu\n  %s\nthe last operations:\n",
		(unsigned long long)step, (unsigned long long)options.seed, why);
	for (i = step >= REMEMBERED ? step - REMEMBERED + 1 : 0; i <= step; i++)
		printf("  %s\n", history[i % REMEMBERED]);
	fflush(stdout);
	_exit(1);
}

static void look(int process, const struct answer *answer)
{
	char why[WHY] = "";
	int tries;

	if (model.processes[process].alive && !compare_numbers(process, answer, why))
		disagree(why);
	for (tries = 0;; tries++) {
		kernel_look(&kernel);
		model_look(&kernel);
		if (compare_records(why))
			return;
		/* The helper acts first and notes it then: what is a disagreement, lasts. */
		if (!model.enforces || tries == PATIENCE)
			disagree(why);
		usleep(1000);
	}
}

static void look_closer(void)
{
	char why[WHY] = "";
	int tries;

	if (step % STRAYS_EVERY == 0 && !compare_strays(why))
		disagree(why);
	if (step % READ_EVERY == 0 && !compare_reader(why))
		disagree(why);
	if (!options.list_every || step % options.list_every)
		return;
	/* It takes as long as a hundred steps, and a segment may be sent again meanwhile: what is a disagreement, lasts. */
	for (tries = 0;; tries++) {
		ask_list();
		kernel_look(&kernel);
		model_look(&kernel);
		if (compare_list(options.list_file, why))
			return;
		if (tries == LISTED)
			disagree(why);
	}
}

/* It has everything that its parent has; and when it answers, it has done what a new child does. */
static void look_at_child(int child, pid_t pid)
{
	struct request request = {.op = OP_LOOK};
	static struct answer answer;
	char why[WHY] = "";

	actors_joined(child, pid);
	ask(child, 0, &request, &answer);
	if (!compare_numbers(child, &answer, why))
		disagree(why);
}

/* 2 x MSL is a minute: here it is over when there are many. */
static void expire(void)
{
	size_t i, count = 0;

	for (i = 0; i < kernel.count; i++)
		count += kernel.sockets[i].state == 6;
	for (i = 0; i < kernel.count && count > ENOUGH_TIME_WAIT; i++)
		if (kernel.sockets[i].state == 6 && kernel_destroy(&kernel.sockets[i]) == 0)
			count--;
}

static void carry_out(struct plan *plan, struct answer *answer)
{
	struct request take = {.op = OP_TAKE, .how = plan->request.how, .to = plan->request.to};
	const struct kernel_socket *doomed;
	char why[WHY] = "";

	switch (plan->request.op) {
	case OP_DESTROY:
		doomed = kernel_find(&kernel, model.ends[plan->destroyed].cookie,
			model.ends[plan->destroyed].local_port);
		model.ends[plan->destroyed].excused = true;
		if (model.ends[plan->destroyed].peer != NOBODY)
			model.ends[model.ends[plan->destroyed].peer].excused = true;
		*answer = (struct answer){.result = doomed ? kernel_destroy(doomed) : 0};
		plan->request.op = OP_LOOK;
		remember(plan, answer);
		ask(0, 0, &plan->request, answer);
		return;
	case OP_THREAD:
		thread_again(plan->thread);
		plan->request.op = OP_LOOK;
		ask(0, 0, &plan->request, answer);
		break;
	case OP_EXIT:
		actors_end(plan->process, plan->request.how);
		memset(answer, 0, sizeof(*answer));
		break;
	default: ask(plan->process, plan->thread, &plan->request, answer); break;
	}
	remember(plan, answer);
	if (!model_apply(plan->process, &plan->request, answer, why))
		disagree(why);
	if (plan->request.op == OP_FORK)
		look_at_child(plan->request.to, (pid_t)answer->result);
	if (plan->request.op == OP_PASS) {
		plan->process = plan->request.to;
		ask(plan->process, 0, &take, answer);
		if (!model_apply(plan->process, &take, answer, why))
			disagree(why);
	}
}

static void run(void)
{
	static struct answer answer;
	struct plan plan;

	for (step = 1; step <= options.steps; step++) {
		plan_next(&plan);
		carry_out(&plan, &answer);
		look(plan.process, &answer);
		look_closer();
		model_forget();
		if (step % STRAYS_EVERY == 0)
			expire();
	}
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {{"steps", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'}, {"enforce", no_argument, NULL, 'e'},
		{"list-every", required_argument, NULL, 'l'}, {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option) {
		case 'n': options.steps = strtoull(optarg, NULL, 0); break;
		case 's': options.seed = strtoull(optarg, NULL, 0); break;
		case 'e': model.enforces = true; break;
		case 'l': options.list_every = (unsigned int)strtoul(optarg, NULL, 0); break;
		default: exit(2);
		}
	if (argc - optind != 2)
		errx(2, "usage: driver [options] LIST-FILE LIST-COMMAND");
	options.list_file = argv[optind];
	options.list_command = argv[optind + 1];
}

int main(int argc, char **argv)
{
	char path[512];
	struct timespec from, to;
	double seconds;
	int op, state;

	if (argc == 4 && strcmp(argv[1], "--keeper") == 0)
		keep(argv[2], argv[3]);
	parse(argc, argv);
	if (!slots_find())
		errx(2, "not preloaded, or liblastack.so has no symbols");
	actors_start(argv[0], options.list_command);
	model.processes[0] = (struct process){.alive = true, .pid = getpid()};
	model.processes[KEEPER].alive = true;
	snprintf(path, sizeof(path), "%s/%d.region", getenv("LASTACK_DIR"), (int)getpid());
	if (!region_view_open(path))
		err(2, "%s", path);
	plan_seed(options.seed);
	clock_gettime(CLOCK_MONOTONIC, &from);
	run();
	clock_gettime(CLOCK_MONOTONIC, &to);
	seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("%llu steps in %.1f s (%.0f a second), seed %llu: no disagreement; %u records\n",
		(unsigned long long)options.steps, seconds, (double)options.steps / seconds,
		(unsigned long long)options.seed, region_view_high());
	if (model.enforces)
		printf("  lastack ended %llu ends\n", (unsigned long long)model.ended);
	for (state = 0; state < LA_STATE_COUNT; state++)
		printf("  reached %-20s %8llu times\n", la_state_name((enum la_state)state),
			(unsigned long long)model.reached[state]);
	for (op = 0; op < OP_COUNT; op++)
		if (done[op])
			printf("  %-28s %8llu, failed %llu\n", names[op],
				(unsigned long long)done[op], (unsigned long long)failed[op]);
	return 0;
}
