/* SPDX-License-Identifier: MIT */
/*
 * May this be shown on a terminal? Written apart from src/cli/say.c, which it judges: UTF-8 as RFC 3629 has it, without
 * control characters but the newline, and without marks that change the direction of what follows.
 */
#ifndef LASTACK_FUZZ_HARMLESS_H
#define LASTACK_FUZZ_HARMLESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool is_harmless_code(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return code == '\n';
	if (code == 0x061c || code == 0x200e || code == 0x200f ||
		(code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
		return false;
	return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static inline bool is_harmless(const char *text, size_t length)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	for (size_t i = 0; i < length;) {
		unsigned char first = (unsigned char)text[i];
		size_t bytes = first < 0x80   ? 1
			       : first < 0xc0 ? 0
			       : first < 0xe0 ? 2
			       : first < 0xf0 ? 3
			       : first < 0xf8 ? 4
					      : 0;
		uint32_t code = bytes > 1 ? first & (0xff >> (bytes + 1)) : first;

		if (bytes == 0 || bytes > length - i)
			return false;
		for (size_t n = 1; n < bytes; n++) {
			if (((unsigned char)text[i + n] & 0xc0) != 0x80)
				return false;
			code = code << 6 | ((unsigned char)text[i + n] & 0x3f);
		}
		if (code < least[bytes] || !is_harmless_code(code))
			return false;
		i += bytes;
	}
	return true;
}

#endif
