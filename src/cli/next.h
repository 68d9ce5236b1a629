/* SPDX-License-Identifier: MIT */
/*
 * What the policy in force will do with a connection next.
 */
#ifndef LASTACK_NEXT_H
#define LASTACK_NEXT_H

#include "snapshot.h"

struct la_next {
	enum la_action action; /* LA_ACTION_NONE: nothing by policy */
	uint64_t in_us;
	bool observe;  /* it will be counted and shown, not done */
	bool draining; /* lastack drains it */
	/* What would have ended it, had LASTACK_MODE=observe not held it back, and how long ago; LA_ACTION_NONE: nothing yet. */
	enum la_action held_back;
	uint64_t held_back_us;
};
/* The rule of `section` that governs it, NULL: none, or no policy is known. */
const struct la_rule *la_next_rule(const struct la_item *item, enum la_section section);
struct la_next la_next_of(const struct la_item *item, uint64_t now_us);
/* "shutdown in 23s", "would shutdown in 23s", "would have shut down 5s ago", "drain", or whose move it is. */
char *la_next_text(char text[64], const struct la_next *next, const struct la_item *item);

#endif
