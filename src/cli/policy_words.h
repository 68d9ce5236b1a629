/* SPDX-License-Identifier: MIT */
/*
 * A rule in plain sentences: whom it is about, and what the peer and the application will see.
 */
#ifndef LASTACK_POLICY_WORDS_H
#define LASTACK_POLICY_WORDS_H

#include "policy_set.h"

enum { LA_SENTENCES = 16 };
struct la_sentences {
	char *text[LA_SENTENCES]; /* each a whole one; those past the room are left out */
	int count;
};
void la_sentences_add(struct la_sentences *sentences, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void la_sentences_free(struct la_sentences *sentences);

/* "every connection", "connections that were accepted, by nginx, on port 80": to be freed; NULL without memory. */
char *la_words_whom(const struct la_policy_set *set, const struct la_rule *rule);
/* What a bounded state is, and how it would end without lastack; what a close, an exit, a reset does then. */
const char *la_words_state(enum la_section section);
const char *la_words_unbounded(enum la_section section);
/* What happens when: one sentence each, in the order in which it happens. */
void la_words_of_rule(struct la_sentences *sentences, const struct la_rule *rule);
/* What lastack never does, whatever a policy says; only what concerns this one. */
void la_words_never(struct la_sentences *sentences, const struct la_policy_set *set);

/* To standard output; 0 or -1. */
int la_policy_json(const struct la_policy_set *set);

#endif
