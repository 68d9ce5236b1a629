/* SPDX-License-Identifier: MIT */
/*
 * Policy files put together as LASTACK_POLICY does it, and what of them is said to people: where a rule stands, what is dangerous in it.
 */
#ifndef LASTACK_POLICY_SET_H
#define LASTACK_POLICY_SET_H

#include <lastack/policy.h>

struct la_policy_set {
	struct la_policy policy;
	char *source
		[LA_POLICY_RULES]; /* of each rule: its file, as it was named, harmless for a terminal */
	char *names;               /* all that were named, with commas */
};
/* Files or names, each word a comma list of them; earlier ones win. LA_EXIT_OK, or LA_EXIT_POLICY having said why. */
int la_policy_set_load(struct la_policy_set *set, char *const words[], int count);
void la_policy_set_free(struct la_policy_set *set);

/* The earlier rule that takes every connection which `rule` could get; NULL: it can be reached. */
const struct la_rule *la_policy_set_hides(
	const struct la_policy_set *set, const struct la_rule *rule);
/* Is there a rule of this section? Does some rule of it take whatever comes? */
bool la_policy_set_uses(const struct la_policy_set *set, enum la_section section);
bool la_policy_set_is_total(const struct la_policy_set *set, enum la_section section);

/*
 * What is allowed and will be regretted: `each` gets the rule and one sentence, valid during the call. Returns how many.
 */
int la_policy_set_notes(const struct la_policy_set *set,
	void (*each)(const struct la_policy_set *set, const struct la_rule *rule,
		const char *sentence, void *context),
	void *context);
/* "FILE:LINE: note: sentence" on standard error. */
int la_policy_set_say_notes(const struct la_policy_set *set);

enum { LA_TEXT_TIME = 24 };
/* As a policy is written: "60s", "5m", "1500ms". */
char *la_policy_time(char text[LA_TEXT_TIME], uint64_t ns);
/* "16MiB" */
char *la_policy_size(char text[LA_TEXT_TIME], uint64_t bytes);

#endif
