/* SPDX-License-Identifier: MIT */
/* The words that a policy file may use, and the one that a misspelt word was meant to be. */
#ifndef LASTACK_POLICY_WORDS_H
#define LASTACK_POLICY_WORDS_H

#include "text.h"

/* Lists end with a NULL text. */
struct la_word {
	const char *text;
	uint32_t value;
};

extern const struct la_word la_words_action[], la_words_close[], la_words_linger[], la_words_exit[],
	la_words_reset[], la_words_role[], la_words_eof[], la_words_section[];

const struct la_word *la_word_find(const struct la_word *words, struct la_span span);
/* The word of the list that differs from `span` by at most two slips of the keyboard, or NULL. */
const struct la_word *la_word_nearest(const struct la_word *words, struct la_span span);
/* The text of a value; "?" when the list has none. */
const char *la_word_text(const struct la_word *words, uint32_t value);

#endif
