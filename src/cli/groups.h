/* SPDX-License-Identifier: MIT */
/*
 * Leaks in groups: the same verdict, opened by the same call stack.
 */
#ifndef LASTACK_GROUPS_H
#define LASTACK_GROUPS_H

#include "snapshot.h"

struct la_group {
	enum la_verdict verdict;
	uint64_t
		id; /* over verdict and (build-id, offset) of each frame: survives restarts and address randomisation */
	const struct la_region_copy *region;
	uint32_t open_stack, eof_stack; /* id + 1 in region; 0: none */
	size_t count, first;            /* items[first .. first + count) of the list */
	uint64_t oldest_us, median_us, unread_bytes;
	bool age_at_least; /* the ages are lower bounds */
};
struct la_groups {
	const struct la_item **items; /* sorted by group, oldest first */
	struct la_group *groups;      /* largest first */
	size_t groups_count, items_count;
};

/* All items of the snapshot that have a verdict and are at least min_age_us in their state (L7, and those of ended processes: of any age). 0 or -ENOMEM. */
int la_groups_make(
	struct la_groups *groups, const struct la_snapshot *snapshot, uint64_t min_age_us);
void la_groups_free(struct la_groups *groups);

#endif
