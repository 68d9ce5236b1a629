/* SPDX-License-Identifier: MIT */
/*
 * A recorded call stack, as text and as JSON.
 */
#ifndef LASTACK_STACK_H
#define LASTACK_STACK_H

#include <jansson.h>

#include "symbols.h"

/*
 * Stack `id` (id + 1 in the region, 0: none) under `title`, whose leading blanks are those of the frames too (a title of blanks is not printed); nothing at all when there
 * is none. `symbols` may be NULL.
 */
void la_stack_print(struct la_symbols *symbols, const struct la_region_copy *region, uint32_t id,
	const char *title);
/* A list of frames, empty without a stack. */
json_t *la_stack_json(struct la_symbols *symbols, const struct la_region_copy *region, uint32_t id);

/* A string that anybody may have written: jansson takes valid UTF-8 only. NULL gives null. */
json_t *la_json_untrusted(const char *untrusted);

#endif
