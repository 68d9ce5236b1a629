/* SPDX-License-Identifier: MIT */
/*
 * See region_view.h. The file is mapped to read only, and la_track_facts() of the project, linked into this program, folds it.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lastack/track.h>

#include "region_view.h"

static struct la_region region;
static char path_of_region[512];

bool region_view_open(const char *path)
{
	struct stat status;
	char *file;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	snprintf(path_of_region, sizeof(path_of_region), "%s", path);
	if (fd < 0 || fstat(fd, &status) < 0)
		return false;
	file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return false;
	region.header = (void *)file;
	region.processes = (void *)(file + region.header->sections[LA_REGION_S_PROCESSES].offset);
	region.threads = (void *)(file + region.header->sections[LA_REGION_S_THREADS].offset);
	region.connections =
		(void *)(file + region.header->sections[LA_REGION_S_CONNECTIONS].offset);
	region.stacks = (void *)(file + region.header->sections[LA_REGION_S_STACKS].offset);
	atomic_store(&la_track_region, &region);
	return region.header->magic == LA_REGION_MAGIC;
}

void region_view_record(uint32_t index, struct region_record *record)
{
	const struct la_connection_record *from = &region.connections[index];
	uint64_t word = atomic_load(&from->word);

	record->generation = LA_WORD_GEN(word);
	record->phase = LA_WORD_PHASE(word);
	record->flags = LA_WORD_FLAGS(word);
	record->holders = atomic_load(&from->holders);
	record->cookie = atomic_load(&from->cookie);
	record->facts = la_track_facts(index, record->seen_us);
	record->local_port = from->local_port;
	record->remote_port = from->remote_port;
	record->role = from->role;
}

uint32_t region_view_high(void)
{
	return atomic_load(&region.header->connections_high);
}

pid_t region_view_pid(uint32_t index)
{
	return (pid_t)atomic_load(&region.processes[index].pid);
}

enum la_phase region_view_phase(uint32_t index)
{
	return LA_WORD_PHASE(atomic_load(&region.connections[index].word));
}

uint64_t region_view_bit(pid_t pid)
{
	int i;

	for (i = 0; i < LA_REGION_PROCESSES; i++)
		if (atomic_load(&region.processes[i].pid) == (uint32_t)pid)
			return 1ull << i;
	return 0;
}

bool region_view_read(struct la_region_copy *copy, char error[160])
{
	return la_region_read(path_of_region, copy, error) == 0;
}
