/* SPDX-License-Identifier: MIT */
/*
 * lastack policy check: are these files policies?
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lastack/policy.h>

#include "cli.h"

static int check(const char *word)
{
	static struct la_policy policy;
	char path[4096], *name = la_safe(word);
	int status = LA_EXIT_POLICY;

	la_policy_init(&policy);
	if (!la_policy_file(word, path))
		la_say("%s: no such policy: write the path of a file, or the name of a shipped one",
			name ? name : "?");
	else
		status = la_policy_load(&policy, access(word, F_OK) == 0 ? word : path);
	if (status == LA_EXIT_OK)
		printf("%s: ok, %u %s\n", name ? name : "?", policy.rules_count,
			policy.rules_count == 1 ? "rule" : "rules");
	free(name);
	return status;
}

int la_cmd_policy(int argc, char **argv)
{
	int i, status = LA_EXIT_OK;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return la_help_for("policy");
	if (argc < 3 || strcmp(argv[1], "check") != 0) {
		la_say("policy: write policy check FILE...");
		return LA_EXIT_USAGE;
	}
	for (i = 2; i < argc; i++)
		if (check(argv[i]) != LA_EXIT_OK)
			status = LA_EXIT_POLICY;
	return status;
}
