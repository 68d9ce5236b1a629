/* SPDX-License-Identifier: MIT */
/*
 * See model.h.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <lastack/track.h>

#include "model.h"

struct model model;

int handles_of_end(int end)
{
	int p, fd, count = 0;

	for (p = 0; p < PROCESSES; p++)
		for (fd = FIRST_FD; fd < FDS; fd++)
			count += model.processes[p].fds[fd].kind == KIND_TCP &&
				 model.processes[p].fds[fd].end == end;
	return count;
}

int handles_of_record(int record, int process, bool counted)
{
	int p, fd, count = 0;

	for (p = 0; p < PROCESSES; p++)
		for (fd = FIRST_FD; fd < FDS; fd++) {
			const struct handle *handle = &model.processes[p].fds[fd];

			count += handle->kind == KIND_TCP && handle->record == record &&
				 (handle->counted || !counted) &&
				 (process == NOBODY || process == p);
		}
	return count;
}

int new_end(const struct answer *answer, int family)
{
	int e;

	for (e = 0; e < ENDS; e++)
		if (!model.ends[e].used)
			break;
	if (e == ENDS)
		return NOBODY;
	model.ends[e] = (struct end){.used = true,
		.peer = NOBODY,
		.family = family,
		.local_port = answer->local_port,
		.remote_port = answer->remote_port,
		.cookie = answer->cookie,
		.state = LA_STATE_ESTABLISHED,
		.handshake = true};
	return e;
}

static uint64_t slot_seen(const struct answer *answer, int fd)
{
	int i;

	for (i = 0; i < answer->fds_count; i++)
		if (answer->fds[i].fd == fd)
			return answer->fds[i].slot;
	return 0;
}

bool is_still(const struct record *record, const struct answer *answer, int fd)
{
	uint64_t slot = slot_seen(answer, fd);

	return LA_SLOT_TRACKED(slot) && LA_SLOT_INDEX(slot) == record->index &&
	       LA_SLOT_TAG(slot) == (uint16_t)record->generation;
}

/* NOBODY: the shim does not follow `fd`. */
int new_record(int end, const struct answer *answer, int fd)
{
	uint64_t slot = slot_seen(answer, fd);
	int r;

	if (!LA_SLOT_TRACKED(slot))
		return NOBODY;
	for (r = 0; r < RECORDS; r++)
		if (!model.records[r].used)
			break;
	if (r == RECORDS)
		return NOBODY;
	model.records[r] = (struct record){.used = true,
		.server = model.ends[end].server,
		.end = end,
		.index = LA_SLOT_INDEX(slot),
		.generation = LA_SLOT_TAG(slot)};
	return r;
}

void hold(int process, int fd, int end, int record)
{
	model.processes[process].fds[fd] = (struct handle){
		.kind = KIND_TCP, .end = end, .record = record, .counted = record != NOBODY};
}

static const struct closing_fd *found_at_close(const struct answer *answer, int fd)
{
	int i;

	for (i = 0; i < answer->closing_count; i++)
		if (answer->closing[i].fd == fd)
			return &answer->closing[i];
	return NULL;
}

/* `answer` NULL: by the end of the process. */
void let_go(int process, int fd, const struct answer *answer)
{
	struct handle *handle = &model.processes[process].fds[fd], old = *handle;
	const struct closing_fd *found = answer ? found_at_close(answer, fd) : NULL;
	struct record *record;
	bool counted;

	handle->kind = KIND_NONE;
	if (old.kind != KIND_TCP)
		return;
	if (handles_of_end(old.end) == 0)
		model.ends[old.end].ended_by_close =
			answer && old.record != NOBODY && !model.records[old.record].past;
	if (old.record == NOBODY)
		return;
	record = &model.records[old.record];
	/* A process that nobody counts closes as an unknown holder does, unless it opened the connection itself. */
	counted = handles_of_record(old.record, NOBODY, true) == 0;
	if (!counted || record->released)
		return;
	record->released = true;
	if (answer)
		record->killed = false; /* who died before is no holder to the one that closes */
	if (!found || record->shared || record->may_be_shared)
		return;
	if (found->unread > 0 && found->state != TCP_CLOSE) {
		if (model.enforces && !record->linger && handles_of_end(old.end) == 0)
			record->wanted_drain = true;
		else
			record->unread_at_close = true;
	}
}

void lend(int end)
{
	if (end != NOBODY && !model.ends[end].connected)
		model.ends[end].lent = true;
}

static bool process_holds(int process, int end)
{
	int fd;

	for (fd = FIRST_FD; fd < FDS; fd++)
		if (model.processes[process].fds[fd].kind == KIND_TCP &&
			model.processes[process].fds[fd].end == end)
			return true;
	return false;
}

void model_look(const struct kernel_view *view)
{
	int e, p;

	for (e = 0; e < ENDS; e++) {
		struct end *end = &model.ends[e];
		const struct kernel_socket *found;

		if (!end->used)
			continue;
		found = kernel_find(view, end->cookie, end->local_port);
		end->before = end->state;
		end->holders = 0;
		for (p = 0; p < PROCESSES; p++)
			end->holders += process_holds(p, e);
		end->listed = found != NULL;
		end->state = found ? la_state_from_kernel(found->state) : LA_STATE_CLOSED;
		end->handshake = found && end->state == LA_STATE_COUNT;
		end->inode = found ? found->inode : 0;
		if (end->state != end->before && end->state < LA_STATE_COUNT)
			model.reached[end->state]++;
		end->receive_queue = found ? found->receive_queue : 0;
	}
	for (e = 0; e < ENDS; e++) {
		struct end *end = &model.ends[e];
		const struct end *peer =
			end->used && end->peer != NOBODY ? &model.ends[end->peer] : NULL;

		/* Who has no peer that we hold, or one that is closed or cannot be heard, may be reset at any time. */
		if (end->used && (!peer || end->mark || peer->mark || !peer->listed ||
					 !handles_of_end(end->peer)))
			end->excused = true;
	}
}

void model_forget(void)
{
	int e, r;

	for (r = 0; r < RECORDS; r++)
		if (model.records[r].used && !handles_of_record(r, NOBODY, false) &&
			(model.records[r].past || (!model.ends[model.records[r].end].listed &&
							  !handles_of_end(model.records[r].end))))
			model.records[r].used = false;
	for (e = 0; e < ENDS; e++) {
		struct end *end = &model.ends[e];

		end->holders_before = end->holders;
		if (!end->used || end->listed || handles_of_end(e))
			continue;
		for (r = 0; r < RECORDS && !(model.records[r].used && model.records[r].end == e);
			r++)
			;
		if (r < RECORDS)
			continue;
		end->used = false;
		if (end->peer != NOBODY)
			model.ends[end->peer].peer = NOBODY;
	}
}
