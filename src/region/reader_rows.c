/* SPDX-License-Identifier: MIT */
/*
 * Reading a region: thread rows, and connections joined with them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"

enum {
	CHUNK = 128 * 1024,
	WIDE = 8 * sizeof(struct la_connection_record),
	TRIES = 4,
	KNOWN_FLAGS = LA_CONNECTION_CONNECTING | LA_CONNECTION_UNREAD_AT_CLOSE |
		      LA_CONNECTION_LINGER_RESET | LA_CONNECTION_LINGER_TIMED | LA_CONNECTION_LEFT,
};

static int compare_rows(const void *left, const void *right)
{
	const struct la_reader_row *a = left, *b = right;

	return a->key < b->key ? -1 : a->key > b->key;
}

static uint32_t within_a_pid(uint32_t number)
{
	return number <= 0x7fffffff ? number : 0;
}

static int add_rows(struct la_reader *reader, const struct la_thread_table *table, size_t *room)
{
	uint32_t r;

	for (r = 0; r < LA_REGION_ROWS; r++) {
		const struct la_thread_row *from = &table->rows[r];
		struct la_reader_row *row;

		if (from->key == 0 || from->key == ~0ull)
			continue;
		if (reader->rows_count == *room) {
			size_t more = *room ? *room * 2 : 1024;
			struct la_reader_row *rows = realloc(reader->rows, more * sizeof(*rows));

			if (!rows)
				return -ENOMEM;
			reader->rows = rows;
			*room = more;
		}
		row = &reader->rows[reader->rows_count++];
		row->key = from->key & ~LA_ROW_LEAVING;
		row->tid = within_a_pid((uint32_t)table->owner);
		memcpy(row->seen, (const void *)from->seen, sizeof(row->seen));
		memcpy(row->stack, (const void *)from->stack, sizeof(row->stack));
	}
	return 0;
}

int la_reader_rows(struct la_reader *reader, struct la_region_copy *copy)
{
	struct la_thread_table *table = malloc(sizeof(*table));
	size_t room = 0;
	uint32_t t, c;
	int result = table ? 0 : -ENOMEM;

	for (t = 0; t < reader->threads && result == 0; t++) {
		result = la_reader_entry(reader, LA_REGION_S_THREADS, t, table, sizeof(*table));
		if (result < 0)
			break;
		for (c = 0; c < LA_COUNT_COUNT; c++)
			copy->counters[c] += table->counters[c];
		for (c = 0; c < LA_HALF_CLOSED_BUCKETS; c++)
			copy->half_closed[c] += table->half_closed[c];
		copy->half_closed_us += table->half_closed_us;
		result = add_rows(reader, table, &room);
	}
	free(table);
	if (reader->rows_count)
		qsort(reader->rows, reader->rows_count, sizeof(*reader->rows), compare_rows);
	return result;
}

/* `tid` wrote these instants. */
static void join(const uint64_t instants[LA_SEEN_COUNT], uint16_t tag, uint32_t tid,
	struct la_read_connection *connection)
{
	uint64_t *seen_us = connection->seen_us;
	int s;

	for (s = 0; s < LA_SEEN_COUNT; s++) {
		uint64_t us = LA_INSTANT_US(instants[s]);

		if (!us || LA_INSTANT_TAG(instants[s]) != tag || (seen_us[s] && us >= seen_us[s]))
			continue;
		seen_us[s] = us;
		connection->seen_tid[s] = tid;
	}
}

static void join_stack(uint32_t word, uint16_t tag, uint32_t most, uint32_t *stack)
{
	if (!*stack && LA_STACK_TAG(word) == tag && LA_STACK_ID(word) <= most)
		*stack = LA_STACK_ID(word);
}

static void join_stacks(
	const uint32_t words[3], uint16_t tag, uint32_t most, struct la_read_connection *connection)
{
	join_stack(words[0], tag, most, &connection->eof_stack);
	join_stack(words[1], tag, most, &connection->shutdown_stack);
	join_stack(words[2], tag, most, &connection->close_stack);
}

static void join_rows(const struct la_reader *reader, struct la_read_connection *connection)
{
	uint64_t key = (uint64_t)connection->generation << 32 | (connection->index + 1);
	size_t low = 0, high = reader->rows_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (reader->rows[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < reader->rows_count && reader->rows[low].key == key; low++) {
		join(reader->rows[low].seen, la_row_tag(key), reader->rows[low].tid, connection);
		join_stacks(reader->rows[low].stack, la_row_tag(key), reader->stacks, connection);
	}
}

/* As la_track_facts() does in the process. */
static uint32_t facts_of(const uint64_t seen[LA_SEEN_COUNT])
{
	uint64_t fin = seen[LA_SEEN_EOF], ours = seen[LA_SEEN_SHUTDOWN];
	uint32_t facts = 0;

	if (seen[LA_SEEN_PEER_FIN] && (!fin || seen[LA_SEEN_PEER_FIN] < fin))
		fin = seen[LA_SEEN_PEER_FIN];
	if (seen[LA_SEEN_CLOSE] && (!ours || seen[LA_SEEN_CLOSE] < ours))
		ours = seen[LA_SEEN_CLOSE];
	if (seen[LA_SEEN_ENFORCED] && (!ours || seen[LA_SEEN_ENFORCED] < ours))
		ours = seen[LA_SEEN_ENFORCED];
	if (fin)
		facts |= LA_FACT_FIN_RECEIVED;
	if (ours || seen[LA_SEEN_OURS_FIRST])
		facts |= LA_FACT_FIN_SENT;
	if (seen[LA_SEEN_OURS_FIRST])
		facts |= LA_FACT_OURS_FIRST;
	else if (fin && (!ours || fin < ours))
		facts |= LA_FACT_THEIRS_FIRST;
	if (seen[LA_SEEN_FIN_ACKED])
		facts |= LA_FACT_FIN_SENT | LA_FACT_FIN_ACKED;
	if (seen[LA_SEEN_RESET])
		facts |= LA_FACT_RESET;
	return facts;
}

static uint32_t within(uint32_t id, uint32_t most)
{
	return id <= most ? id : 0;
}

/* False when there is nothing to show. */
static bool take(const struct la_reader *reader, const struct la_connection_record *record,
	uint32_t index, struct la_read_connection *connection)
{
	uint64_t word = record->word, opened = record->opened;

	memset(connection, 0, sizeof(*connection));
	connection->index = index;
	connection->generation = LA_WORD_GEN(word);
	connection->phase = LA_WORD_PHASE(word);
	connection->flags = LA_WORD_FLAGS(word) & KNOWN_FLAGS;
	if (connection->phase != LA_PHASE_OPEN && connection->phase != LA_PHASE_DRAINING &&
		connection->phase != LA_PHASE_CLOSED)
		return false;
	connection->holders = record->holders;
	connection->cookie = record->cookie;
	if (LA_INSTANT_TAG(opened) == (uint16_t)connection->generation)
		connection->opened_us = LA_INSTANT_US(opened);
	join_rows(reader, connection);
	connection->pid = within_a_pid(record->pid);
	connection->tid = within_a_pid(record->tid);
	join((const uint64_t *)record->own, (uint16_t)connection->generation, connection->tid,
		connection);
	join((const uint64_t *)record->folded, (uint16_t)connection->generation, 0, connection);
	join_stacks((const uint32_t *)record->stack, (uint16_t)connection->generation,
		reader->stacks, connection);
	connection->facts = facts_of(connection->seen_us);
	connection->open_stack = within(record->open_stack, reader->stacks);
	connection->fd = record->fd >= 0 ? record->fd : -1;
	memcpy(connection->local, record->local, 16);
	memcpy(connection->remote, record->remote, 16);
	connection->local_port = record->local_port;
	connection->remote_port = record->remote_port;
	connection->role = record->role <= LA_ROLE_LISTENER ? record->role : LA_ROLE_UNKNOWN;
	connection->family = record->family == 4 || record->family == 6 ? record->family : 0;
	connection->ending = record->ending < LA_ENDING_COUNT ? record->ending : LA_ENDING_NONE;
	connection->steps_done =
		record->steps_done <= LA_POLICY_STEPS ? record->steps_done : LA_POLICY_STEPS;
	connection->next_action =
		record->next_action < LA_ACTION_COUNT ? record->next_action : LA_ACTION_NONE;
	connection->next_us = record->next_us;
	connection->drained_bytes = record->drained_bytes;
	return true;
}

/*
 * One record alone, of one generation: an entry that is given to another connection while it is copied would mix the two. The kernel's
 * copy may take the bytes in any order, so the word alone proves nothing: two copies must be the same.
 * 1, 0 (it changes all the time: left out) or -errno.
 */
static int settled(
	const struct la_reader *reader, uint32_t index, struct la_connection_record *record)
{
	struct la_connection_record again;
	int try, result = 0;

	for (try = 0; try < TRIES && result == 0; try++) {
		result = la_reader_entry(
			reader, LA_REGION_S_CONNECTIONS, index, record, sizeof(*record));
		if (result == 0)
			result = la_reader_entry(
				reader, LA_REGION_S_CONNECTIONS, index, &again, sizeof(again));
		if (result == 0)
			result = memcmp((const void *)record, (const void *)&again,
					 sizeof(again)) == 0;
	}
	return result;
}

static int take_chunk(const struct la_reader *reader, struct la_region_copy *copy, char *chunk,
	char *again, uint32_t first, uint32_t count)
{
	const struct la_region_section *section = &reader->header.sections[LA_REGION_S_CONNECTIONS];
	uint64_t offset = section->offset + (uint64_t)first * section->stride;
	/* Not what may lie behind the last one. */
	size_t bytes = (size_t)(count - 1) * section->stride + sizeof(struct la_connection_record);
	int result = la_reader_bytes(reader, chunk, offset, bytes);
	uint32_t i;

	if (result == 0)
		result = la_reader_bytes(reader, again, offset, bytes);
	for (i = 0; i < count && result >= 0; i++) {
		struct la_connection_record record;
		size_t at = (size_t)i * section->stride;

		/* Copied out, for a stride need not be a multiple of 8. */
		memcpy((void *)&record, chunk + at, sizeof(record));
		result = memcmp(chunk + at, again + at, sizeof(record)) == 0
				 ? 1
				 : settled(reader, first + i, &record);
		if (result == 1 && take(reader, &record, first + i,
					   &copy->connections[copy->connections_count]))
			copy->connections_count++;
	}
	return result < 0 ? result : 0;
}

int la_reader_connections(const struct la_reader *reader, struct la_region_copy *copy)
{
	uint32_t stride = reader->header.sections[LA_REGION_S_CONNECTIONS].stride;
	/*
	 * Many at once, unless they lie far apart: a sparse file costs its maker nothing, and what lies between its entries may be a
	 * tebibyte of zeros.
	 */
	uint32_t at_once = stride <= WIDE ? CHUNK / stride : 1, first, count;
	char *chunk, *again;
	int result = 0;

	if (at_once > reader->connections)
		at_once = reader->connections;
	/* One more than needed: none at all must not look like no memory. */
	chunk = malloc((size_t)at_once * stride + 1);
	again = malloc((size_t)at_once * stride + 1);
	copy->connections = calloc(reader->connections + 1, sizeof(*copy->connections));
	if (!copy->connections || !chunk || !again)
		result = -ENOMEM;
	for (first = 0; first < reader->connections && result == 0; first += count) {
		count = reader->connections - first;
		if (count > at_once)
			count = at_once;
		result = take_chunk(reader, copy, chunk, again, first, count);
	}
	free(chunk);
	free(again);
	return result;
}
