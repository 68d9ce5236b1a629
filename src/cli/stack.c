/* SPDX-License-Identifier: MIT */
/* A recorded call stack, as text and as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "stack.h"

static const struct la_read_stack *find(const struct la_region_copy *region, uint32_t id)
{
	return id && id <= region->stacks_count ? &region->stacks[id - 1] : NULL;
}

void la_stack_print(struct la_symbols *symbols, const struct la_region_copy *region, uint32_t id,
	const char *title)
{
	const struct la_read_stack *stack = find(region, id);
	int indent = (int)strspn(title, " ") + 2;
	uint32_t i;

	if (!symbols || !stack || !stack->depth)
		return;
	if (title[strspn(title, " ")])
		printf("%s\n", title);
	for (i = 0; i < stack->depth; i++) {
		struct la_symbol symbol;

		la_symbols_find(symbols, &stack->frames[i], &symbol);
		printf("%*s#%-2u ", indent, "", i);
		la_print_safe(stdout, symbol.function ? symbol.function : "??");
		if (symbol.file) {
			printf(" at ");
			la_print_safe(stdout, symbol.file);
			printf(":%d", symbol.line);
		}
		printf(" (");
		la_print_safe(stdout, symbol.module);
		printf("+0x%llx)\n", (unsigned long long)symbol.offset);
	}
}

json_t *la_json_untrusted(const char *untrusted)
{
	char *safe = untrusted ? la_safe(untrusted) : NULL;
	json_t *string = safe ? json_string(safe) : json_null();

	free(safe);
	return string;
}

json_t *la_stack_json(struct la_symbols *symbols, const struct la_region_copy *region, uint32_t id)
{
	json_t *frames = json_array();
	const struct la_read_stack *stack = find(region, id);
	uint32_t i;

	if (!symbols || !stack)
		return frames;
	for (i = 0; i < stack->depth; i++) {
		char offset[24], build_id[41] = "";
		struct la_symbol symbol;
		uint32_t b;

		la_symbols_find(symbols, &stack->frames[i], &symbol);
		snprintf(offset, sizeof(offset), "0x%llx", (unsigned long long)symbol.offset);
		if (stack->frames[i].module) {
			const struct la_read_module *module =
				&region->modules[stack->frames[i].module - 1];

			for (b = 0; b < module->build_id_bytes && b < 20; b++)
				snprintf(build_id + b * 2, 3, "%02x", module->build_id[b]);
		}
		json_array_append_new(
			frames, json_pack("{s:o, s:o, s:o, s:i, s:s, s:s}", "function",
					la_json_untrusted(symbol.function), "file",
					la_json_untrusted(symbol.file), "module",
					la_json_untrusted(symbol.module), "line", symbol.line,
					"offset", offset, "build_id", build_id));
	}
	return frames;
}
