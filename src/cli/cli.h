/* SPDX-License-Identifier: MIT */
/*
 * The command: what its subcommands share.
 */
#ifndef LASTACK_CLI_H
#define LASTACK_CLI_H

#include <stdbool.h>
#include <stdio.h>

#ifndef LA_VERSION
#define LA_VERSION "0.1.0"
#endif

/* interface.md section 3. `run` gives the command's own status, 125 to 127 as env(1). */
enum la_exit {
	LA_EXIT_OK = 0,
	LA_EXIT_FINDINGS = 1,
	LA_EXIT_USAGE = 2,
	LA_EXIT_POLICY = 3,
	LA_EXIT_PRELOAD = 4,
	LA_EXIT_PERMISSION = 5,
	LA_EXIT_PROCESS = 6,
	LA_EXIT_OWN_FAILURE = 125,
	LA_EXIT_NOT_EXECUTABLE = 126,
	LA_EXIT_NOT_FOUND = 127
};

struct la_command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the name */
	const char *arguments, *help;
};

int la_cmd_run(int argc, char **argv);
int la_cmd_list(int argc, char **argv);
int la_cmd_report(int argc, char **argv);
int la_cmd_explain(int argc, char **argv);
int la_cmd_act(int argc, char **argv);
int la_cmd_metrics(int argc, char **argv);
int la_cmd_table(int argc, char **argv);
int la_cmd_policy(int argc, char **argv);
int la_policy_explain(int argc, char **argv); /* argv[0] is "explain" */

/* Usage of one subcommand on standard output; returns LA_EXIT_OK. */
int la_help_for(const char *name);

/* Talk, to standard error; made harmless for a terminal as by la_safe(). */
void la_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A copy in which control characters and bytes that are no UTF-8 read \xNN; to be freed; NULL without memory. */
char *la_safe(const char *untrusted);
void la_print_safe(FILE *to, const char *untrusted);

/* The folder that this command's own binary is in; "" when unknown. */
const char *la_own_folder(void);
/*
 * The file of a policy: a word with '/' or ending in .policy is one; else a name, looked for beside the build folder and where
 * it is installed. False when there is none; `path` is absolute then, if it can be.
 */
bool la_policy_file(const char *word, char path[4096]);
struct la_policy;
/* Read and parse one file into `policy`; says what is wrong. LA_EXIT_OK or LA_EXIT_POLICY. */
int la_policy_load(struct la_policy *policy, const char *path);

#endif
