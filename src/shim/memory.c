/* SPDX-License-Identifier: MIT */
/*
 * Those functions of <string.h> that this object uses, its own, hidden ones.
 *
 * The C library's can be interposed, and a sanitizer does: ThreadSanitizer's keep an account of the calling thread, in thread-local storage.
 * The helper has none (enforce.h), and looked at from there our tables would be one data race.
 *
 * The empty statements keep compilers from seeing in a loop the very function that it makes.
 */
#include <string.h>

#define EMPTY __asm__ volatile("" : : : "memory")

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	char *at = to;
	const char *source = from;

#if defined(__x86_64__)
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(source), "+c"(bytes) : : "memory");
#else
	for (; bytes; bytes--) {
		*at++ = *source++;
		EMPTY;
	}
#endif
	return to;
}

void *memset(void *to, int byte, size_t bytes)
{
	char *at = to;

#if defined(__x86_64__)
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(byte) : "memory");
#else
	for (; bytes; bytes--) {
		*at++ = (char)byte;
		EMPTY;
	}
#endif
	return to;
}

int memcmp(const void *left, const void *right, size_t bytes)
{
	const unsigned char *a = left, *b = right;

	for (; bytes && *a == *b; bytes--, a++, b++)
		EMPTY;
	return bytes ? *a - *b : 0;
}

void *memchr(const void *in, int byte, size_t bytes)
{
	const unsigned char *at = in;

	for (; bytes && *at != (unsigned char)byte; bytes--, at++)
		EMPTY;
	return bytes ? (void *)(size_t)at : NULL;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length]) {
		length++;
		EMPTY;
	}
	return length;
}

int strncmp(const char *left, const char *right, size_t bytes)
{
	for (; bytes && *left == *right && *left; bytes--, left++, right++)
		EMPTY;
	return bytes ? (unsigned char)*left - (unsigned char)*right : 0;
}

int strcmp(const char *left, const char *right)
{
	return strncmp(left, right, (size_t)-1);
}

char *strcpy(char *restrict to, const char *restrict from)
{
	memcpy(to, from, strlen(from) + 1);
	return to;
}

char *strncpy(char *restrict to, const char *restrict from, size_t bytes)
{
	size_t length = 0;

	while (length < bytes && from[length]) {
		to[length] = from[length];
		length++;
		EMPTY;
	}
	memset(to + length, 0, bytes - length);
	return to;
}

char *strrchr(const char *text, int byte)
{
	const char *at = text + strlen(text);

	for (; at >= text; at--) {
		if (*at == (char)byte)
			return (char *)(size_t)at;
		EMPTY;
	}
	return NULL;
}

size_t strcspn(const char *text, const char *stop)
{
	size_t length = 0;

	while (text[length] && !memchr(stop, text[length], strlen(stop)))
		length++;
	return length;
}
