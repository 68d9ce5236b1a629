/* SPDX-License-Identifier: MIT */
/*
 * What an answer means for the model.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "model.h"

/* This name tells of an earlier connection of the same socket, until it is used to connect again. */
static void forget_past(struct handle *handle)
{
	int record = handle->record;

	if (record == NOBODY)
		return;
	model.records[record].may_be_told_reset = true;
	model.records[record].told_reset |= !model.records[record].released;
	handle->record = NOBODY;
	handle->counted = false;
	if (!handles_of_record(record, NOBODY, true))
		model.records[record].released = true;
}

static void was_unmade(int process, int fd)
{
	struct handle *handle = &model.processes[process].fds[fd];
	struct end *end = &model.ends[handle->end];
	int r;

	if (end->connected && end->peer != NOBODY)
		model.ends[end->peer].excused = true;
	end->excused = true;
	end->connected = end->fin = false;
	end->lent |= handles_of_end(handle->end) > 1;
	for (r = 0; r < RECORDS; r++)
		if (model.records[r].used && model.records[r].end == handle->end) {
			model.records[r].past = true;
			end->lent |= model.records[r].shared || model.records[r].may_be_shared;
			model.records[r].may_be_shared |= end->lent;
		}
	if (end->peer != NOBODY)
		model.ends[end->peer].peer = NOBODY;
	end->peer = NOBODY;
	forget_past(handle);
}

/* The name is, from now on, what the shim follows as a record of its own. */
static bool follow(int process, int fd, bool late, const struct answer *answer, char why[256])
{
	struct handle *handle = &model.processes[process].fds[fd];
	const struct end *end = &model.ends[handle->end];

	handle->record = new_record(handle->end, answer, fd);
	handle->counted = true;
	if (handle->record == NOBODY) {
		snprintf(why, 256, "fd %d was connected, and is not tracked", fd);
		return false;
	}
	model.records[handle->record].shared = handles_of_end(handle->end) > 1;
	/* A name that is learned of late may have come from anybody. */
	model.records[handle->record].may_be_shared = end->lent || late;
	model.records[handle->record].linger = handle->linger;
	model.records[handle->record].server = false;
	return true;
}

static bool connected(
	int process, const struct request *request, const struct answer *answer, char why[256])
{
	struct handle *handle = &model.processes[process].fds[request->fd];
	struct end *end = &model.ends[handle->end];
	bool under_way = answer->result == 0 || answer->error == EINPROGRESS;
	bool asked = answer->error == EALREADY || answer->error == EISCONN ||
		     (under_way && end->connected && answer->local_port == end->local_port);

	end->blocking = false;
	if (!under_way && !asked) {
		was_unmade(process, request->fd); /* it failed: the number is without connection */
		return true;
	}
	/* How the first went; a name from before the connect is learned of by it. */
	/* Closed as far as was known: it is learned of anew, unless the death of its last holder is not found out yet. */
	if (asked && handle->record != NOBODY &&
		(model.records[handle->record].past || model.records[handle->record].released) &&
		!is_still(&model.records[handle->record], answer, request->fd))
		forget_past(handle);
	if (asked)
		return handle->record != NOBODY || follow(process, request->fd, true, answer, why);
	if (end->connected || handle->record != NOBODY)
		was_unmade(process, request->fd);
	end->connected = true;
	end->server = false;
	end->excused = end->fin = false;
	end->local_port = answer->local_port;
	end->remote_port = request->port;
	model.backlog[request->family == 6] += request->port != stage.closed_port;
	return follow(process, request->fd, false, answer, why);
}

static bool accepted(
	int process, const struct request *request, const struct answer *answer, char why[256])
{
	int e, peer, fd = (int)answer->result;
	struct handle *handle;

	if (fd < 0) {
		model.backlog[request->family == 6] = 0;
		return true;
	}
	model.backlog[request->family == 6]--;
	e = new_end(answer, request->family);
	if (e == NOBODY || fd >= FDS) {
		snprintf(why, 256, "the test has no room for fd %d", fd);
		return false;
	}
	model.ends[e].server = model.ends[e].connected = true;
	for (peer = 0; peer < ENDS; peer++)
		if (peer != e && model.ends[peer].used && !model.ends[peer].server &&
			model.ends[peer].connected && model.ends[peer].peer == NOBODY &&
			model.ends[peer].local_port == answer->remote_port &&
			(model.ends[peer].family == 6) == (request->family == 6))
			break;
	if (peer < ENDS) {
		model.ends[e].peer = peer;
		model.ends[peer].peer = e;
	}
	hold(process, fd, e, new_record(e, answer, fd));
	handle = &model.processes[process].fds[fd];
	/* One that has ended in the backlog has no peer's name any more. */
	if (handle->record == NOBODY) {
		snprintf(why, 256, "fd %d was accepted, and is not tracked", fd);
		return false;
	}
	return true;
}

/* States in which the peer's FIN is here; CLOSED may be TIME-WAIT, or a reset after it: told is told. */
static bool has_fin(int state)
{
	return state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK || state == TCP_CLOSING ||
	       state == TCP_CLOSE || state == TCP_TIME_WAIT;
}

static void was_read(struct record *record, const struct answer *answer)
{
	if (answer->result == 0 && answer->wanted > 0) {
		bool before = has_fin(answer->state_before), after = has_fin(answer->state);

		record->told_end |= before && after && !record->released;
		record->maybe_told_end |= before || after;
	} else if (answer->result < 0 &&
		   (answer->error == ECONNRESET || answer->error == ETIMEDOUT ||
			   answer->error == EPIPE)) {
		record->may_be_told_reset = true;
		record->told_reset |= !record->released;
	}
}

static void was_shut(
	struct end *end, struct record *record, const struct request *request, bool handshake)
{
	if (handshake) {
		/* The kernel gives the attempt up; the socket may connect anew. */
		end->excused = true;
		if (record)
			record->may_be_shut = true;
		return;
	}
	if (request->how == SHUT_RD)
		return;
	end->fin = true;
	if (record)
		record->may_be_shut = true;
	if (record && !record->released)
		record->shut = true;
}

static void was_forked(int process, const struct request *request, const struct answer *answer)
{
	struct process *child = &model.processes[request->to];
	int fd, r;

	*child = model.processes[process];
	child->alive = true;
	child->uncounted = request->how;
	child->pid = (pid_t)answer->result;
	for (fd = FIRST_FD; fd < FDS; fd++) {
		struct handle *handle = &child->fds[fd];

		if (handle->kind != KIND_TCP)
			continue;
		lend(handle->end);
		handle->counted = handle->counted && !child->uncounted;
	}
	for (r = 0; r < RECORDS && child->uncounted; r++)
		if (model.records[r].used && handles_of_record(r, process, false))
			model.records[r].shared = true;
}

static void was_ended(int process, const struct request *request)
{
	struct process *child = &model.processes[process];
	int fd, r;

	for (r = 0; r < RECORDS && request->how != 1; r++)
		if (model.records[r].used && handles_of_record(r, process, true))
			model.records[r].killed = true;
	for (fd = FIRST_FD; fd < FDS; fd++)
		let_go(process, fd, NULL);
	child->alive = false;
}

static void was_taken(int process, const struct handle *from, const struct answer *answer)
{
	int fd = (int)answer->result, record = NOBODY;

	if (process != KEEPER && from->kind == KIND_TCP && model.ends[from->end].connected)
		record = new_record(from->end, answer, fd);
	if (record != NOBODY)
		model.records[record].shared = model.records[record].received = true;
	hold(process, fd, from->end, record);
}

bool model_apply(
	int process, const struct request *request, const struct answer *answer, char why[256])
{
	static struct handle passed;
	struct handle *fds = model.processes[process].fds;
	struct handle *handle = request->fd >= FIRST_FD ? &fds[request->fd] : NULL;
	struct end *end = handle && handle->kind == KIND_TCP ? &model.ends[handle->end] : NULL;
	struct record *record =
		end && handle->record != NOBODY ? &model.records[handle->record] : NULL;
	int fd, made, result = (int)answer->result;

	switch (request->op) {
	case OP_SOCKET:
		made = result >= 0 ? new_end(answer, request->family) : NOBODY;
		if (made == NOBODY)
			break;
		model.ends[made].blocking = request->how & 2;
		hold(process, result, made, NOBODY);
		return true;
	case OP_CONNECT: return connected(process, request, answer, why);
	case OP_ACCEPT: return accepted(process, request, answer, why);
	case OP_DUP:
	case OP_DUP2:
		if (request->op == OP_DUP2 && request->fd == request->to)
			return true; /* nothing, or EINVAL of dup3 */
		if (result < 0)
			break;
		let_go(process, result, answer);
		fds[result] = *handle;
		lend(handle->end);
		return true;
	case OP_DUP2_NULL:
		if (result < 0)
			break;
		let_go(process, request->fd, answer);
		fds[request->fd].kind = KIND_NULL;
		return true;
	case OP_CLOSE:
	case OP_FCLOSE:
		if (result < 0)
			break;
		let_go(process, request->fd, answer);
		return true;
	case OP_CLOSE_RANGE:
		for (fd = request->fd; fd <= request->last && result == 0; fd++)
			let_go(process, fd, answer);
		return true;
	case OP_RECV:
		if (record)
			was_read(record, answer);
		return true;
	case OP_SHUTDOWN:
		if (result == 0 && end)
			was_shut(end, record, request, end->handshake && end->listed);
		return true;
	case OP_LINGER:
		end->linger = handle->linger = request->how;
		if (record && !record->released)
			record->linger = request->how;
		return true;
	case OP_UNSPEC:
		if (result == 0)
			was_unmade(process, request->fd);
		return true;
	case OP_MUTE: end->mark = request->mark; return true;
	case OP_FORK:
		if (result < 0)
			break;
		was_forked(process, request, answer);
		return true;
	case OP_EXIT: was_ended(process, request); return true;
	case OP_PASS:
		if (result < 0)
			break;
		passed = *handle;
		lend(handle->end);
		if (record)
			record->shared = true;
		return true;
	case OP_TAKE:
		if (result < 0)
			break;
		was_taken(process, &passed, answer);
		return true;
	default: return true;
	}
	snprintf(why, 256, "failed: result %ld, errno %d", answer->result, answer->error);
	return false;
}
