/* SPDX-License-Identifier: MIT */
/*
 * Pieces of a policy file, and the sentence that says what is wrong with one.
 *
 * The room brings its own few string functions: the helper of the shim runs without thread-local storage, where strtoul,
 * inet_pton, snprintf or an INI library (errno, locale, malloc) may not be called.
 */
#ifndef LASTACK_POLICY_TEXT_H
#define LASTACK_POLICY_TEXT_H

#include <lastack/policy.h>

/* A piece of the file, never NUL-terminated. */
struct la_span {
	const char *at;
	size_t length;
};

/* Where the parser is: what an error needs in order to point. */
struct la_place {
	const char *file;
	uint32_t line;
	const char *line_start;
	struct la_policy_error *error;
};

struct la_span la_span_of(const char *text);
struct la_span la_span_trim(struct la_span span);
/* Cut the first word, or what stands before the first `c`, off the front of `rest`; `rest` keeps what follows. */
struct la_span la_span_word(struct la_span *rest);
struct la_span la_span_before(struct la_span *rest, char c);
bool la_span_is(struct la_span span, const char *text);
bool la_span_has(struct la_span span, char c);
/* Copy with a NUL; the caller has checked that it fits. */
void la_span_copy(char *to, struct la_span span);

/* No control characters; UTF-8 passes. */
bool la_span_is_printable(struct la_span span);
/* Rule names appear in metrics and logs, so they are made of letters, digits and "-_." only. */
bool la_span_is_name(struct la_span span);
bool la_text_is_terminated(const char *text, size_t size);

/*
 * Write "FILE:LINE:COLUMN: sentence"; always returns -EINVAL. `at` points into the line, NULL leaves the column out.
 * In `format`: %s a string of ours, %q a const struct la_span * quoted with everything unprintable escaped, %u a
 * uint64_t, %c a list of words (const struct la_word *, see words.h) from which the one nearest to the given span
 * (const struct la_span *) is named, or all of them when none is near.
 */
int la_policy_complain(const struct la_place *place, const char *at, const char *format, ...);

#endif
