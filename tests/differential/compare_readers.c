/* SPDX-License-Identifier: MIT */
/*
 * The readers: la_region_read() against the fold, and `lastack list -J` against the kernel.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "region_view.h"

/* There are known holders, and all of them have died. (Others may have their pids by now.) */
static bool only_dead(uint64_t holders)
{
	uint32_t i;
	int p;

	for (i = 0; i < LA_REGION_PROCESSES; i++)
		for (p = 0; p < KEEPER && (holders & 1ull << i); p++)
			if (model.processes[p].alive &&
				model.processes[p].pid == region_view_pid(i))
				return false;
	return (holders & ~(1ull << LA_REGION_PROCESSES)) != 0;
}

bool compare_strays(char *why)
{
	static bool known[LA_REGION_CONNECTIONS];
	uint32_t high = region_view_high(), i;
	bool stray = false;
	int r;

	for (r = 0; r < RECORDS; r++)
		if (model.records[r].used)
			known[model.records[r].index] = true;
	for (i = 0; i < high && !stray; i++) {
		struct region_record shim;

		if (known[i] || region_view_phase(i) != LA_PHASE_OPEN)
			continue;
		region_view_record(i, &shim);
		/* Who died without a close is found out when its entry is needed. */
		if (shim.role != LA_ROLE_LISTENER && !only_dead(shim.holders)) {
			snprintf(why, WHY,
				"record %u is open, and nobody has it: generation %u, cookie "
				"%" PRIx64 ", holders %#" PRIx64 ", facts %#x",
				i, shim.generation, shim.cookie, shim.holders, shim.facts);
			stray = true;
		}
	}
	for (r = 0; r < RECORDS; r++)
		if (model.records[r].used)
			known[model.records[r].index] = false;
	return !stray;
}

static const struct la_read_connection *find(const struct la_region_copy *copy, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < copy->connections_count; i++)
		if (copy->connections[i].index == index)
			return &copy->connections[i];
	return NULL;
}

bool compare_reader(char *why)
{
	struct region_record shim;
	struct la_region_copy copy;
	char error[160];
	bool same = true;
	int r, s;

	if (!region_view_read(&copy, error))
		return SAY(why, "the region cannot be read: %s", error);
	for (r = 0; r < RECORDS && same; r++) {
		const struct la_read_connection *read;

		if (!model.records[r].used)
			continue;
		read = find(&copy, model.records[r].index);
		region_view_record(model.records[r].index, &shim);
		if (!read)
			same = SAY(why, "la_region_read() lacks record %u", model.records[r].index);
		/* Under enforcement the helper may have gone on in between. */
		for (s = 0; s < LA_SEEN_COUNT && same && !model.enforces; s++)
			if (read->seen_us[s] != shim.seen_us[s])
				same = SAY(why,
					"record %u: la_region_read() says %" PRIu64
					" of fact %d, la_track_facts() %" PRIu64,
					model.records[r].index, read->seen_us[s], s,
					shim.seen_us[s]);
		if (same && !model.enforces &&
			(read->phase != shim.phase || read->cookie != shim.cookie ||
				read->holders != shim.holders))
			same = SAY(why, "record %u: la_region_read() and the region differ",
				model.records[r].index);
	}
	la_region_copy_free(&copy);
	return same;
}

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "?";
}

/* Every number of the family that holds the end, and no other. */
static bool compare_list_holders(int e, const json_t *item, char *why)
{
	const json_t *holders = json_object_get(item, "holders"), *holder;
	int p, fd, wanted = 0, found = 0;
	size_t i;

	for (p = 0; p < KEEPER; p++)
		for (fd = FIRST_FD; fd < FDS; fd++) {
			const struct handle *handle = &model.processes[p].fds[fd];

			if (handle->kind != KIND_TCP || handle->end != e)
				continue;
			wanted++;
			json_array_foreach(holders, i, holder) found +=
				json_integer_value(json_object_get(holder, "pid")) ==
					model.processes[p].pid &&
				json_integer_value(json_object_get(holder, "fd")) == fd;
		}
	if (wanted && (found != wanted || (int)json_array_size(holders) != wanted)) {
		char *text = json_dumps(holders, JSON_COMPACT);

		snprintf(why, WHY, "list shows %zu holders, %d of the %d that there are: %s",
			json_array_size(holders), found, wanted, text ? text : "?");
		free(text);
		return false;
	}
	return true;
}

static bool compare_item(int e, const json_t *item, char *why)
{
	const struct end *end = &model.ends[e];
	const char *eof = text_of(item, "eof");
	bool has_fin = end->listed && !end->handshake &&
		       (la_facts_of_state(end->state) & LA_FACT_FIN_RECEIVED) && end->inode;

	if (!end->handshake && strcmp(text_of(item, "state"), la_state_name(end->state)) != 0)
		return SAY(why, "list says %s, the kernel %s", text_of(item, "state"),
			la_state_name(end->state));
	if (has_fin && strcmp(eof, end->receive_queue ? "unread" : "read") != 0)
		return SAY(
			why, "list says eof %s, the receive queue has %u", eof, end->receive_queue);
	if (has_fin && (uint32_t)json_integer_value(json_object_get(item, "unread")) !=
			       (end->receive_queue ? end->receive_queue - 1 : 0))
		return SAY(why, "list says unread %lld, the receive queue has %u",
			json_integer_value(json_object_get(item, "unread")), end->receive_queue);
	return !end->inode || compare_list_holders(e, item, why);
}

/* A socket that was connected twice has two items of one cookie. */
static bool is_item_of(const json_t *item, const struct end *end)
{
	const char *port = strrchr(text_of(item, "local"), ':');

	return (uint64_t)json_integer_value(json_object_get(item, "cookie")) == end->cookie &&
	       port && atoi(port + 1) == end->local_port;
}

static bool compare_items(const json_t *list, const struct record *record, char *why)
{
	const struct end *end = &model.ends[record->end];
	struct region_record shim;
	size_t i, items = 0;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);

		if (!is_item_of(item, end))
			continue;
		items++;
		region_view_record(record->index, &shim);
		if (shim.phase == LA_PHASE_DRAINING && only_dead(shim.holders))
			continue; /* it died draining: shown as it was */
		if (!compare_item(record->end, item, why)) {
			compare_describe(why, record->end, (int)(record - model.records), &shim);
			return false;
		}
	}
	/* One that is over need not be shown; nor one whose record had to make room. */
	if (!items && end->listed && !end->forgotten)
		return SAY(why, "list lacks cookie %" PRIx64 " (%s, ports %u-%u)", end->cookie,
			la_state_name(end->state), end->local_port, end->remote_port);
	return true;
}

bool compare_list(const char *file, char *why)
{
	json_error_t error;
	json_t *root = json_load_file(file, 0, &error);
	const json_t *list = json_object_get(root, "connections");
	bool same = true;
	int r;

	if (!list)
		return SAY(why, "lastack list -J: %s", root ? "no connections" : error.text);
	for (r = 0; r < RECORDS && same; r++)
		/* Of those who died, the list says where they stood then. */
		if (model.records[r].used && !model.records[r].past && !model.records[r].killed)
			same = compare_items(list, &model.records[r], why);
	json_decref(root);
	return same;
}
