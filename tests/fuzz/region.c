/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the command in front of a hostile region. The input changes a valid scene (scene.h); the command is the real
 * one, from reading to printing.
 *
 * Whatever is in the region: the reader refuses it with a reason or keeps what region_reader.h promises, the command ends
 * with a status of its own, JSON is JSON, there is a line a connection at most, and nothing that is printed commands a terminal.
 */
#include <getopt.h>
#include <jansson.h>

#include "../../src/cli/cli.h"
#include "../unit/region_promises.h"
#include "fuzz.h"
#include "harmless.h"
#include "symbolize.h"
#include "world.h"

enum { LONGEST_WORDS = 8 };

struct shown {
	char *text;
	size_t length;
};

/* main.c has it; no command line here asks for help. */
int la_help_for(const char *name)
{
	(void)name;
	abort();
}

/* How many connections there may be to show; 0 when the region was refused. */
static size_t check_copy(void)
{
	struct la_region_copy copy;
	char error[160];
	int result;
	size_t count;

	memset(error, 0xaa, sizeof(error));
	result = la_region_read(world_path(), &copy, error);
	REQUIRE(strnlen(error, sizeof(error)) < sizeof(error) && is_harmless(error, strlen(error)));
	if (result < 0) {
		REQUIRE(error[0] && !copy.connections && !copy.processes && !copy.stacks);
		return 0;
	}
	REQUIRE(!error[0] && region_keeps_promises(&copy));
	if (scene.world.command % COMMANDS == SYMBOLIZE)
		symbolize_all(&copy);
	count = copy.connections_count;
	la_region_copy_free(&copy);
	return count;
}

static int list(char *filter, bool json)
{
	char *words[LONGEST_WORDS] = {"list", json ? "-J" : filter, json ? filter : NULL};

	return la_cmd_list(json ? 3 : 2, words);
}

static int report(bool json)
{
	char *words[LONGEST_WORDS] = {"report", "--min-age",
		scene.world.oddities & LOOK_AGAIN ? "1s" : "0s", (char *)world_path(),
		json ? "-J" : NULL};

	return la_cmd_report(json ? 5 : 4, words);
}

static int table(bool json)
{
	char pid[16], *words[LONGEST_WORDS] = {"table"};
	int count = 1;

	snprintf(pid, sizeof(pid), "%u", FIRST_LIVING);
	if (scene.world.oddities & LOOK_AGAIN)
		words[count++] = pid;
	if (json)
		words[count++] = "-J";
	return la_cmd_table(count, words);
}

static int run(void)
{
	char filter[sizeof(scene.world.filter) + 1] = "";

	/* A word that begins like an option is none of FILTER's. */
	if (scene.world.filter[0] != '-')
		memcpy(filter, scene.world.filter, sizeof(scene.world.filter));
	optind = 0;
	switch (scene.world.command % COMMANDS) {
	case LIST: return list(filter, false);
	case LIST_JSON: return list(filter, true);
	case REPORT: return report(false);
	case REPORT_JSON: return report(true);
	case TABLE: return table(false);
	case TABLE_JSON: return table(true);
	default: return 0;
	}
}

static void check_json(const struct shown *out)
{
	json_t *root = json_loadb(out->text, out->length, JSON_REJECT_DUPLICATES, NULL);
	const char *schema = json_string_value(json_object_get(root, "schema"));

	REQUIRE(root && schema && strncmp(schema, "lastack.", 8) == 0, "%s\n", out->text);
	json_decref(root);
}

static void check_status(int status, enum command command, const struct shown *out)
{
	bool json = command == LIST_JSON || command == REPORT_JSON || command == TABLE_JSON;

	switch (status) {
	case LA_EXIT_OK: break;
	case LA_EXIT_FINDINGS: REQUIRE(command == REPORT || command == REPORT_JSON); break;
	case LA_EXIT_USAGE: REQUIRE(command == LIST || command == LIST_JSON); break;
	case LA_EXIT_PROCESS: REQUIRE(command >= REPORT); break;
	default: REQUIRE(!"a status of the command");
	}
	if (status > LA_EXIT_FINDINGS)
		REQUIRE(out->length == 0, "%s\n", out->text);
	else if (json)
		check_json(out);
	else
		REQUIRE(command == READ || command == SYMBOLIZE || out->length);
}

static size_t lines_of(const struct shown *out)
{
	size_t lines = 0;

	for (size_t i = 0; i < out->length; i++)
		lines += out->text[i] == '\n';
	return lines;
}

/* Runs the command with its output kept; its status. */
static int show(const uint8_t *data, size_t size, struct shown *out, struct shown *talk)
{
	FILE *real_out = stdout, *real_talk = stderr;
	int status;

	stdout = open_memstream(&out->text, &out->length);
	stderr = open_memstream(&talk->text, &talk->length);
	REQUIRE(stdout && stderr);
	world_begin(data, size);
	status = run();
	world_end();
	fclose(stdout);
	fclose(stderr);
	stdout = real_out;
	stderr = real_talk;
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shown out, talk;
	enum command command;
	uint8_t oddities;
	size_t most;
	int status;

	world_begin(data, size);
	command = scene.world.command % COMMANDS;
	oddities = scene.world.oddities;
	most = check_copy();
	world_end();
	if (command == READ || command == SYMBOLIZE)
		return 0;
	status = show(data, size, &out, &talk);
	REQUIRE(is_harmless(out.text, out.length), "%s\n", out.text);
	REQUIRE(is_harmless(talk.text, talk.length), "%s\n", talk.text);
	check_status(status, command, &out);
	/* A header, the connections, and what waits in the backlog of a listener. */
	if (command == LIST && !(oddities & TWO_REGIONS))
		REQUIRE(lines_of(&out) <= 1 + most + SOCKETS, "%zu\n%s\n", most, out.text);
	free(out.text);
	free(talk.text);
	return 0;
}
