/* SPDX-License-Identifier: MIT */
/*
 * Call stacks, each stored once in the region as (module, offset) pairs, so that they mean something after the process is
 * gone and wherever its modules were loaded. Symbols and source lines are the command's work.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <unwind.h>

#include <lastack/sys.h>

#include "internal.h"

enum { OWN_FRAMES = 8, PROBES = 32, PAGE = 4096, NEAR = 512 };

/* What the unwinder fills. */
struct trace {
	void **frames;
	int count, room;
	uintptr_t readable; /* the page that was found so last */
};

/*
 * A coroutine's first frame may be followed by anything, its stack by a hole: the function that switched to it, by an
 * instruction that its unwind table knows nothing of, seems to lie right behind.
 */
static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *argument)
{
	struct trace *trace = argument;
	uintptr_t page = (_Unwind_GetCFA(context) + NEAR) / PAGE * PAGE;

	if (trace->count == trace->room)
		return _URC_END_OF_STACK;
	trace->frames[trace->count++] = (void *)_Unwind_GetIP(context);
	if (page != trace->readable && !la_sys_can_read((const void *)page))
		return _URC_END_OF_STACK;
	trace->readable = page;
	return _URC_NO_REASON;
}

#if defined(__x86_64__)
enum { STACK_POINTER = 7, RETURN_ADDRESS = 16 };
#elif defined(__aarch64__)
enum { STACK_POINTER = 31, RETURN_ADDRESS = 30 };
#endif

/* An entry of an unwind table, of a function that nobody has called: its return address is undefined. */
static const struct __attribute__((packed, aligned(8))) {
	uint32_t common_bytes, common_id;
	uint8_t version, augmentation, code_unit, data_unit, return_column;
	uint8_t program[7];
	uint32_t bytes, to_common;
	uint64_t start, bytes_of_code;
} outermost = {
	.common_bytes = 16,
	.version = 1,
	.code_unit = 1,
	.data_unit = 0x78, /* -8 */
	.return_column = RETURN_ADDRESS,
	.program = {0x0c /* def_cfa */, STACK_POINTER, 0, 0x07 /* undefined */, RETURN_ADDRESS},
	.bytes = 20,
	.to_common = 24,
};

struct bases {
	void *text, *data, *function;
};

/*
 * Wrapped by the linker (--wrap). A return address that no module has is that of generated code, or none at all (the first frame of a
 * coroutine): without an entry the unwinder would read the instructions there.
 */
const void *__real__Unwind_Find_FDE(void *pc, struct bases *bases);
const void *__wrap__Unwind_Find_FDE(void *pc, struct bases *bases);
const void *__wrap__Unwind_Find_FDE(void *pc, struct bases *bases)
{
	const void *found = __real__Unwind_Find_FDE(pc, bases);

	if (found)
		return found;
	*bases = (struct bases){.function = pc};
	return &outermost.bytes;
}

/*
 * By libgcc's unwinder, linked in: glibc's backtrace() would load libgcc_s at its first use, with malloc and the loader's lock, and the
 * first accept or connect may happen in a signal handler. It finds modules by _dl_find_object, which takes no lock.
 */
static int unwind(void **frames, int room)
{
	struct trace trace = {.frames = frames, .room = room};

	_Unwind_Backtrace(take_frame, &trace);
	while (trace.count && !frames[trace.count - 1])
		trace.count--;
	return trace.count;
}

/* The program headers in memory. 0 when they cannot be found. */
static int find_headers(const struct dl_find_object *found, const ElfW(Phdr) * *headers)
{
	const ElfW(Ehdr) *elf = found->dlfo_map_start;

	if (!*found->dlfo_link_map->l_name) {
		/* The program itself. One with gaps between its segments (Node) is found by segment, without its ELF header. */
		*headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
		return *headers ? (int)getauxval(AT_PHNUM) : 0;
	}
	if (memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 || elf->e_phentsize != sizeof(ElfW(Phdr)) ||
		elf->e_phoff + elf->e_phnum * sizeof(ElfW(Phdr)) > 4096)
		return 0;
	*headers = (const void *)((const char *)elf + elf->e_phoff);
	return elf->e_phnum;
}

static uint32_t read_build_id(const struct dl_find_object *found, uint8_t id[20])
{
	const ElfW(Phdr) *headers = NULL;
	int count = find_headers(found, &headers), i;

	for (i = 0; i < count; i++) {
		const char *at = (const char *)((uintptr_t)found->dlfo_link_map->l_addr +
						headers[i].p_vaddr);
		const char *end = at + headers[i].p_memsz;

		/* Notes that lie in no loaded segment have no address. */
		if (headers[i].p_type != PT_NOTE || headers[i].p_vaddr == 0)
			continue;
		while (at + sizeof(ElfW(Nhdr)) <= end) {
			const ElfW(Nhdr) *note = (const void *)at;
			const char *name = at + sizeof(*note);
			const char *value = name + ((note->n_namesz + 3u) & ~3u);

			if (value + note->n_descsz > end)
				break;
			if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
				!memcmp(name, "GNU", 4) && note->n_descsz <= 20) {
				memcpy(id, value, note->n_descsz);
				return note->n_descsz;
			}
			at = value + ((note->n_descsz + 3u) & ~3u);
		}
	}
	return 0;
}

/*
 * Pages of the tables are touched by asking first, once each: where the file system is full, that is an error here and no SIGBUS. A
 * page that could not be had is asked for again.
 */
static bool is_there(void *entry, size_t bytes, void *table, _Atomic uint8_t *pages)
{
	size_t offset = (size_t)((char *)entry - (char *)table), page;

	for (page = offset / PAGE; page <= (offset + bytes - 1) / PAGE; page++) {
		if (atomic_load_explicit(&pages[page], memory_order_relaxed))
			continue;
		if (la_region_populate((char *)table + page * PAGE, PAGE) != 0) {
			la_track_lacks(LA_LACK_STACKS, 0);
			return false;
		}
		atomic_store_explicit(&pages[page], 1, memory_order_relaxed);
	}
	return true;
}

static _Atomic uint8_t stack_pages[LA_REGION_STACKS * sizeof(struct la_stack_record) / PAGE + 2];
static _Atomic uint8_t module_pages[LA_REGION_MODULES * sizeof(struct la_module_record) / PAGE + 2];

/* The loader calls the program "". */
static const char *path_of(const struct dl_find_object *found)
{
	const char *path = found->dlfo_link_map->l_name;

	return path && *path ? path : la_settings.exe_path;
}

static bool has_path(struct la_module_record *module, const struct dl_find_object *found)
{
	return !atomic_load_explicit(&module->ready, memory_order_acquire) ||
	       strncmp(module->path, path_of(found), sizeof(module->path) - 1) == 0;
}

/* Where a library was unloaded, the loader puts the next one: the place alone does not tell them apart, nor a path two builds of it. */
static bool is_module(struct la_module_record *module, const struct dl_find_object *found)
{
	uint8_t id[20] = {0};

	if (!has_path(module, found))
		return false;
	return !atomic_load_explicit(&module->ready, memory_order_acquire) ||
	       (read_build_id(found, id) == module->build_id_bytes &&
		       memcmp(id, module->build_id, module->build_id_bytes) == 0);
}

/* Never down again: whoever is late may have been stopped for long. */
static void raise_to(_Atomic uint32_t *mark, uint32_t to)
{
	uint32_t high = atomic_load_explicit(mark, memory_order_relaxed);

	while (high < to && !atomic_compare_exchange_weak(mark, &high, to))
		;
}

/* Index + 1 of the module, 0 when the table is full. Written once by whoever claims the entry. */
static uint32_t intern_module(struct la_region *region, const struct dl_find_object *found)
{
	uint64_t key = (uint64_t)found->dlfo_link_map->l_addr + 1;
	uint32_t i;

	for (i = 0; i < LA_REGION_MODULES; i++) {
		struct la_module_record *module = &region->modules[i];
		uint64_t base;

		if (!is_there(module, sizeof(*module), region->modules, module_pages))
			return 0;
		base = atomic_load_explicit(&module->base, memory_order_acquire);

		if (base == key && is_module(module, found))
			return i + 1;
		if (base)
			continue;
		if (!atomic_compare_exchange_strong_explicit(&module->base, &base, key,
			    memory_order_acq_rel, memory_order_acquire)) {
			if (base == key && is_module(module, found))
				return i + 1;
			continue;
		}
		module->build_id_bytes = read_build_id(found, module->build_id);
		strncpy(module->path, path_of(found), sizeof(module->path) - 1);
		atomic_store_explicit(&module->ready, 1, memory_order_release);
		raise_to(&region->header->modules_high, i + 1);
		return i + 1;
	}
	return 0;
}

static void fill(
	struct la_region *region, struct la_stack_record *record, void *const *frames, int depth)
{
	int i;

	for (i = 0; i < depth; i++) {
		struct dl_find_object found;

		if (_dl_find_object(frames[i], &found) == 0) {
			record->frames[i].module = intern_module(region, &found);
			record->frames[i].offset =
				(uintptr_t)frames[i] - (uintptr_t)found.dlfo_link_map->l_addr;
		}
		if (!record->frames[i].module)
			record->frames[i].offset = (uintptr_t)frames[i];
	}
	atomic_store_explicit(&record->depth, (uint32_t)depth, memory_order_release);
}

/* The same addresses can be another library's by now. */
static bool is_stack(struct la_region *region, struct la_stack_record *record, void *const *frames)
{
	uint32_t depth = atomic_load_explicit(&record->depth, memory_order_acquire), i;
	const struct link_map *seen = NULL;

	for (i = 0; i < depth; i++) {
		uint32_t module = record->frames[i].module;
		struct dl_find_object found;

		if (!module || _dl_find_object(frames[i], &found) != 0 ||
			found.dlfo_link_map == seen)
			continue;
		seen = found.dlfo_link_map;
		if (!has_path(&region->modules[module - 1], &found))
			return false;
	}
	return true;
}

uint32_t la_stack_here(void)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	void *frames[LA_REGION_STACK_DEPTH + OWN_FRAMES];
	uint64_t hash = 0xcbf29ce484222325ull;
	int depth, wanted = (int)la_settings.stack_depth, skip = 0, saved_errno, i;
	struct dl_find_object self;

	if (!region || wanted == 0)
		return 0;
	saved_errno = errno;
	depth = unwind(frames, wanted + OWN_FRAMES);
	errno = saved_errno;
	/* Our own frames are at the top: the hook and what it called. */
	if (_dl_find_object((void *)(uintptr_t)la_stack_here, &self) == 0)
		while (skip < depth && frames[skip] >= self.dlfo_map_start &&
			frames[skip] < self.dlfo_map_end &&
			self.dlfo_link_map != la_settings.program)
			skip++;
	depth -= skip;
	if (depth > wanted)
		depth = wanted;
	if (depth <= 0)
		return 0;
	for (i = 0; i < depth; i++) {
		hash ^= (uintptr_t)frames[skip + i];
		hash *= 0x100000001b3ull;
		hash ^= hash >> 29;
	}
	hash |= 1;
	for (i = 0; i < PROBES; i++) {
		uint32_t at = (uint32_t)((hash >> 7) + (uint64_t)i) % LA_REGION_STACKS;
		struct la_stack_record *record = &region->stacks[at];
		uint64_t old;

		if (!is_there(record, sizeof(*record), region->stacks, stack_pages))
			return 0;
		old = atomic_load_explicit(&record->hash, memory_order_acquire);

		if (old == 0 && atomic_compare_exchange_strong_explicit(&record->hash, &old, hash,
					memory_order_acq_rel, memory_order_acquire)) {
			fill(region, record, frames + skip, depth);
			raise_to(&region->header->stacks_high, at + 1);
			return at + 1;
		}
		if (old == hash && is_stack(region, record, frames + skip))
			return at + 1;
	}
	return 0;
}
