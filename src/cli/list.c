/* SPDX-License-Identifier: MIT */
/*
 * lastack list: one line a connection, over all preloaded processes.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "coverage.h"
#include "filter.h"
#include "format.h"
#include "judge.h"
#include "next.h"
#include "snapshot.h"

enum column { PID, FD, STATE, AGE, EOF_, UNREAD, LOCAL, PEER, ROLE, TID, VERDICT, NEXT, COLUMNS };

static const struct {
	const char *name;
	bool right;
} columns[COLUMNS] = {
	[PID] = {"PID", true},
	[FD] = {"FD", true},
	[STATE] = {"STATE", false},
	[AGE] = {"AGE", true},
	[EOF_] = {"EOF", false},
	[UNREAD] = {"UNREAD", true},
	[LOCAL] = {"LOCAL", false},
	[PEER] = {"PEER", false},
	[ROLE] = {"ROLE", false},
	[TID] = {"TID", true},
	[VERDICT] = {"VERDICT", false},
	[NEXT] = {"NEXT", false},
};

struct selection {
	enum column list[COLUMNS * 2];
	int count;
};

static int select_columns(struct selection *selection, const char *text)
{
	selection->count = 0;
	do {
		size_t length = strcspn(text, ",");
		int c;

		for (c = 0; c < COLUMNS; c++)
			if (strlen(columns[c].name) == length &&
				strncasecmp(columns[c].name, text, length) == 0)
				break;
		if (c == COLUMNS || selection->count == COLUMNS * 2) {
			la_say("list -o: \"%.*s\" is no column: write some of PID FD STATE AGE EOF "
			       "UNREAD LOCAL PEER ROLE TID VERDICT NEXT, with commas between them",
				(int)(length > 40 ? 40 : length), text);
			return -1;
		}
		selection->list[selection->count++] = (enum column)c;
		text += length;
		text += *text == ',';
	} while (*text);
	return 0;
}

static const char *eof_name(enum la_eof eof)
{
	return eof == LA_EOF_READ ? "read" : eof == LA_EOF_UNREAD ? "unread" : "-";
}

static void put_cell(struct libscols_line *line, size_t at, enum column column,
	const struct la_item *item, uint64_t now_us)
{
	char text[80] = "-", address[LA_TEXT_ADDRESS], age[LA_TEXT_AGE];
	struct la_next next;

	switch (column) {
	case PID: snprintf(text, sizeof(text), "%u", item->pid); break;
	case FD:
		if (item->fd >= 0)
			snprintf(text, sizeof(text), "%d", item->fd);
		break;
	case STATE: snprintf(text, sizeof(text), "%s", la_judge_state_name(item)); break;
	case AGE:
		snprintf(text, sizeof(text), "%s",
			la_format_age(age, item->age_us, item->age_at_least));
		break;
	case EOF_: snprintf(text, sizeof(text), "%s", eof_name(item->eof)); break;
	case UNREAD:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)item->unread_bytes);
		break;
	case LOCAL:
		snprintf(text, sizeof(text), "%s",
			la_format_address(address, item->local, item->local_port));
		break;
	case PEER:
		snprintf(text, sizeof(text), "%s",
			la_format_address(address, item->remote, item->remote_port));
		break;
	case ROLE: snprintf(text, sizeof(text), "%s", la_role_name(item->role)); break;
	case TID:
		if (item->connection)
			snprintf(text, sizeof(text), "%u", item->connection->tid);
		break;
	case VERDICT: snprintf(text, sizeof(text), "%s", la_verdict_id(item->verdict)); break;
	case NEXT:
		next = la_next_of(item, now_us);
		la_next_text(text, &next, item);
		break;
	default: break;
	}
	scols_line_set_data(line, at, text);
}

static bool is_wanted(const struct la_item *item, const struct la_filter *filter)
{
	if (item->gone && !la_filter_wants(filter, item->verdict))
		return false;
	return la_filter_holds(filter, item);
}

static int print_table(const struct la_snapshot *snapshot, const struct la_filter *filter,
	const struct selection *selection)
{
	struct libscols_table *table;
	size_t i;
	int c;

	scols_init_debug(0);
	table = scols_new_table();
	if (!table)
		return LA_EXIT_OWN_FAILURE;
	for (c = 0; c < selection->count; c++)
		scols_table_new_column(table, columns[selection->list[c]].name, 0,
			columns[selection->list[c]].right ? SCOLS_FL_RIGHT : 0);
	for (i = 0; i < snapshot->items_count; i++) {
		struct libscols_line *line;

		if (!is_wanted(&snapshot->items[i], filter))
			continue;
		line = scols_table_new_line(table, NULL);
		for (c = 0; line && c < selection->count; c++)
			put_cell(line, (size_t)c, selection->list[c], &snapshot->items[i],
				snapshot->now_us);
	}
	if (scols_table_get_nlines(table) == 0) {
		/* libsmartcols prints nothing at all for an empty table; a header says that we looked. */
		for (c = 0; c < selection->count; c++)
			printf("%s%s", c ? " " : "", columns[selection->list[c]].name);
		putchar('\n');
	} else {
		scols_print_table(table);
	}
	scols_unref_table(table);
	return LA_EXIT_OK;
}

static json_t *json_holders(const struct la_item *item)
{
	json_t *holders = json_array();
	size_t i;

	for (i = 0; i < item->holders_count; i++)
		json_array_append_new(
			holders, json_pack("{s:i, s:i}", "pid", (int)item->holders[i].pid, "fd",
					 (int)item->holders[i].fd));
	return holders;
}

static json_t *json_item(const struct la_item *item, uint64_t now_us)
{
	char local[LA_TEXT_ADDRESS], peer[LA_TEXT_ADDRESS];
	struct la_next next = la_next_of(item, now_us);
	json_t *object = json_pack("{s:i, s:i, s:s, s:f, s:b, s:s, s:I, s:s, s:s, s:s, s:i, s:s, "
				   "s:s, s:s, s:b, s:b, s:I}",
		"pid", (int)item->pid, "fd", (int)item->fd, "state", la_judge_state_name(item),
		"age", (double)item->age_us / 1e6, "age_is_lower_bound", item->age_at_least, "eof",
		item->eof == LA_EOF_NONE ? "none" : eof_name(item->eof), "unread",
		(json_int_t)item->unread_bytes, "local",
		la_format_address(local, item->local, item->local_port), "peer",
		la_format_address(peer, item->remote, item->remote_port), "role",
		la_role_name(item->role), "tid", item->connection ? (int)item->connection->tid : 0,
		"verdict", la_verdict_id(item->verdict), "verdict_name",
		la_verdict_name(item->verdict), "mover", la_verdict_mover(item->verdict), "alive",
		item->alive, "draining", next.draining, "cookie", (json_int_t)item->cookie);

	if (!object)
		return NULL;
	json_object_set_new(object, "holders", json_holders(item));
	json_object_set_new(object, "held_back",
		next.held_back == LA_ACTION_NONE
			? json_null()
			: json_pack("{s:s, s:f}", "action", la_action_name(next.held_back), "ago",
				  (double)next.held_back_us / 1e6));
	if (next.action == LA_ACTION_NONE)
		json_object_set_new(object, "next", json_null());
	else
		json_object_set_new(object, "next",
			json_pack("{s:s, s:f, s:b}", "action", la_action_name(next.action), "in",
				(double)next.in_us / 1e6, "observe", next.observe));
	return object;
}

static int print_json(const struct la_snapshot *snapshot, const struct la_filter *filter)
{
	json_t *list = json_array(), *root;
	size_t i;

	for (i = 0; i < snapshot->items_count; i++)
		if (is_wanted(&snapshot->items[i], filter))
			json_array_append_new(
				list, json_item(&snapshot->items[i], snapshot->now_us));
	root = json_pack("{s:s, s:o}", "schema", "lastack.list/1", "connections", list);
	if (!root || json_dumpf(root, stdout, JSON_INDENT(1)) < 0)
		return LA_EXIT_OWN_FAILURE;
	putchar('\n');
	json_decref(root);
	return LA_EXIT_OK;
}

int la_cmd_list(int argc, char **argv)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'},
		{"json", no_argument, NULL, 'J'}, {"coverage", no_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct selection selection;
	struct la_snapshot *snapshot;
	struct la_filter filter;
	char error[200];
	bool json = false, coverage = false;
	int option, status, c;

	for (c = 0; c < COLUMNS; c++)
		selection.list[c] = (enum column)c;
	selection.count = COLUMNS;
	while ((option = getopt_long(argc, argv, "o:Jh", options, NULL)) != -1) {
		switch (option) {
		case 'o':
			if (select_columns(&selection, optarg) < 0)
				return LA_EXIT_USAGE;
			break;
		case 'J': json = true; break;
		case 'c': coverage = true; break;
		case 'h': return la_help_for("list");
		default: return LA_EXIT_USAGE;
		}
	}
	if (coverage && optind == argc)
		return la_coverage_print(json);
	if (coverage) {
		la_say("list --coverage takes no filter: it is about processes");
		return LA_EXIT_USAGE;
	}
	if (la_filter_parse(&filter, argc - optind, argv + optind, error) < 0) {
		la_say("%s", error);
		return LA_EXIT_USAGE;
	}
	status = la_snapshot_take(&snapshot, 0, NULL);
	if (status != LA_EXIT_OK)
		return status;
	status = json ? print_json(snapshot, &filter) : print_table(snapshot, &filter, &selection);
	la_snapshot_free(snapshot);
	return status;
}
