/* SPDX-License-Identifier: MIT */
/* The words of a policy file, in the order in which errors list them. */
#include "words.h"

const struct la_word la_words_action[] = {
	{"log", LA_ACTION_LOG},
	{"keepalive", LA_ACTION_KEEPALIVE},
	{"shutdown", LA_ACTION_SHUTDOWN},
	{"reset", LA_ACTION_RESET},
	{NULL, 0},
};

const struct la_word la_words_close[] = {
	{"plain", LA_CLOSE_PLAIN},
	{"graceful", LA_CLOSE_GRACEFUL},
	{NULL, 0},
};

const struct la_word la_words_linger[] = {
	{"needed", LA_LINGER_NEEDED},
	{"always", LA_LINGER_ALWAYS},
	{NULL, 0},
};

const struct la_word la_words_exit[] = {
	{"plain", LA_EXIT_PLAIN},
	{"drain", LA_EXIT_DRAIN},
	{"handover", LA_EXIT_HANDOVER},
	{NULL, 0},
};

const struct la_word la_words_reset[] = {
	{"allow", LA_RESET_ALLOW},
	{"refuse", LA_RESET_REFUSE},
	{NULL, 0},
};

const struct la_word la_words_role[] = {
	{"server", LA_ROLE_SERVER},
	{"client", LA_ROLE_CLIENT},
	{NULL, 0},
};

const struct la_word la_words_eof[] = {
	{"read", LA_EOF_READ},
	{"unread", LA_EOF_UNREAD},
	{NULL, 0},
};

const struct la_word la_words_section[] = {
	{"close-wait", LA_SECTION_CLOSE_WAIT},
	{"fin-wait-1", LA_SECTION_FIN_WAIT_1},
	{"fin-wait-2", LA_SECTION_FIN_WAIT_2},
	{"closing", LA_SECTION_CLOSING},
	{"last-ack", LA_SECTION_LAST_ACK},
	{"close", LA_SECTION_CLOSE},
	{"exit", LA_SECTION_EXIT},
	{"reset", LA_SECTION_RESET},
	{NULL, 0},
};
_Static_assert(sizeof(la_words_section) / sizeof(la_words_section[0]) == LA_SECTION_COUNT + 1,
	"a section has no name");
_Static_assert(sizeof(la_words_action) / sizeof(la_words_action[0]) == LA_ACTION_COUNT,
	"an action has no name");

const struct la_word *la_word_find(const struct la_word *words, struct la_span span)
{
	for (; words->text; words++) {
		if (la_span_is(span, words->text))
			return words;
	}
	return NULL;
}

const char *la_word_text(const struct la_word *words, uint32_t value)
{
	for (; words->text; words++) {
		if (words->value == value)
			return words->text;
	}
	return "?";
}

enum { LONGEST = 20 };

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`; both at most LONGEST long. */
static unsigned int distance(struct la_span a, struct la_span b)
{
	unsigned int d[LONGEST + 1][LONGEST + 1];

	for (size_t i = 0; i <= a.length; i++) {
		for (size_t j = 0; j <= b.length; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = i + j;
				continue;
			}
			d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
				d[i - 1][j - 1] + (a.at[i - 1] != b.at[j - 1]));
			if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] &&
				a.at[i - 2] == b.at[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a.length][b.length];
}

const struct la_word *la_word_nearest(const struct la_word *words, struct la_span span)
{
	char lower[LONGEST];
	const struct la_word *nearest = NULL;
	unsigned int best = 3;

	if (span.length > LONGEST)
		return NULL;
	/* CLOSE_WAIT was meant to be close-wait. */
	for (size_t i = 0; i < span.length; i++) {
		char c = span.at[i];

		lower[i] = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	span.at = lower;
	for (; words->text; words++) {
		struct la_span word = la_span_of(words->text);
		unsigned int d;

		if (word.length > LONGEST)
			continue;
		d = distance(span, word);
		/* Of a short word at least half must be right. */
		if (d < best && d * 2 <= word.length) {
			best = d;
			nearest = words;
		}
	}
	return nearest;
}
