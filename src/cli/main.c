/* SPDX-License-Identifier: MIT */
/*
 * lastack: the command. One file a subcommand.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct la_command commands[] = {
	{"run", la_cmd_run,
		"[-p POLICY]... [--observe] [--leak-check[=STATUS]] [--] COMMAND [ARG...]",
		"run a command with liblastack.so preloaded\n"
		"  -p POLICY   a policy file, or the name of a shipped one; earlier ones win\n"
		"  --observe   decide, count and show, but act on nothing\n"
		"  --leak-check[=STATUS]  for test suites: end with STATUS (99) and a report on "
		"standard "
		"error when\n"
		"              the command, or a descendant, has left connections behind. Left is "
		"what a "
		"process held\n"
		"              when it ended, though the peer had closed (L1, L2) or the "
		"connection was gone "
		"(L5).\n"
		"              What is merely open is no leak, nor a FIN of the last 100ms that "
		"nobody has "
		"read; what a\n"
		"              language closes while it winds up is closed. A daemon that goes on "
		"is looked "
		"at as it is.\n"
		"              Else the command's own status. The policy is leak-check, unless -p "
		"names "
		"others."},
	{"list", la_cmd_list, "[FILTER] [-o COLUMNS] [-J] | --coverage [-J]",
		"one line a connection, over all preloaded processes\n"
		"  FILTER      state close-wait, state half-closed, sport = :8080, dport = :9200, "
		"age > 5m,\n"
		"              eof read|unread, verdict L1, pid N; joined by and\n"
		"  -o COLUMNS  of PID FD STATE AGE EOF UNREAD LOCAL PEER ROLE TID VERDICT NEXT\n"
		"  -J          JSON (lastack.list/1; lastack.coverage/1)\n"
		"  --coverage  instead: a line a process, what of it the hooks do not see; status "
		"1 "
		"when there is any"},
	{"report", la_cmd_report, "[PID|REGION-FILE] [-J] [--fail-on VERDICT] [--min-age TIME]",
		"leaks, grouped by where they were opened and told of EOF; status 1 when there are "
		"any\n"
		"  --fail-on VERDICT  status 1 only for this one (L1 to L7; may be repeated)\n"
		"  --min-age TIME     how long in its state makes a leak (default 1s)\n"
		"  -J                 JSON (lastack.report/1)"},
	{"table", la_cmd_table, "[PID] [-J]",
		"the termination table with the number of connections in every cell\n"
		"  -J   JSON (lastack.table/1)"},
	{"explain", la_cmd_explain, "PID:FD [-J]",
		"one connection: time line, position, whose move it is, what the policy will do "
		"and "
		"when\n"
		"  PID:FD   as list prints them\n"
		"  -J       JSON (lastack.explain/1)\n"
		"Exit status 1 when the connection has a verdict."},
	{"metrics", la_cmd_metrics, "[--output FILE | --listen ADDRESS:PORT]",
		"OpenMetrics of all preloaded processes\n"
		"  --output FILE           for a textfile collector; replaced as a whole\n"
		"  --listen ADDRESS:PORT   over HTTP at /metrics; :PORT is the loopback"},
	{"act", la_cmd_act, "PID:FD shutdown|reset|keepalive [--yes]",
		"end or probe one connection by hand, of any process, after a question\n"
		"  shutdown   our FIN; the process keeps its descriptor, and reads the end of the "
		"stream\n"
		"  reset      an RST\n"
		"  keepalive  find out whether the peer still exists\n"
		"  --yes      ask nothing\n"
		"Needs root, or the same user where ptrace_scope is 0."},
	{"policy", la_cmd_policy, "check FILE... | explain FILE... [-J]",
		"check policy files; say in sentences what they will do\n"
		"  check    FILE:LINE and what to write instead: status 3; what is allowed and "
		"dangerous is noted\n"
		"  explain  several files, or a list with commas, as LASTACK_POLICY puts them "
		"together: earlier ones win\n"
		"  -J       JSON (lastack.policy/1)"},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void usage(FILE *to)
{
	size_t i;

	fprintf(to, "usage: lastack COMMAND [ARGUMENT...]\n\n"
		    "Follow the TCP connections of preloaded servers through the termination "
		    "table.\n\n");
	for (i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-7s %s\n          %.*s\n", commands[i].name, commands[i].arguments,
			(int)strcspn(commands[i].help, "\n"), commands[i].help);
	fprintf(to, "\n  help [COMMAND], --help, --version\n\n"
		    "Exit status: 0 nothing found, 1 findings, 2 usage, 3 bad policy, 4 cannot be "
		    "preloaded, 5 no permission,\n"
		    "6 no such process; run gives the command's own status, 125, 126 and 127 as "
		    "env(1).\n");
}

static const struct la_command *find(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Letters to insert, drop, change or swap with their neighbour until `a` is `b`. */
static unsigned int distance(const char *a, const char *b)
{
	if (!*a || !*b)
		return (unsigned int)(strlen(a) + strlen(b));
	if (*a == *b)
		return distance(a + 1, b + 1);
	if (a[0] == b[1] && a[1] == b[0])
		return 1 + distance(a + 2, b + 2);
	return 1 + least(distance(a + 1, b + 1), least(distance(a + 1, b), distance(a, b + 1)));
}

/* The command that `name` may be a slip of, NULL when none is near. */
static const char *nearest(const char *name)
{
	enum { LONGEST = 9, SLIPS = 2 }; /* distance() tries everything: only for short words */
	const char *best = NULL;
	unsigned int best_distance = SLIPS + 1;
	size_t i;

	if (strlen(name) < SLIPS || strlen(name) > LONGEST)
		return NULL;
	for (i = 0; i < COMMANDS; i++) {
		unsigned int slips = distance(name, commands[i].name);

		/* "ab" is as far from "run" as from anything: most letters must be right */
		if (slips < best_distance && slips * 2 <= strlen(commands[i].name)) {
			best = commands[i].name;
			best_distance = slips;
		}
	}
	return best;
}

int la_help_for(const char *name)
{
	const struct la_command *command = find(name);

	if (!command) {
		la_say("there is no such command; lastack --help lists them");
		return LA_EXIT_USAGE;
	}
	printf("usage: lastack %s %s\n\n%s\n", command->name, command->arguments, command->help);
	return LA_EXIT_OK;
}

/* Data that did not reach its reader is no success. */
static int written(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	la_say("standard output: could not be written");
	return LA_EXIT_OWN_FAILURE;
}

int main(int argc, char **argv)
{
	const struct la_command *command;
	const char *near;

	if (argc < 2) {
		usage(stderr);
		return LA_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("lastack " LA_VERSION);
		return LA_EXIT_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		if (argc > 2)
			return written(la_help_for(argv[2]));
		usage(stdout);
		return written(LA_EXIT_OK);
	}
	command = find(argv[1]);
	if (!command) {
		near = nearest(argv[1]);
		la_say("\"%s\" is no command: write run, list, report, table, explain, metrics, "
		       "act or "
		       "policy; "
		       "%s%s%s",
			argv[1], near ? "did you mean " : "lastack --help explains them",
			near ? near : "", near ? "?" : "");
		return LA_EXIT_USAGE;
	}
	return written(command->run(argc - 1, argv + 1));
}
