/* SPDX-License-Identifier: MIT */
/* The settings of a section: keys.def put to use. */
#ifndef LASTACK_POLICY_KEYS_H
#define LASTACK_POLICY_KEYS_H

#include "text.h"

/* A line "key argument = value". Only `after` has an argument. */
struct la_setting {
	struct la_span key, argument, value;
};

/* The values of a section before its first line. */
void la_rule_defaults(struct la_rule *rule, enum la_section section);

/* Apply one setting. `seen` remembers which keys stood in this section; start it with 0. 0 or -EINVAL. */
int la_rule_set(const struct la_place *place, struct la_rule *rule,
	const struct la_setting *setting, uint32_t *seen);

/* Is anything missing? Called behind the last line of a section; `header` points at its first. 0 or -EINVAL. */
int la_rule_check_complete(
	const struct la_place *header, const char *at, const struct la_rule *rule, uint32_t seen);

#endif
