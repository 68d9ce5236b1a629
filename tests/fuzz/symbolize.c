/* SPDX-License-Identifier: MIT */
/* What the child that symbolizes does with a region, but for reading files: world.c lets it open none. */
#include "symbolize.h"

/* It ends with its process, and so has nothing that frees it. */
#include "../../src/cli/symbolizer.c"

void symbolize_all(const struct la_region_copy *copy)
{
	struct la_symbolizer *symbolizer = la_symbolizer_new(copy);

	if (!symbolizer)
		return;
	for (uint32_t s = 0; s < copy->stacks_count; s++)
		for (uint32_t f = 0; f < copy->stacks[s].depth; f++) {
			const struct la_read_frame *frame = &copy->stacks[s].frames[f];
			struct la_symbol symbol = {.line = 0};

			/* As it comes, and as a damaged question would have it. */
			la_symbolizer_find(symbolizer, frame->module - 1, frame->offset, &symbol);
			la_symbolizer_find(symbolizer, frame->module, frame->offset, &symbol);
		}
	free(symbolizer->modules);
	free(symbolizer);
}
