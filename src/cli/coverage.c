/* SPDX-License-Identifier: MIT */
/*
 * What the hooks do not see, counted for each preloaded process by asking the kernel: sockets that it holds and no region knows, and
 * connections of the region that it holds no more. A connection that is being opened or closed just now looks so for a moment:
 * what counts was so at two looks.
 */
#include <dirent.h>
#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "coverage.h"
#include "snapshot.h"

enum { BETWEEN_LOOKS_US = 100000 };

struct cookies {
	uint64_t *list; /* sorted */
	size_t count;
};

struct row {
	const struct la_region_copy *region;
	const struct la_read_process *process;
	unsigned int connections; /* that it holds */
	unsigned int unseen;      /* of these, no region knows */
	unsigned int lost;    /* the region says that it holds them, the kernel that it does not */
	unsigned int outside; /* of its connections, also held by a process in no region */
	unsigned int rings;   /* io_uring */
};

static const struct {
	const char *id, *situation, *instead;
} never_seen[] = {
#define UNSEEN(id, situation, instead) {id, situation, instead},
#include "unseen.def"
#undef UNSEEN
};
enum { NEVER_SEEN = sizeof(never_seen) / sizeof(never_seen[0]) };

static bool is_unseen(const struct la_item *item)
{
	return !item->connection && item->held;
}

/* Open, as far as the region knows; yet no preloaded process holds it. */
static bool is_lost(const struct la_item *item)
{
	if (!item->connection || item->connection->phase != LA_PHASE_OPEN || !item->alive ||
		!item->asked)
		return false;
	return item->socket ? item->holders_count == 0 : !item->held;
}

static bool is_out_of_sight(const struct la_item *item)
{
	return is_unseen(item) || is_lost(item);
}

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

static int remember(const struct la_snapshot *snapshot, struct cookies *cookies)
{
	size_t i;

	cookies->list = calloc(snapshot->items_count + 1, sizeof(*cookies->list));
	if (!cookies->list)
		return -1;
	for (i = 0; i < snapshot->items_count; i++)
		if (is_out_of_sight(&snapshot->items[i]))
			cookies->list[cookies->count++] = snapshot->items[i].cookie;
	qsort(cookies->list, cookies->count, sizeof(*cookies->list), compare);
	return 0;
}

static bool was_out_of_sight(const struct cookies *cookies, const struct la_item *item)
{
	return bsearch(
		&item->cookie, cookies->list, cookies->count, sizeof(*cookies->list), compare);
}

static unsigned int count_rings(uint32_t pid)
{
	unsigned int count = 0;
	struct dirent *entry;
	char path[64], target[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		ssize_t length =
			readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

		target[length < 0 ? 0 : length] = '\0';
		count += strcmp(target, "anon_inode:[io_uring]") == 0;
	}
	if (folder)
		closedir(folder);
	return count;
}

static struct row *row_of(struct row *rows, size_t count, uint32_t pid)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (rows[i].process->pid == pid)
			return &rows[i];
	return NULL;
}

static bool held_outside(const struct la_snapshot *snapshot, struct row *rows, size_t count,
	const struct la_item *item)
{
	const struct la_holder *holders;
	size_t holders_count, i;

	if (!item->socket || !item->socket->inode)
		return false;
	holders = la_holders_of(&snapshot->outsiders, item->socket->inode, &holders_count);
	for (i = 0; i < holders_count; i++)
		if (!row_of(rows, count, holders[i].pid))
			return true;
	return false;
}

/* One row a living process; NULL without memory. */
static struct row *count_all(
	struct la_snapshot *snapshot, const struct cookies *before, size_t *count)
{
	size_t room = 1, r, i, h;
	struct row *rows, *row;
	uint32_t p;

	for (r = 0; r < snapshot->regions_count; r++)
		room += snapshot->regions[r].processes_count;
	rows = calloc(room, sizeof(*rows));
	*count = 0;
	for (r = 0; rows && r < snapshot->regions_count; r++)
		for (p = 0; p < snapshot->regions[r].processes_count; p++) {
			const struct la_read_process *process = &snapshot->regions[r].processes[p];

			if (!process->alive)
				continue;
			rows[*count].region = &snapshot->regions[r];
			rows[*count].process = process;
			rows[(*count)++].rings = count_rings(process->pid);
		}
	if (rows && snapshot->outsiders.count == 0)
		la_holders_add_all(&snapshot->outsiders);
	for (i = 0; rows && i < snapshot->items_count; i++) {
		const struct la_item *item = &snapshot->items[i];
		bool outside = held_outside(snapshot, rows, *count, item);

		for (h = 0; h < item->holders_count; h++) {
			row = row_of(rows, *count, item->holders[h].pid);
			if (!row || (h && item->holders[h].pid == item->holders[h - 1].pid))
				continue;
			row->connections++;
			row->outside += outside;
			row->unseen += is_unseen(item) && was_out_of_sight(before, item);
		}
		row = item->connection ? row_of(rows, *count, item->connection->pid) : NULL;
		if (row && is_lost(item) && was_out_of_sight(before, item))
			row->lost++;
	}
	return rows;
}

static const char *tracking(const struct row *row)
{
	if (row->process->flags & LA_PROCESS_SPLIT)
		return "split";
	if (row->process->flags & LA_PROCESS_PASSIVE)
		return "seccomp";
	if (row->process->flags & LA_PROCESS_FAMILY_UNKNOWN)
		return "forked-unseen";
	return "full";
}

static bool is_finding(const struct row *row)
{
	return row->unseen || row->lost || row->rings ||
	       (row->process->flags &
		       (LA_PROCESS_SPLIT | LA_PROCESS_PASSIVE | LA_PROCESS_FAMILY_UNKNOWN)) ||
	       row->region->counters[LA_COUNT_DROPPED];
}

static void put_number(struct libscols_line *line, size_t at, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	scols_line_set_data(line, at, text);
}

static struct libscols_table *new_table(const char *const *names, size_t count, size_t left)
{
	struct libscols_table *table;
	size_t c;

	scols_init_debug(0);
	table = scols_new_table();
	for (c = 0; table && c < count; c++)
		scols_table_new_column(
			table, names[c], 0, c < left || c + 1 == count ? 0 : SCOLS_FL_RIGHT);
	return table;
}

static int print_rows(const struct row *rows, size_t count)
{
	static const char *const names[] = {"PID", "EXE", "TRACKING", "CONNECTIONS", "UNSEEN",
		"LOST", "OUTSIDE", "IO-URING", "DROPPED"};
	struct libscols_table *table = new_table(names, 9, 3);
	size_t i;

	if (!table)
		return LA_EXIT_OWN_FAILURE;
	for (i = 0; i < count; i++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);
		char *exe = la_safe(rows[i].process->exe);

		if (!line || !exe)
			return LA_EXIT_OWN_FAILURE;
		put_number(line, 0, rows[i].process->pid);
		scols_line_set_data(line, 1, exe);
		scols_line_set_data(line, 2, tracking(&rows[i]));
		put_number(line, 3, rows[i].connections);
		put_number(line, 4, rows[i].unseen);
		put_number(line, 5, rows[i].lost);
		put_number(line, 6, rows[i].outside);
		put_number(line, 7, rows[i].rings);
		put_number(line, 8, rows[i].region->counters[LA_COUNT_DROPPED]);
		free(exe);
	}
	if (count)
		scols_print_table(table);
	else
		puts("PID EXE TRACKING CONNECTIONS UNSEEN LOST OUTSIDE IO-URING DROPPED");
	scols_unref_table(table);
	return LA_EXIT_OK;
}

static void print_never_seen(void)
{
	size_t i;

	puts("\nOut of sight of every preloaded library:");
	for (i = 0; i < NEVER_SEEN; i++)
		printf("  %s: %s\n      %s\n", never_seen[i].id, never_seen[i].situation,
			never_seen[i].instead);
}

static int print_json(const struct row *rows, size_t count)
{
	json_t *processes = json_array(), *never = json_array(), *root;
	size_t i;

	for (i = 0; i < count; i++) {
		char *exe = la_safe(rows[i].process->exe);

		json_array_append_new(processes,
			json_pack("{s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:i}", "pid",
				(int)rows[i].process->pid, "exe", exe ? exe : "", "tracking",
				tracking(&rows[i]), "connections", (int)rows[i].connections,
				"unseen", (int)rows[i].unseen, "lost", (int)rows[i].lost, "outside",
				(int)rows[i].outside, "io_uring", (int)rows[i].rings, "dropped",
				(json_int_t)rows[i].region->counters[LA_COUNT_DROPPED], "family",
				(int)rows[i].region->creator_pid));
		free(exe);
	}
	for (i = 0; i < NEVER_SEEN; i++)
		json_array_append_new(
			never, json_pack("{s:s, s:s, s:s}", "id", never_seen[i].id, "situation",
				       never_seen[i].situation, "instead", never_seen[i].instead));
	root = json_pack("{s:s, s:o, s:o}", "schema", "lastack.coverage/1", "processes", processes,
		"never_seen", never);
	if (!root || json_dumpf(root, stdout, JSON_INDENT(1)) < 0)
		return LA_EXIT_OWN_FAILURE;
	putchar('\n');
	json_decref(root);
	return LA_EXIT_OK;
}

/* A snapshot in which what was out of sight before is known, too. */
static int look_twice(struct la_snapshot **snapshot, struct cookies *before)
{
	int status = la_snapshot_take(snapshot, 0, NULL);

	if (status != LA_EXIT_OK)
		return status;
	if (remember(*snapshot, before) < 0)
		status = LA_EXIT_OWN_FAILURE;
	if (status != LA_EXIT_OK || before->count == 0)
		return status;
	la_snapshot_free(*snapshot);
	*snapshot = NULL;
	usleep(BETWEEN_LOOKS_US);
	return la_snapshot_take(snapshot, 0, NULL);
}

int la_coverage_print(bool json)
{
	struct la_snapshot *snapshot = NULL;
	struct cookies before = {0};
	int status = look_twice(&snapshot, &before);
	struct row *rows = NULL;
	size_t count = 0, i;

	if (status == LA_EXIT_OK) {
		rows = count_all(snapshot, &before, &count);
		if (!rows)
			status = LA_EXIT_OWN_FAILURE;
		else if (json)
			status = print_json(rows, count);
		else
			status = print_rows(rows, count);
		if (status == LA_EXIT_OK && !json)
			print_never_seen();
	}
	for (i = 0; status == LA_EXIT_OK && i < count; i++)
		if (is_finding(&rows[i]))
			status = LA_EXIT_FINDINGS;
	free(rows);
	free(before.list);
	if (snapshot)
		la_snapshot_free(snapshot);
	return status;
}
