/* SPDX-License-Identifier: MIT */
/*
 * See compare.h.
 *
 * Sound: no fact of the region is contradicted by the kernel. Complete: what the application did and was told is there; what only the
 * kernel knows (a FIN that nobody has read, an ACK, a reset) need not be.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <lastack/track.h>

#include "compare.h"
#include "region_view.h"

static const struct seen_fd *find(const struct answer *answer, int fd)
{
	int i;

	for (i = 0; i < answer->fds_count; i++)
		if (answer->fds[i].fd == fd)
			return &answer->fds[i];
	return NULL;
}

static bool compare_slot(
	int process, int fd, const struct handle *handle, const struct seen_fd *seen, char *why)
{
	const struct record *record;

	if (handle->kind != KIND_TCP || handle->record == NOBODY) {
		if (seen && LA_SLOT_TRACKED(seen->slot))
			return SAY(why,
				"process %d: fd %d is no connection, and slot %#" PRIx64
				" says that it is",
				process, fd, seen->slot);
		return true;
	}
	record = &model.records[handle->record];
	/* Closed as far as is known; an uncounted child's own notes go on by chance. */
	if (record->released)
		return true;
	if (!LA_SLOT_TRACKED(seen->slot) || LA_SLOT_INDEX(seen->slot) != record->index ||
		LA_SLOT_TAG(seen->slot) != (uint16_t)record->generation)
		return SAY(why, "process %d: fd %d is record %u generation %u, slot says %#" PRIx64,
			process, fd, record->index, record->generation, seen->slot);
	if (seen->references != handles_of_record(handle->record, process, false))
		return SAY(why, "process %d: record %u has %d numbers, the shim counts %u", process,
			record->index, handles_of_record(handle->record, process, false),
			seen->references);
	return true;
}

bool compare_numbers(int process, const struct answer *answer, char *why)
{
	int fd;

	for (fd = FIRST_FD; fd < FDS; fd++) {
		const struct handle *handle = &model.processes[process].fds[fd];
		const struct seen_fd *seen = find(answer, fd);
		bool is_tcp = seen && (int32_t)seen->state >= 0;

		if (handle->kind == KIND_TCP &&
			(!is_tcp || seen->cookie != model.ends[handle->end].cookie))
			return SAY(why,
				"process %d: fd %d is not the connection %" PRIx64
				" that the application has there, but %" PRIx64,
				process, fd, model.ends[handle->end].cookie,
				is_tcp ? seen->cookie : 0);
		if (handle->kind != KIND_TCP && is_tcp)
			return SAY(why, "process %d: fd %d is open, and was closed", process, fd);
		if (process != KEEPER && !compare_slot(process, fd, handle, seen, why))
			return false;
	}
	return true;
}

static bool compare_holders(int r, const struct region_record *shim, char *why)
{
	const struct record *record = &model.records[r];
	uint64_t wanted = record->shared ? LA_HOLDER_UNKNOWN : 0, known = LA_HOLDER_UNKNOWN, bit;
	int p;

	for (p = 0; p < KEEPER; p++) {
		if (!model.processes[p].alive)
			continue;
		bit = region_view_bit(model.processes[p].pid);
		known |= bit;
		if (handles_of_record(r, p, true))
			wanted |= bit;
	}
	if (record->may_be_shared)
		wanted |= shim->holders & LA_HOLDER_UNKNOWN;
	if (shim->phase == LA_PHASE_DRAINING)
		return true; /* whoever drains it */
	if ((shim->holders & known) != wanted)
		return SAY(why, "holders %#" PRIx64 ", should be %#" PRIx64 " (of those alive)",
			shim->holders & known, wanted);
	return true;
}

static bool compare_phase(const struct record *record, const struct region_record *shim, char *why)
{
	bool drains = model.enforces && shim->phase == LA_PHASE_DRAINING;

	if (!record->released && shim->phase != LA_PHASE_OPEN)
		return SAY(why, "is held, and its phase is %d", (int)shim->phase);
	if (record->released && !record->killed && shim->phase != LA_PHASE_CLOSED && !drains)
		return SAY(
			why, "was closed for the last time, and its phase is %d", (int)shim->phase);
	if (!model.enforces &&
		(!!(shim->flags & LA_CONNECTION_UNREAD_AT_CLOSE) != record->unread_at_close))
		return SAY(why, "closed with unread data: %s, the shim says %s",
			record->unread_at_close ? "yes" : "no",
			record->unread_at_close ? "no" : "yes");
	/* Of a socket of several names the other may have set it. */
	if (record->shared || record->may_be_shared)
		return true;
	if (!!(shim->flags & LA_CONNECTION_LINGER_RESET) != (record->linger == 1) ||
		!!(shim->flags & LA_CONNECTION_LINGER_TIMED) != (record->linger == 2))
		return SAY(why, "SO_LINGER is %d, flags say %#x", record->linger, shim->flags);
	return true;
}

static bool compare_done(const struct record *record, const struct region_record *shim, char *why)
{
	const uint64_t *seen = shim->seen_us;
	bool closed = record->released && !record->killed;

	if (record->told_end && !seen[LA_SEEN_EOF])
		return SAY(why, "a read returned 0, and EOF was not seen");
	if (!record->maybe_told_end && seen[LA_SEEN_EOF])
		return SAY(why, "EOF was seen, and no read returned 0");
	if (seen[LA_SEEN_SHUTDOWN] ? !record->shut && !record->may_be_shut : record->shut)
		return SAY(why, "shutdown was %scalled, and was %sseen", record->shut ? "" : "not ",
			record->shut ? "not " : "");
	if (record->told_reset && !seen[LA_SEEN_RESET])
		return SAY(why, "a call failed by a reset, which was not seen");
	if (!model.enforces && !record->told_reset && !record->may_be_told_reset &&
		seen[LA_SEEN_RESET])
		return SAY(why, "a reset was seen, and nobody was told of one");
	if (closed && !record->past && !seen[LA_SEEN_CLOSE])
		return SAY(why, "the last close was not seen");
	if (!record->released && seen[LA_SEEN_CLOSE])
		return SAY(why, "the last close was seen, and it is held");
	if (!model.enforces && seen[LA_SEEN_ENFORCED])
		return SAY(why, "enforced under observe");
	return true;
}

/* Does the kernel's state leave room for what hooks saw? */
static bool compare_facts(const struct end *end, uint32_t facts, enum la_phase phase, char *why)
{
	uint32_t comparable = LA_FACT_FIN_SENT | LA_FACT_FIN_ACKED | LA_FACT_FIN_RECEIVED;
	uint32_t proved;

	if (end->state == LA_STATE_CLOSED || end->handshake)
		return true;
	/* Output waits to be sent: the drain's FIN comes behind it. */
	if (phase == LA_PHASE_DRAINING)
		facts &= ~(uint32_t)LA_FACT_FIN_SENT;
	proved = la_facts_of_state(end->state);
	if (facts & LA_FACT_OURS_FIRST)
		comparable |= LA_FACT_OURS_FIRST;
	if (facts & comparable & ~proved)
		return SAY(why, "facts %#x, the kernel says %s", facts, la_state_name(end->state));
	if (facts & LA_FACT_RESET)
		return SAY(why, "a reset was seen, the kernel says %s", la_state_name(end->state));
	return true;
}

static uint32_t facts_of(const struct region_record *shim, bool with_close)
{
	const uint64_t *seen = shim->seen_us;
	uint32_t facts = 0;

	if (seen[LA_SEEN_EOF] || seen[LA_SEEN_PEER_FIN])
		facts |= LA_FACT_FIN_RECEIVED;
	if (seen[LA_SEEN_SHUTDOWN] || seen[LA_SEEN_ENFORCED] || (with_close && seen[LA_SEEN_CLOSE]))
		facts |= LA_FACT_FIN_SENT;
	if (seen[LA_SEEN_RESET])
		facts |= LA_FACT_RESET;
	if (seen[LA_SEEN_OURS_FIRST])
		facts |= LA_FACT_FIN_SENT | LA_FACT_OURS_FIRST;
	if (seen[LA_SEEN_FIN_ACKED])
		facts |= LA_FACT_FIN_SENT | LA_FACT_FIN_ACKED;
	return facts;
}

static bool compare_record(int r, struct region_record *shim, char *why)
{
	const struct record *record = &model.records[r];
	const struct end *end = &model.ends[record->end];

	region_view_record(record->index, shim);
	if ((uint16_t)shim->generation != (uint16_t)record->generation && record->released)
		return true; /* closed as far as is known, and given to another */
	if ((uint16_t)shim->generation != (uint16_t)record->generation)
		return SAY(why, "the record was given away: generation %u", shim->generation);
	if (shim->cookie != end->cookie)
		return SAY(why, "cookie %" PRIx64, shim->cookie);
	if (shim->role != (record->received        ? LA_ROLE_UNKNOWN
				  : record->server ? LA_ROLE_SERVER
						   : LA_ROLE_CLIENT))
		return SAY(why, "role %d", shim->role);
	return compare_holders(r, shim, why) && compare_phase(record, shim, why) &&
	       compare_done(record, shim, why) &&
	       (record->past || compare_facts(end, facts_of(shim, !handles_of_end(record->end)),
					shim->phase, why));
}

/* What lastack ended, nobody else may have: a drain nobody at all, a bound only the process that did it. */
static bool compare_ended(
	struct end *end, const struct record *record, const struct region_record *shim, char *why)
{
	int holders = end->holders < end->holders_before ? end->holders : end->holders_before;

	if (!shim->seen_us[LA_SEEN_ENFORCED] || end->ended_by_shim)
		return true;
	if (record->released && end->holders)
		return SAY(why, "lastack drains it, and %d processes hold it", end->holders);
	if (holders > 1)
		return SAY(why, "lastack ended it, and %d processes hold it", holders);
	end->ended_by_shim = true;
	model.ended++;
	return true;
}

/* All records of an end together, as the command joins them by cookie. */
static bool compare_end(int e, uint32_t facts, bool any, char *why)
{
	const struct end *end = &model.ends[e];
	bool held = handles_of_end(e) > 0, open = end->state != LA_STATE_CLOSED;
	bool has_sent = open && (la_facts_of_state(end->state) & LA_FACT_FIN_SENT);

	if (end->handshake || end->forgotten || !any)
		return true;
	if (has_sent && !(facts & LA_FACT_FIN_SENT) && (held || end->ended_by_close))
		return SAY(why, "the kernel says %s, and no FIN of ours was seen",
			la_state_name(end->state));
	if (!held || !end->connected || end->fin || end->ended_by_shim)
		return true;
	if (!open && !end->excused)
		return SAY(why, "is held, and the kernel has it no more");
	if (has_sent)
		return SAY(why, "is held, nobody shut it down, and the kernel says %s",
			la_state_name(end->state));
	return true;
}

void compare_describe(char *why, int e, int r, const struct region_record *shim)
{
	const struct end *end = &model.ends[e];
	size_t at = strlen(why);
	int p, fd;

	at += (size_t)snprintf(why + at, WHY - at,
		"\n  end %d: cookie %" PRIx64
		", ports %u-%u, family %d, peer end %d, handles of it",
		e, end->cookie, end->local_port, end->remote_port, end->family, end->peer);
	for (p = 0; p < PROCESSES && at < WHY; p++)
		for (fd = FIRST_FD; fd < FDS && at < WHY; fd++)
			if (model.processes[p].fds[fd].kind == KIND_TCP &&
				model.processes[p].fds[fd].end == e)
				at += (size_t)snprintf(why + at, WHY - at, " %d:%d(%d)", p, fd,
					model.processes[p].fds[fd].record);
	if (at < WHY)
		at += (size_t)snprintf(why + at, WHY - at,
			"\n  kernel: %s%s, before %s, inode %u, receive queue %u",
			end->handshake ? "handshake" : la_state_name(end->state),
			end->listed ? "" : " (not listed)", la_state_name(end->before), end->inode,
			end->receive_queue);
	if (r != NOBODY && at < WHY)
		snprintf(why + at, WHY - at,
			"\n  shim: record %d at %u, phase %d, flags %#x, facts %#x (%s), holders "
			"%#" PRIx64,
			r, model.records[r].index, (int)shim->phase, shim->flags, shim->facts,
			la_state_name(la_facts_position(shim->facts)), shim->holders);
}

bool compare_records(char *why)
{
	static uint32_t facts[ENDS];
	static bool any[ENDS];
	struct region_record shim;
	int e, r;

	memset(facts, 0, sizeof(facts));
	memset(any, 0, sizeof(any));
	for (r = 0; r < RECORDS; r++) {
		if (!model.records[r].used)
			continue;
		shim.generation = 0;
		e = model.records[r].end;
		if (!compare_record(r, &shim, why)) {
			compare_describe(why, e, r, &shim);
			return false;
		}
		if (model.records[r].past)
			continue;
		if ((uint16_t)shim.generation != (uint16_t)model.records[r].generation) {
			model.ends[e].forgotten = true;
			continue;
		}
		if (!compare_ended(&model.ends[e], &model.records[r], &shim, why)) {
			compare_describe(why, e, r, &shim);
			return false;
		}
		any[e] = true;
		facts[e] |= facts_of(&shim, true);
	}
	for (e = 0; e < ENDS; e++)
		if (model.ends[e].used && !compare_end(e, facts[e], any[e], why)) {
			compare_describe(why, e, NOBODY, &shim);
			return false;
		}
	return true;
}
