/* SPDX-License-Identifier: MIT */
/*
 * See slots.h.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <gelf.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include <lastack/track.h>

#include "slots.h"

static la_slot *_Atomic *chunks;
static _Atomic uint32_t *references;

static int find_library(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	if (!strstr(info->dlpi_name, "liblastack.so"))
		return 0;
	*(struct dl_phdr_info *)context = *info;
	return 1;
}

static void take_symbols(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, ElfW(Addr) base)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym symbol;
	int i;

	for (i = 0; data && gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);

		if (name && strcmp(name, "la_slot_chunks") == 0)
			chunks = (void *)(base + symbol.st_value);
		if (name && strcmp(name, "la_local_refs") == 0)
			references = (void *)(base + symbol.st_value);
	}
}

bool slots_find(void)
{
	struct dl_phdr_info library;
	Elf_Scn *section = NULL;
	Elf *elf;
	int fd;

	if (!dl_iterate_phdr(find_library, &library))
		return false;
	fd = open(library.dlpi_name, O_RDONLY | O_CLOEXEC);
	elf_version(EV_CURRENT);
	elf = fd >= 0 ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	while (elf && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB)
			take_symbols(elf, section, &header, library.dlpi_addr);
	}
	elf_end(elf);
	if (fd >= 0)
		close(fd);
	return chunks && references;
}

/* Every number of the test is in the first chunk. */
uint64_t slot_of(int fd)
{
	la_slot *chunk = chunks ? atomic_load(&chunks[0]) : NULL;

	return chunk ? atomic_load(&chunk[fd]) : 0;
}

uint32_t references_of(uint64_t slot)
{
	return LA_SLOT_TRACKED(slot) ? atomic_load(&references[LA_SLOT_INDEX(slot)]) : 0;
}
