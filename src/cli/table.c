/* SPDX-License-Identifier: MIT */
/*
 * lastack table: Table 154 in its own words, with the number of connections in every cell.
 */
#include <getopt.h>
#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "snapshot.h"

enum { WORDS_WIDTH = 44, ALL_WIDTH = 160 };

static void words(const struct la_step_cell *cell, char text[400])
{
	snprintf(text, 400, "%s%s%s", cell->step, cell->step[0] ? ": " : "", cell->does);
}

/* Lines of at most `width`, broken between words: libsmartcols breaks within them. */
static void break_lines(char *text, size_t width)
{
	size_t start = 0, space = 0, at;

	for (at = 0; text[at]; at++) {
		if (text[at] == ' ')
			space = at;
		if (at - start >= width && space > start) {
			text[space] = '\n';
			start = space + 1;
		}
	}
}

static const char *goes_to(const struct la_step_cell *cell)
{
	return cell->to == cell->in ? "-" : la_state_name(cell->to);
}

static void print_rows(unsigned int from, unsigned int to, unsigned int counts[2][LA_STATE_COUNT])
{
	static const struct {
		const char *name;
		double width;
		int flags;
	} columns[] = {
		{"#", 2, SCOLS_FL_RIGHT},
		{"CLIENT", 11, 0},
		{"N", 3, SCOLS_FL_RIGHT},
		{"DOES OR WAITS FOR", 44, SCOLS_FL_WRAP},
		{"GOES TO", 11, 0},
		{"SERVER", 11, 0},
		{"N", 3, SCOLS_FL_RIGHT},
		{"DOES OR WAITS FOR", 44, SCOLS_FL_WRAP},
		{"GOES TO", 11, 0},
	};
	struct libscols_table *table = scols_new_table();
	char text[400];
	size_t c;
	unsigned int r, side;

	if (!table)
		return;
	scols_table_enable_maxout(table, 0);
	scols_table_set_termwidth(table, ALL_WIDTH);
	scols_table_set_termforce(table, SCOLS_TERMFORCE_ALWAYS);
	for (c = 0; c < sizeof(columns) / sizeof(columns[0]); c++) {
		struct libscols_column *column = scols_table_new_column(
			table, columns[c].name, columns[c].width, columns[c].flags);

		if (columns[c].flags & SCOLS_FL_WRAP) {
			scols_column_set_wrapfunc(
				column, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL);
			scols_column_set_safechars(column, "\n");
		}
	}
	for (r = from; r < to; r++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);

		snprintf(text, sizeof(text), "%u", la_steps[r].number);
		scols_line_set_data(line, 0, text);
		for (side = 0; side < 2; side++) {
			const struct la_step_cell *cell = &la_steps[r].side[side];
			size_t at = 1 + side * 4;

			scols_line_set_data(line, at, la_state_name(cell->in));
			snprintf(text, sizeof(text), "%u", counts[side][cell->in]);
			scols_line_set_data(line, at + 1, text);
			words(cell, text);
			break_lines(text, WORDS_WIDTH);
			scols_line_set_data(line, at + 2, text);
			scols_line_set_data(line, at + 3, goes_to(cell));
		}
	}
	scols_print_table(table);
	scols_unref_table(table);
}

static json_t *json_cell(const struct la_step_cell *cell, unsigned int connections)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "state", la_state_name(cell->in), "step",
		cell->step, "does", cell->does, "to", la_state_name(cell->to), "rfc", cell->rfc,
		"connections", (int)connections);
}

static int print_json(unsigned int counts[2][LA_STATE_COUNT])
{
	json_t *rows = json_array(), *root;
	unsigned int r;
	int result;

	for (r = 0; r < la_steps_count; r++) {
		const struct la_step_row *row = &la_steps[r];

		json_array_append_new(rows,
			json_pack("{s:i, s:s, s:b, s:o, s:o}", "number", (int)row->number, "label",
				row->label, "table_154", r < la_steps_table_154, "client",
				json_cell(&row->side[LA_SIDE_CLIENT],
					counts[LA_SIDE_CLIENT][row->side[LA_SIDE_CLIENT].in]),
				"server",
				json_cell(&row->side[LA_SIDE_SERVER],
					counts[LA_SIDE_SERVER][row->side[LA_SIDE_SERVER].in])));
	}
	root = json_pack("{s:s, s:o}", "schema", "lastack.table/1", "rows", rows);
	result = root ? json_dumpf(root, stdout, JSON_INDENT(1)) : -1;
	putchar('\n');
	json_decref(root);
	return result < 0 ? LA_EXIT_OWN_FAILURE : LA_EXIT_OK;
}

int la_cmd_table(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'J'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	unsigned int counts[2][LA_STATE_COUNT];
	struct la_snapshot *snapshot;
	unsigned long pid = 0;
	bool json = false;
	char *end;
	int option, status;

	while ((option = getopt_long(argc, argv, "Jh", options, NULL)) != -1) {
		switch (option) {
		case 'J': json = true; break;
		case 'h': return la_help_for("table");
		default: return LA_EXIT_USAGE;
		}
	}
	if (argc - optind == 1)
		pid = strtoul(argv[optind], &end, 10);
	if (argc - optind > 1 || (argc - optind == 1 && (*end || pid == 0 || pid > 0x7fffffff))) {
		la_say("table: write nothing more, or one PID");
		return LA_EXIT_USAGE;
	}
	status = la_snapshot_take(&snapshot, (uint32_t)pid, NULL);
	if (status != LA_EXIT_OK)
		return status;
	/* What a crashed process left behind counts only when it was asked for by name. */
	la_snapshot_count(snapshot, pid != 0, counts);
	la_snapshot_free(snapshot);
	if (json)
		return print_json(counts);
	printf("TCP connection termination (The TCP/IP Guide, Table 154); client: who closes "
	       "first\n");
	print_rows(0, la_steps_table_154, counts);
	printf("\nBeyond Table 154\n");
	print_rows(la_steps_table_154, la_steps_count, counts);
	return LA_EXIT_OK;
}
