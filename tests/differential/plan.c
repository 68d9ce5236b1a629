/* SPDX-License-Identifier: MIT */
/*
 * See plan.h.
 */
#include <sys/socket.h>

#include "plan.h"

enum { ENOUGH_ENDS = 36, ENOUGH_FDS = 70, ENOUGH_BACKLOG = 6 };

static uint64_t random_state;

void plan_seed(uint64_t seed)
{
	random_state = seed * 0x9e3779b97f4a7c15ull + 1;
}

/* xorshift64*: in [0, below). */
static uint32_t pick(uint32_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull) >> 32) % below;
}

static bool chance(uint32_t percent)
{
	return pick(100) < percent;
}

static const struct {
	enum op op;
	uint32_t weight;
} weights[] = {{OP_SOCKET, 60}, {OP_CONNECT, 90}, {OP_ACCEPT, 80}, {OP_DUP, 40}, {OP_DUP2, 40},
	{OP_DUP2_NULL, 8}, {OP_CLOSE, 130}, {OP_CLOSE_RANGE, 14}, {OP_FCLOSE, 16}, {OP_SEND, 130},
	{OP_RECV, 170}, {OP_SHUTDOWN, 60}, {OP_LINGER, 20}, {OP_UNSPEC, 12}, {OP_MUTE, 30},
	{OP_DESTROY, 12}, {OP_FORK, 6}, {OP_VFORK, 4}, {OP_EXIT, 4}, {OP_PASS, 20}, {OP_THREAD, 4}};

static enum op pick_op(void)
{
	uint32_t total = 0, at, i, count = sizeof(weights) / sizeof(*weights);

	for (i = 0; i < count; i++)
		total += weights[i].weight;
	at = pick(total);
	for (i = 0; at >= weights[i].weight; i++)
		at -= weights[i].weight;
	return weights[i].op;
}

static int count_fds(int process)
{
	int fd, count = 0;

	for (fd = FIRST_FD; fd < FDS; fd++)
		count += model.processes[process].fds[fd].kind != KIND_NONE;
	return count;
}

static int count_ends(void)
{
	int e, count = 0;

	for (e = 0; e < ENDS; e++)
		count += model.ends[e].used && handles_of_end(e);
	return count;
}

static int pick_process(void)
{
	int process = chance(60) ? 0 : (int)pick(PROCESSES);

	return model.processes[process].alive ? process : 0;
}

static bool pick_fd(int process, enum kind kind, int *fd)
{
	int tries, at = 0;

	for (tries = 0; tries < 2 * FDS; tries++) {
		at = FIRST_FD + (int)pick(tries < FDS ? 40 : FDS - FIRST_FD);
		if (model.processes[process].fds[at].kind == kind)
			break;
	}
	*fd = at;
	return model.processes[process].fds[at].kind == kind;
}

/* What only ends a name, or makes one, may be done to numbers that no hook can know of. */
static bool is_allowed(const struct plan *plan, const struct handle *handle)
{
	const struct end *end = &model.ends[handle->end];
	enum op op = plan->request.op;

	if (plan->process == KEEPER && op != OP_CLOSE)
		return false;
	switch (op) {
	case OP_CONNECT: return !end->connected || end->handshake || chance(4);
	case OP_SEND:
	case OP_RECV:
	case OP_SHUTDOWN: return handle->record != NOBODY && !model.records[handle->record].past;
	case OP_LINGER: return !end->mark || plan->request.how != 2;
	case OP_MUTE:
		/* A blocking connect that is not heard, a close that lingers: they would wait. */
		return !end->blocking && end->linger != 2;
	default: return true;
	}
}

static bool plan_numbers(struct plan *plan)
{
	struct request *request = &plan->request;
	int fd;

	request->to = FIRST_FD + (int)pick(60);
	request->last = request->fd + (int)pick(6);
	if (request->last >= FDS)
		request->last = FDS - 1;
	/* A dup2 over one that lingers, or a number that the test does not follow: as any other. */
	if (request->op == OP_DUP2 && chance(70) && pick_fd(plan->process, KIND_TCP, &fd))
		request->to = fd;
	return (request->op != OP_DUP && request->op != OP_DUP2) ||
	       count_fds(plan->process) < ENOUGH_FDS;
}

static bool plan_handle(struct plan *plan)
{
	struct request *request = &plan->request;
	const struct handle *handle;

	request->how = (int)pick(12);
	if (!pick_fd(plan->process, KIND_TCP, &request->fd) &&
		(request->op != OP_CLOSE || !pick_fd(plan->process, KIND_NULL, &request->fd)))
		return false;
	handle = &model.processes[plan->process].fds[request->fd];
	if (request->op == OP_CLOSE || request->op == OP_CLOSE_RANGE || request->op == OP_UNSPEC ||
		request->op == OP_DUP2_NULL || request->op == OP_CONNECT || request->op == OP_PASS)
		request->how &= 1;
	if (request->op == OP_LINGER)
		request->how = chance(4) ? 2 : (int)pick(2);
	if (request->op == OP_SHUTDOWN)
		request->how = (int)pick(3);
	request->bytes = chance(12) ? 0 : chance(20) ? pick(8000) : 1 + pick(200);
	if (request->op == OP_SHUTDOWN)
		request->bytes = pick(2);
	request->mark = chance(50) ? 0 : 1 + pick(3);
	if (handle->kind != KIND_TCP)
		return request->op == OP_CLOSE;
	request->family = model.ends[handle->end].family;
	request->port = chance(3) ? stage.closed_port : stage.port[request->family == 6];
	return is_allowed(plan, handle) && plan_numbers(plan);
}

static bool plan_child(struct plan *plan)
{
	int child = 1 + (int)pick(KEEPER - 1);

	plan->request.how = plan->request.op == OP_FORK ? chance(15) : (int)pick(3);
	if ((plan->request.op == OP_EXIT) != model.processes[child].alive)
		return false;
	if (plan->request.op == OP_EXIT) {
		plan->process = child;
		plan->thread = 0;
		return true;
	}
	plan->request.to = child;
	plan->process = 0;
	return true;
}

static bool plan_one(struct plan *plan)
{
	static const int families[] = {4, 4, 6, 46};
	struct request *request = &plan->request;
	int which;

	*plan = (struct plan){.process = pick_process(), .request.op = pick_op()};
	plan->thread = plan->process == 0 && chance(25) ? 1 + (int)pick(THREADS) : 0;
	switch (request->op) {
	case OP_SOCKET:
		request->family = families[pick(4)];
		request->how = (int)pick(8);
		return plan->process != KEEPER && count_ends() < ENOUGH_ENDS &&
		       count_fds(plan->process) < ENOUGH_FDS;
	case OP_ACCEPT:
		which = (int)pick(2);
		request->family = which ? 6 : 4;
		request->how = (int)pick(8);
		return plan->process != KEEPER && model.backlog[which] > 0 &&
		       count_fds(plan->process) < ENOUGH_FDS;
	case OP_DESTROY:
		plan->destroyed = (int)pick(ENDS);
		plan->process = plan->thread = 0;
		return model.ends[plan->destroyed].used && model.ends[plan->destroyed].listed;
	case OP_FORK:
	case OP_EXIT: return plan_child(plan);
	case OP_THREAD:
		plan->process = 0;
		plan->thread = 1 + (int)pick(THREADS);
		return true;
	case OP_PASS:
		if (!plan_handle(plan))
			return false;
		request->to = chance(30) ? KEEPER : (int)pick(PROCESSES);
		return model.processes[request->to].alive &&
		       count_fds(request->to) < ENOUGH_FDS / 2;
	case OP_CONNECT:
		return plan_handle(plan) && model.backlog[request->family == 6] < ENOUGH_BACKLOG;
	default: return plan_handle(plan);
	}
}

void plan_next(struct plan *plan)
{
	while (!plan_one(plan))
		;
}
