/* SPDX-License-Identifier: MIT */
/*
 * Values of a policy file. Each function reads one whole span and returns 0, or complains about it and returns -EINVAL.
 */
#ifndef LASTACK_POLICY_VALUES_H
#define LASTACK_POLICY_VALUES_H

#include "text.h"

int la_value_time(const struct la_place *place, struct la_span span, uint64_t *ns);
int la_value_size(const struct la_place *place, struct la_span span, uint64_t *bytes);
int la_value_count(const struct la_place *place, struct la_span span, uint32_t *count);
int la_value_ports(
	const struct la_place *place, struct la_span span, uint16_t *low, uint16_t *high);
int la_value_prefix(const struct la_place *place, struct la_span span, struct la_prefix *prefix);
int la_value_match(const struct la_place *place, struct la_span span, struct la_match *match);

/* Digits only; a number too large for any value reads as LA_NUMBER_HUGE. False: not a number. */
#define LA_NUMBER_HUGE (1ull << 60)
bool la_value_number(struct la_span span, uint64_t *number);

#endif
