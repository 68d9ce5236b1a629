/* SPDX-License-Identifier: MIT */
/* The one sentence that a bad policy file is answered with. */
#include <errno.h>
#include <stdarg.h>

#include "words.h"

/* Quotes are cut to this many bytes as printed, file names to their end: the advice must always fit behind them. */
enum { QUOTE_BYTES = 48, FILE_BYTES = 112 };

struct writer {
	char *to;
	size_t room; /* without the NUL */
};

static void put_char(struct writer *out, char c)
{
	if (out->room) {
		*out->to++ = c;
		out->room--;
	}
}

static void put_text(struct writer *out, const char *text)
{
	while (*text)
		put_char(out, *text++);
}

static void put_number(struct writer *out, uint64_t number)
{
	if (number > 9)
		put_number(out, number / 10);
	put_char(out, (char)('0' + number % 10));
}

/* What a byte takes: a policy file may come from anywhere and must not command the terminal that shows the error. */
static size_t printed_size(unsigned char c)
{
	return c >= ' ' && c < 0x7f ? 1 : 4;
}

static void put_escaped(struct writer *out, struct la_span span)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < span.length; i++) {
		unsigned char c = span.at[i];

		if (printed_size(c) == 1) {
			put_char(out, (char)c);
			continue;
		}
		put_text(out, "\\x");
		put_char(out, digits[c >> 4]);
		put_char(out, digits[c & 15]);
	}
}

static void put_quoted(struct writer *out, struct la_span span)
{
	size_t kept = 0, size = 0;

	while (kept < span.length && (size += printed_size(span.at[kept])) <= QUOTE_BYTES)
		kept++;
	put_char(out, '"');
	put_escaped(out, (struct la_span){span.at, kept});
	put_text(out, kept < span.length ? "...\"" : "\"");
}

static void put_choice(struct writer *out, const struct la_word *words, struct la_span span)
{
	const struct la_word *nearest = la_word_nearest(words, span);

	if (nearest) {
		put_text(out, nearest->text);
		return;
	}
	for (const struct la_word *word = words; word->text; word++) {
		if (word != words)
			put_text(out, word[1].text ? ", " : " or ");
		put_text(out, word->text);
	}
}

static void put_file(struct writer *out, const char *file)
{
	struct la_span name = la_span_of(file ? file : "policy");
	size_t kept = 0, size = 0;

	while (kept < name.length &&
		(size += printed_size(name.at[name.length - 1 - kept])) <= FILE_BYTES)
		kept++;
	if (kept < name.length)
		put_text(out, "...");
	put_escaped(out, (struct la_span){name.at + name.length - kept, kept});
}

int la_policy_complain(const struct la_place *place, const char *at, const char *format, ...)
{
	struct writer out;
	const struct la_word *words;
	va_list args;

	if (!place->error)
		return -EINVAL;
	out = (struct writer){place->error->text, sizeof(place->error->text) - 1};
	put_file(&out, place->file);
	put_char(&out, ':');
	put_number(&out, place->line);
	put_text(&out, ":");
	if (at) {
		put_number(&out, (uint64_t)(at - place->line_start) + 1);
		put_char(&out, ':');
	}
	put_char(&out, ' ');
	va_start(args, format);
	for (; *format; format++) {
		if (*format != '%') {
			put_char(&out, *format);
			continue;
		}
		switch (*++format) {
		case 's': put_text(&out, va_arg(args, const char *)); break;
		case 'q': put_quoted(&out, *va_arg(args, const struct la_span *)); break;
		case 'u': put_number(&out, va_arg(args, uint64_t)); break;
		case 'c':
			words = va_arg(args, const struct la_word *);
			put_choice(&out, words, *va_arg(args, const struct la_span *));
			break;
		default: put_char(&out, '%'); break;
		}
	}
	va_end(args);
	*out.to = '\0';
	return -EINVAL;
}
