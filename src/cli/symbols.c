/* SPDX-License-Identifier: MIT */
/*
 * Symbols and source lines; each module is opened once, when first asked for.
 */
#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "symbols.h"

struct module {
	bool tried;
	Dwfl *dwfl;
	Dwfl_Module *found;
	GElf_Addr bias;
};

struct la_symbols {
	const struct la_region_copy *region;
	struct module *modules;
};

static char *debuginfo_path; /* NULL: as gdb looks, /usr/lib/debug/.build-id too */
static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
	.debuginfo_path = &debuginfo_path};

struct la_symbols *la_symbols_new(const struct la_region_copy *region)
{
	struct la_symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return NULL;
	symbols->region = region;
	symbols->modules = calloc(region->modules_count + 1, sizeof(*symbols->modules));
	if (!symbols->modules) {
		free(symbols);
		return NULL;
	}
	return symbols;
}

static bool is_the_same(Dwfl_Module *found, const struct la_read_module *recorded)
{
	const unsigned char *id;
	GElf_Addr at;
	int bytes = dwfl_module_build_id(found, &id, &at);

	return bytes > 0 && (uint32_t)bytes == recorded->build_id_bytes &&
	       memcmp(id, recorded->build_id, (size_t)bytes) == 0;
}

static void open_module(struct module *module, const struct la_read_module *recorded)
{
	struct stat status;

	module->tried = true;
	if (recorded->path[0] != '/' || recorded->build_id_bytes == 0 ||
		stat(recorded->path, &status) != 0 || !S_ISREG(status.st_mode))
		return;
	module->dwfl = dwfl_begin(&callbacks);
	if (!module->dwfl)
		return;
	dwfl_report_begin(module->dwfl);
	module->found = dwfl_report_offline(module->dwfl, "", recorded->path, -1);
	dwfl_report_end(module->dwfl, NULL, NULL);
	/* The file first: only then does libdwfl know its build-id. */
	if (module->found && (!dwfl_module_getelf(module->found, &module->bias) ||
				     !is_the_same(module->found, recorded)))
		module->found = NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void la_symbols_find(
	struct la_symbols *symbols, const struct la_read_frame *frame, struct la_symbol *symbol)
{
	const struct la_read_module *recorded;
	struct module *module;
	Dwfl_Line *line;
	GElf_Addr call;

	*symbol = (struct la_symbol){.module = "?", .offset = frame->offset};
	if (!frame->module || frame->module > symbols->region->modules_count)
		return;
	recorded = &symbols->region->modules[frame->module - 1];
	module = &symbols->modules[frame->module - 1];
	symbol->module = base_name(recorded->path);
	if (!module->tried)
		open_module(module, recorded);
	if (!module->found)
		return;
	/* A return address: the call is one byte before it. */
	call = frame->offset + module->bias - 1;
	symbol->function = dwfl_module_addrname(module->found, call);
	line = dwfl_module_getsrc(module->found, call);
	if (line)
		symbol->file = dwfl_lineinfo(line, NULL, &symbol->line, NULL, NULL, NULL);
}

void la_symbols_free(struct la_symbols *symbols)
{
	uint32_t i;

	if (!symbols)
		return;
	for (i = 0; i < symbols->region->modules_count; i++)
		if (symbols->modules[i].dwfl)
			dwfl_end(symbols->modules[i].dwfl);
	free(symbols->modules);
	free(symbols);
}
