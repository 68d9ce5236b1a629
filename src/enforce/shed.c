/* SPDX-License-Identifier: MIT */
/*
 * The heir lets go of the memory of the process that made it: it is a copy on write, so when that has ended all of it would be the heir's. A
 * server that starts anew must not find the machine full of its predecessor, nor its shared segments still attached.
 *
 * Private memory without a file is emptied where it stands (it reads as zeros afterwards), shared memory but the region is unmapped. What is
 * kept: this object, the slots, the policy in force, the region, and the stack and thread-local storage of the thread that became the heir.
 * Nothing of the C library that has state is called from then on.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "internal.h"

enum {
	KEPT = 2048,
	TEXT_BYTES = 16384,
	AROUND_STACK = 1 << 18,
	BELOW_THREAD = 1 << 20,
	ABOVE_THREAD = 1 << 16
};
#define PAGE     4096ull
#define SMALLEST (1ull << 20) /* below that it is not worth the call, and may be anybody's */

struct range {
	uint64_t from, to;
};

static struct range kept[KEPT];
static uint32_t kept_count;

/* Sorted by where it begins. False: too many, and so nothing is let go. */
static bool keep(uint64_t from, uint64_t to)
{
	uint32_t at = kept_count;

	if (kept_count == KEPT)
		return false;
	from &= ~(PAGE - 1);
	to = (to + PAGE - 1) & ~(PAGE - 1);
	for (; at > 0 && kept[at - 1].from > from; at--)
		kept[at] = kept[at - 1];
	kept[at] = (struct range){from, to};
	kept_count++;
	return true;
}

static bool keep_bytes(const void *at, uint64_t bytes)
{
	return keep((uint64_t)at, (uint64_t)at + bytes);
}

static bool keep_all(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0),
		 thread = (uint64_t)__builtin_thread_pointer();
	struct dl_find_object self;
	uint32_t i;

	kept_count = 0;
	if (_dl_find_object((void *)(uintptr_t)keep_all, &self) != 0 ||
		!keep_bytes(self.dlfo_map_start,
			(uint64_t)self.dlfo_map_end - (uint64_t)self.dlfo_map_start) ||
		!keep(here - AROUND_STACK, here + AROUND_STACK) ||
		!keep(thread - BELOW_THREAD, thread + ABOVE_THREAD) ||
		!keep_bytes(la_in_force(), sizeof(struct la_policy)))
		return false;
	for (i = 0; i < LA_SLOT_CHUNKS; i++) {
		const la_slot *chunk = atomic_load(&la_slot_chunks[i]);

		if (chunk && !keep_bytes(chunk, la_slot_chunk_bytes()))
			return false;
	}
	return true;
}

static void let_go(struct range range)
{
	if (range.to > range.from)
		la_sys(SYS_madvise, range.from, range.to - range.from, MADV_DONTNEED);
}

static void let_go_around_kept(struct range range)
{
	uint32_t i;

	for (i = 0; i < kept_count && range.from < range.to; i++) {
		if (kept[i].to <= range.from || kept[i].from >= range.to)
			continue;
		let_go((struct range){range.from, kept[i].from});
		range.from = kept[i].to;
	}
	let_go(range);
}

/* Ours is the region alone. */
static void unmap_shared(struct range range)
{
	const struct la_region *region =
		atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint64_t first = region ? (uint64_t)region->header : 0;

	if (!region || range.to <= first || range.from >= first + region->header->size_bytes)
		la_sys(SYS_munmap, range.from, range.to - range.from);
}

static const char *hexadecimal(const char *at, uint64_t *value)
{
	for (*value = 0;; at++)
		if (*at >= '0' && *at <= '9')
			*value = *value << 4 | (uint64_t)(*at - '0');
		else if (*at >= 'a' && *at <= 'f')
			*value = *value << 4 | (uint64_t)(*at - 'a' + 10);
		else
			return at;
}

/* FROM-TO PERMISSIONS OFFSET DEVICE INODE [NAME] */
static void look_at(const char *line)
{
	struct range range;
	const char *at = hexadecimal(line, &range.from), *permissions;
	int field;

	at = hexadecimal(at + 1, &range.to);
	permissions = at + 1;
	for (field = 0; field < 4; field++) {
		while (*at == ' ')
			at++;
		while (*at && *at != ' ')
			at++;
	}
	/* Here: behind the inode's field, the fourth; what begins with 0 and ends is none. */
	if (permissions[3] == 's') {
		unmap_shared(range);
	} else if (permissions[1] == 'w' && at[-1] == '0' && at[-2] == ' ' &&
		   range.to - range.from >= SMALLEST) {
		while (*at == ' ')
			at++;
		if (*at == '\0' || (at[0] == '[' && (at[1] == 'h' || at[1] == 'a')))
			let_go_around_kept(range); /* without a name, [heap], [anon:...] */
	}
}

void la_shed_memory(void)
{
	static char text[TEXT_BYTES];
	size_t filled = 0, i, start;
	long got;
	int fd;

	if (!keep_all())
		return;
	fd = (int)la_sys(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	while ((got = la_sys(SYS_read, fd, text + filled, sizeof(text) - 1 - filled)) > 0) {
		filled += (size_t)got;
		for (start = i = 0; i < filled; i++)
			if (text[i] == '\n') {
				text[i] = '\0';
				look_at(text + start);
				start = i + 1;
			}
		/* A line that is cut goes on with the next piece; one that fills it all is nobody's. */
		for (i = start; i < filled; i++)
			text[i - start] = text[i];
		filled = filled - start == sizeof(text) - 1 ? 0 : filled - start;
	}
	la_sys(SYS_close, fd);
}
