/* SPDX-License-Identifier: MIT */
/*
 * Policy files put together: which rule stands where, and which one hides another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "policy_set.h"

static int add_file(struct la_policy_set *set, const char *word)
{
	uint32_t i = set->policy.rules_count;
	char path[4096], *name = la_safe(word), *names = NULL;
	int status = LA_EXIT_POLICY;

	if (!la_policy_file(word, path))
		la_say("%s: no such policy: write the path of a file, or the name of a shipped one",
			name ? name : "?");
	else
		status = la_policy_load(&set->policy, access(word, F_OK) == 0 ? word : path);
	for (; i < set->policy.rules_count; i++)
		set->source[i] = strdup(name ? name : "?");
	if (asprintf(&names, "%s%s%s", set->names ? set->names : "", set->names ? "," : "",
		    name ? name : "?") >= 0) {
		free(set->names);
		set->names = names;
	}
	free(name);
	return status;
}

int la_policy_set_load(struct la_policy_set *set, char *const words[], int count)
{
	char *list, *rest, *word;
	int status = LA_EXIT_OK, i;

	memset(set, 0, sizeof(*set));
	la_policy_init(&set->policy);
	for (i = 0; i < count && status == LA_EXIT_OK; i++) {
		if (access(words[i], F_OK) == 0) { /* a file's own name may have a comma */
			status = add_file(set, words[i]);
			continue;
		}
		list = rest = strdup(words[i]);
		while (status == LA_EXIT_OK && (word = strsep(&rest, ",")))
			if (*word || !*words[i])
				status = add_file(set, word);
		free(list);
	}
	return status;
}

void la_policy_set_free(struct la_policy_set *set)
{
	uint32_t i;

	for (i = 0; i < LA_POLICY_RULES; i++)
		free(set->source[i]);
	free(set->names);
	memset(set, 0, sizeof(*set));
}

const struct la_rule *la_policy_set_hides(
	const struct la_policy_set *set, const struct la_rule *rule)
{
	const struct la_rule *earlier;

	for (earlier = set->policy.rules; earlier < rule; earlier++)
		if (earlier->section == rule->section &&
			la_match_covers(&earlier->match, &rule->match))
			return earlier;
	return NULL;
}

bool la_policy_set_uses(const struct la_policy_set *set, enum la_section section)
{
	uint32_t i;

	for (i = 0; i < set->policy.rules_count; i++)
		if (set->policy.rules[i].section == (uint32_t)section)
			return true;
	return false;
}

bool la_policy_set_is_total(const struct la_policy_set *set, enum la_section section)
{
	static const struct la_match any;
	uint32_t i;

	for (i = 0; i < set->policy.rules_count; i++)
		if (set->policy.rules[i].section == (uint32_t)section &&
			la_match_covers(&set->policy.rules[i].match, &any))
			return true;
	return false;
}

char *la_policy_time(char text[LA_TEXT_TIME], uint64_t ns)
{
	static const struct {
		uint64_t ns;
		const char *unit;
		uint64_t least; /* 60s reads better than 1m */
	} units[] = {{3600000000000ull, "h", 1}, {60000000000ull, "m", 2}, {1000000000ull, "s", 1}};
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (ns % units[i].ns == 0 && ns / units[i].ns >= units[i].least) {
			snprintf(text, LA_TEXT_TIME, "%llu%s",
				(unsigned long long)(ns / units[i].ns), units[i].unit);
			return text;
		}
	snprintf(text, LA_TEXT_TIME, "%llums", (unsigned long long)(ns / 1000000));
	return text;
}

char *la_policy_size(char text[LA_TEXT_TIME], uint64_t bytes)
{
	bool mib = bytes % (1 << 20) == 0;

	snprintf(text, LA_TEXT_TIME, "%llu%s", (unsigned long long)(bytes >> (mib ? 20 : 10)),
		mib ? "MiB" : "KiB");
	return text;
}
