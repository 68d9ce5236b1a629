/* SPDX-License-Identifier: MIT */
/* Pieces of text: cutting, comparing, checking. */
#include "text.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct la_span la_span_of(const char *text)
{
	struct la_span span = {text, 0};

	while (text[span.length])
		span.length++;
	return span;
}

struct la_span la_span_trim(struct la_span span)
{
	while (span.length && is_blank(span.at[0]))
		span.at++, span.length--;
	while (span.length && is_blank(span.at[span.length - 1]))
		span.length--;
	return span;
}

struct la_span la_span_word(struct la_span *rest)
{
	struct la_span word;

	*rest = la_span_trim(*rest);
	word = (struct la_span){rest->at, 0};
	while (word.length < rest->length && !is_blank(word.at[word.length]))
		word.length++;
	rest->at += word.length;
	rest->length -= word.length;
	*rest = la_span_trim(*rest);
	return word;
}

struct la_span la_span_before(struct la_span *rest, char c)
{
	struct la_span before = {rest->at, 0};

	while (before.length < rest->length && before.at[before.length] != c)
		before.length++;
	rest->at += before.length;
	rest->length -= before.length;
	if (rest->length)
		rest->at++, rest->length--;
	return before;
}

bool la_span_is(struct la_span span, const char *text)
{
	for (size_t i = 0; i < span.length; i++) {
		/* An embedded NUL differs too, so `text` is never read beyond its end. */
		if (text[i] == '\0' || text[i] != span.at[i])
			return false;
	}
	return text[span.length] == '\0';
}

bool la_span_has(struct la_span span, char c)
{
	for (size_t i = 0; i < span.length; i++) {
		if (span.at[i] == c)
			return true;
	}
	return false;
}

void la_span_copy(char *to, struct la_span span)
{
	for (size_t i = 0; i < span.length; i++)
		to[i] = span.at[i];
	to[span.length] = '\0';
}

bool la_span_is_printable(struct la_span span)
{
	for (size_t i = 0; i < span.length; i++) {
		unsigned char c = span.at[i];

		if (c < ' ' || c == 0x7f)
			return false;
	}
	return true;
}

bool la_span_is_name(struct la_span span)
{
	for (size_t i = 0; i < span.length; i++) {
		char c = span.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '-' || c == '_' || c == '.'))
			return false;
	}
	return true;
}

bool la_text_is_terminated(const char *text, size_t size)
{
	while (size && *text)
		text++, size--;
	return size != 0;
}
