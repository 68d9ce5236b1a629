/* SPDX-License-Identifier: MIT */
/*
 * Talking to a person: standard error, and strings of strangers made harmless for a terminal.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

void la_say(const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	fputs("lastack: ", stderr);
	if (length >= 0) {
		la_print_safe(stderr, text); /* what is safe already stays as it is */
		free(text);
	}
	fputc('\n', stderr);
}

/* Bytes of the well-formed, printable UTF-8 character at `at`; 0 when it is none. RFC 3629, without C0, DEL and C1. */
static size_t character(const unsigned char *at)
{
	uint32_t code;
	size_t length, i;

	if (*at >= 0x20 && *at < 0x7f)
		return 1;
	if (*at >= 0xc2 && *at <= 0xdf) {
		length = 2;
		code = *at & 0x1f;
	} else if (*at >= 0xe0 && *at <= 0xef) {
		length = 3;
		code = *at & 0x0f;
	} else if (*at >= 0xf0 && *at <= 0xf4) {
		length = 4;
		code = *at & 0x07;
	} else {
		return 0;
	}
	for (i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	if ((length == 2 && code < 0xa0) ||
		(length == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
		(length == 4 && (code < 0x10000 || code > 0x10ffff)))
		return 0;
	/* Direction overrides turn a line around: as bad as an escape. */
	if (code == 0x061c || (code >= 0x200e && code <= 0x200f) ||
		(code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
		return 0;
	return length;
}

char *la_safe(const char *untrusted)
{
	const unsigned char *at = (const unsigned char *)untrusted;
	char *safe = malloc(strlen(untrusted) * 4 + 1), *to = safe;

	if (!safe)
		return NULL;
	while (*at) {
		size_t length = character(at);

		if (length) {
			memcpy(to, at, length);
			to += length;
			at += length;
		} else {
			to += sprintf(to, "\\x%02x", *at++);
		}
	}
	*to = '\0';
	return safe;
}

void la_print_safe(FILE *to, const char *untrusted)
{
	char *safe = la_safe(untrusted);

	fputs(safe ? safe : "?", to);
	free(safe);
}
