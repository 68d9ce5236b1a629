/* SPDX-License-Identifier: MIT */
/*
 * elfutils at work: for the child process of symbols.c only.
 */
#ifndef LASTACK_SYMBOLIZER_H
#define LASTACK_SYMBOLIZER_H

#include "symbols.h"

struct la_symbolizer;

struct la_symbolizer *la_symbolizer_new(const struct la_region_copy *region);
/* Sets function, file and line where they are known; strings live as long as the symbolizer. `module` is an index in the region. */
void la_symbolizer_find(struct la_symbolizer *symbolizer, uint32_t module, uint64_t offset,
	struct la_symbol *symbol);

#endif
