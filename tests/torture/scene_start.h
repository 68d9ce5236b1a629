/* SPDX-License-Identifier: MIT */
/*
 * Beginning and end of a scene.
 */
#ifndef TORTURE_SCENE_START_H
#define TORTURE_SCENE_START_H

#include <dlfcn.h>

static char scene_folder[64];

static inline void scene_share(void)
{
	struct rlimit many = {4096, 4096};
	int i;

	setrlimit(RLIMIT_NOFILE, &many);
	scene = mmap(
		NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene == MAP_FAILED)
		abort();
	for (i = 0; i < WORKERS; i++)
		scene->workers[i].goal = ~0ull;
	scene->reads_goal = ~0ull;
	snprintf(scene_folder, sizeof(scene_folder), "/tmp/lastack-torture-XXXXXX");
	if (!mkdtemp(scene_folder))
		abort();
}

static inline void scene_remove(void)
{
	unlink(scene->region);
	rmdir(scene_folder);
	munmap(scene, sizeof(*scene));
}

/* The set of a thread table in which the rows of this record are, as src/track/rows.c places them. */
static inline uint32_t set_of_index(uint32_t index)
{
	return ((index + 1) * 2654435761u >> 16) % (LA_REGION_ROWS / LA_REGION_ROW_WAYS);
}

/* All but USABLE records are being opened for ever, and the table is as large as it gets before records are used again. */
static inline void leave_few_records(struct la_region *region)
{
	uint32_t i, step = RECORDS / USABLE, wanted = set_of_index(0);

	if (la_region_populate(region->connections, RECORDS * sizeof(*region->connections)) != 0)
		abort();
	for (i = 0; i < RECORDS; i++)
		atomic_store(&region->connections[i].word, LA_WORD_MAKE(1, LA_PHASE_OPENING, 0));
	for (i = 0; i + step <= RECORDS; i += step) {
		uint32_t at = i;

		while (set_of_index(at) != wanted)
			at++;
		atomic_store(&region->connections[at].word, LA_WORD_MAKE(1, LA_PHASE_FREE, 0));
	}
	atomic_store(&region->header->connections_high, RECORDS);
}

/* In the process that tracks, before its threads. */
static inline void scene_track(uint32_t stack_depth)
{
	static struct la_track_settings settings = {.exe = "torture", .exe_path = "/torture"};
	struct dl_find_object self;
	int i;

	settings.dir = scene_folder;
	settings.stack_depth = stack_depth;
	if (_dl_find_object((void *)(uintptr_t)scene_track, &self) == 0)
		settings.program = self.dlfo_link_map; /* this code is linked into it */
	la_track_start(&settings);
	if (!la_region_now())
		abort();
	snprintf(scene->region, sizeof(scene->region), "%s/%d.region", scene_folder, getpid());
	leave_few_records(la_region_now());
	for (i = 0; i < WORKERS; i++)
		scene->workers[i].random = (uint64_t)i + 1;
}

/* When everything is at rest: slots, references, phases and counters agree. */
static inline void check_rest(int first, int last)
{
	struct la_region *region = la_region_now();
	uint32_t high = atomic_load(&region->header->connections_high), i, open = 0, held = 0;
	int w, h;

	for (i = 0; i < high; i++) {
		enum la_phase phase = LA_WORD_PHASE(atomic_load(&region->connections[i].word));

		open += phase == LA_PHASE_OPEN || phase == LA_PHASE_DRAINING;
	}
	for (w = first; w <= last; w++) {
		for (h = 0; h < HELD; h++) {
			uint32_t id = atomic_load(&scene->workers[w].board[h]);
			struct identity *is = &scene->identities[id];
			uint64_t slot = la_slot_load(atomic_load(&is->fd));

			if (!id)
				continue;
			held++;
			if (slot != atomic_load(&is->slot))
				fail("at rest the slot of connection %u is another's", id);
			else if (!la_track_is_sole(slot))
				fail("at rest connection %u is not held once", id);
		}
	}
	if (atomic_load(&region->header->connections_open) != open)
		fail("at rest %u connections are open, and %u are counted", open,
			atomic_load(&region->header->connections_open));
	if (open < held)
		fail("at rest %u connections are open, and %u are held", open, held);
	if (high != RECORDS)
		fail("%u records were made, though %u were to be had and %u are open",
			high - RECORDS, (uint32_t)USABLE, open);
}

#endif
