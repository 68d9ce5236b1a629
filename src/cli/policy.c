/* SPDX-License-Identifier: MIT */
/*
 * lastack policy check: are these files policies? What is allowed and dangerous in them is noted, and changes no status.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "policy_set.h"

static int check(char *word)
{
	static struct la_policy_set set;
	int status = la_policy_set_load(&set, &word, 1);

	if (status == LA_EXIT_OK) {
		printf("%s: ok, %u %s\n", set.names ? set.names : "?", set.policy.rules_count,
			set.policy.rules_count == 1 ? "rule" : "rules");
		la_policy_set_say_notes(&set);
	}
	la_policy_set_free(&set);
	return status;
}

int la_cmd_policy(int argc, char **argv)
{
	int i, status = LA_EXIT_OK;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return la_help_for("policy");
	if (argc > 1 && strcmp(argv[1], "explain") == 0)
		return la_policy_explain(argc - 1, argv + 1);
	if (argc < 3 || strcmp(argv[1], "check") != 0) {
		la_say("policy: write policy check FILE..., or policy explain FILE... [-J]");
		return LA_EXIT_USAGE;
	}
	for (i = 2; i < argc; i++)
		if (check(argv[i]) != LA_EXIT_OK)
			status = LA_EXIT_POLICY;
	return status;
}
