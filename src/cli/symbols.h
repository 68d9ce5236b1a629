/* SPDX-License-Identifier: MIT */
/*
 * From a recorded frame (module, build-id, offset) to function, file and line.
 *
 * The path comes from a region that somebody else may have written, and names an ELF file that they may have written too: a build-id
 * that fits proves nothing then. So elfutils reads it in a child process, which, when we are root, is the region's owner: it can open
 * no more than they can, and when it crashes or takes too long the frames stay module + offset. Only a regular file whose build-id is
 * the recorded one is used; nothing is downloaded.
 */
#ifndef LASTACK_SYMBOLS_H
#define LASTACK_SYMBOLS_H

#include <lastack/region_reader.h>

struct la_symbols;

struct la_symbol {
	const char *module;   /* base name, or "?" */
	const char *function; /* NULL: not known */
	const char *file;     /* NULL: not known */
	int line;
	uint64_t offset; /* of the return address, from the module's base */
};

struct la_symbols *la_symbols_new(const struct la_region_copy *region);
/* Strings live as long as `symbols`, and are not escaped. */
void la_symbols_find(
	struct la_symbols *symbols, const struct la_read_frame *frame, struct la_symbol *symbol);
void la_symbols_free(struct la_symbols *symbols);

#endif
