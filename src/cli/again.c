/* SPDX-License-Identifier: MIT */
/*
 * The second look: how long a descriptor has been dead when nobody saw it die.
 */
#include <stdlib.h>
#include <unistd.h>

#include "snapshot.h"

/* Dead, and for how long is not known. */
static bool is_undated(const struct la_item *item)
{
	return item->verdict == LA_VERDICT_DEAD_FD && item->alive && item->age_us == 0;
}

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

int la_snapshot_look_again(
	struct la_snapshot **snapshot, uint64_t wait_us, uint32_t pid, const char *file)
{
	struct la_snapshot *first = *snapshot, *second;
	uint64_t *cookies = calloc(first->items_count + 1, sizeof(*cookies));
	size_t count = 0, i;
	int status;

	for (i = 0; cookies && i < first->items_count; i++)
		if (is_undated(&first->items[i]))
			cookies[count++] = first->items[i].cookie;
	if (count == 0) {
		free(cookies);
		return 0;
	}
	qsort(cookies, count, sizeof(*cookies), compare);
	usleep((useconds_t)wait_us);
	status = la_snapshot_take(&second, pid, file);
	if (status == 0) {
		for (i = 0; i < second->items_count; i++) {
			struct la_item *item = &second->items[i];

			if (is_undated(item) && item->cookie &&
				bsearch(&item->cookie, cookies, count, sizeof(*cookies), compare))
				item->age_us = second->now_us - first->now_us;
		}
		*snapshot = second;
	}
	la_snapshot_free(first);
	free(cookies);
	return status;
}
