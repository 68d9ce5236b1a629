/* SPDX-License-Identifier: MIT */
/*
 * Symbols and source lines by libdwfl; each module is opened once, when first asked for.
 */
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer.h"

#define LARGEST_MODULE (4ll << 30)

struct module {
	bool tried;
	Dwfl *dwfl;
	Dwfl_Module *found;
	GElf_Addr bias;
};

struct la_symbolizer {
	const struct la_region_copy *region;
	struct module *modules;
};

static char *debuginfo_path; /* NULL: as gdb looks, /usr/lib/debug/.build-id too */
static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
	.debuginfo_path = &debuginfo_path};

struct la_symbolizer *la_symbolizer_new(const struct la_region_copy *region)
{
	struct la_symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));

	if (!symbolizer)
		return NULL;
	symbolizer->region = region;
	symbolizer->modules = calloc(region->modules_count + 1, sizeof(*symbolizer->modules));
	if (!symbolizer->modules) {
		free(symbolizer);
		return NULL;
	}
	return symbolizer;
}

static bool is_the_same(Dwfl_Module *found, const struct la_read_module *recorded)
{
	const unsigned char *id;
	GElf_Addr at;
	int bytes = dwfl_module_build_id(found, &id, &at);

	return bytes > 0 && (uint32_t)bytes == recorded->build_id_bytes &&
	       memcmp(id, recorded->build_id, (size_t)bytes) == 0;
}

/* A regular file, or -1. A FIFO or a device does not hold us up. */
static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status;

	if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
			       status.st_size > LARGEST_MODULE)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool try_file(struct module *module, const struct la_read_module *recorded, const char *path)
{
	int fd = open_file(path);

	if (fd < 0)
		return false;
	module->dwfl = dwfl_begin(&callbacks);
	if (!module->dwfl) {
		close(fd);
		return false;
	}
	dwfl_report_begin(module->dwfl);
	module->found = dwfl_report_offline(module->dwfl, "", path, fd);
	dwfl_report_end(module->dwfl, NULL, NULL);
	if (!module->found)
		close(fd); /* else libdwfl owns it */
	/* The file first: only then does libdwfl know its build-id. */
	if (module->found && dwfl_module_getelf(module->found, &module->bias) &&
		is_the_same(module->found, recorded))
		return true;
	dwfl_end(module->dwfl);
	module->dwfl = NULL;
	module->found = NULL;
	return false;
}

static void open_module(const struct la_region_copy *region, struct module *module,
	const struct la_read_module *recorded)
{
	char path[300];
	uint32_t i;

	module->tried = true;
	if (recorded->path[0] != '/' || recorded->build_id_bytes == 0 ||
		try_file(module, recorded, recorded->path))
		return;
	/* In a container the same path is another file: look through the eyes of a process that has it. */
	for (i = 0; i < region->processes_count; i++) {
		if (!region->processes[i].alive)
			continue;
		snprintf(path, sizeof(path), "/proc/%u/root%s", region->processes[i].pid,
			recorded->path);
		if (try_file(module, recorded, path))
			return;
	}
}

void la_symbolizer_find(struct la_symbolizer *symbolizer, uint32_t module_at, uint64_t offset,
	struct la_symbol *symbol)
{
	struct module *module;
	Dwfl_Line *line;
	GElf_Addr call;

	if (module_at >= symbolizer->region->modules_count)
		return;
	module = &symbolizer->modules[module_at];
	if (!module->tried)
		open_module(symbolizer->region, module, &symbolizer->region->modules[module_at]);
	if (!module->found)
		return;
	/* A return address: the call is one byte before it. */
	call = offset + module->bias - 1;
	symbol->function = dwfl_module_addrname(module->found, call);
	line = dwfl_module_getsrc(module->found, call);
	if (line)
		symbol->file = dwfl_lineinfo(line, NULL, &symbol->line, NULL, NULL, NULL);
}
