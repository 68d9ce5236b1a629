/* SPDX-License-Identifier: MIT */
/*
 * Grouping leaks by verdict and opener.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "groups.h"

struct keyed {
	uint64_t id;
	const struct la_item *item;
};

static uint64_t mix(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	while (length--) {
		hash ^= *at++;
		hash *= 0x100000001b3ull; /* FNV-1a */
	}
	return hash;
}

static uint64_t group_id(const struct la_item *item)
{
	uint32_t verdict = item->verdict,
		 stack_id = item->connection ? item->connection->open_stack : 0, i;
	uint64_t hash = mix(0xcbf29ce484222325ull, &verdict, sizeof(verdict));
	const struct la_read_stack *stack;

	if (!stack_id || stack_id > item->region->stacks_count)
		return hash;
	stack = &item->region->stacks[stack_id - 1];
	for (i = 0; i < stack->depth; i++) {
		const struct la_read_frame *frame = &stack->frames[i];

		if (frame->module) {
			const struct la_read_module *module =
				&item->region->modules[frame->module - 1];

			hash = mix(hash, module->build_id, module->build_id_bytes);
			hash = mix(hash, &frame->offset, sizeof(frame->offset));
		} else {
			hash = mix(hash, "?",
				1); /* generated code: its addresses mean nothing elsewhere */
		}
	}
	return hash;
}

static int compare_keyed(const void *left, const void *right)
{
	const struct keyed *a = left, *b = right;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->item->age_us > b->item->age_us ? -1 : a->item->age_us < b->item->age_us;
}

static int compare_groups(const void *left, const void *right)
{
	const struct la_group *a = left, *b = right;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->verdict < b->verdict ? -1 : a->verdict > b->verdict;
}

static void start_group(struct la_group *group, const struct keyed *keyed, size_t first)
{
	const struct la_item *item = keyed->item;

	*group = (struct la_group){.verdict = item->verdict,
		.id = keyed->id,
		.region = item->region,
		.first = first,
		.oldest_us = item->age_us,
		.open_stack = item->connection ? item->connection->open_stack : 0};
}

int la_groups_make(
	struct la_groups *groups, const struct la_snapshot *snapshot, uint64_t min_age_us)
{
	struct keyed *keyed = calloc(snapshot->items_count + 1, sizeof(*keyed));
	struct la_group *group = NULL;
	size_t count = 0, i;

	memset(groups, 0, sizeof(*groups));
	groups->items = calloc(snapshot->items_count + 1, sizeof(*groups->items));
	groups->groups = calloc(snapshot->items_count + 1, sizeof(*groups->groups));
	if (!keyed || !groups->items || !groups->groups) {
		free(keyed);
		la_groups_free(groups);
		return -ENOMEM;
	}
	for (i = 0; i < snapshot->items_count; i++) {
		const struct la_item *item = &snapshot->items[i];

		/* What is over, by its own end or its process's, will not pass by itself. */
		if (item->verdict == LA_VERDICT_NONE ||
			(item->age_us < min_age_us && !item->gone && item->alive))
			continue;
		keyed[count++] = (struct keyed){.id = group_id(item), .item = item};
	}
	qsort(keyed, count, sizeof(*keyed), compare_keyed);
	for (i = 0; i < count; i++) {
		const struct la_item *item = keyed[i].item;

		if (!group || group->id != keyed[i].id) {
			group = &groups->groups[groups->groups_count++];
			start_group(group, &keyed[i], i);
		}
		groups->items[i] = item;
		group->count++;
		group->unread_bytes += item->unread_bytes;
		group->age_at_least |= item->age_at_least;
		/* Stack ids are of one region: another region's would name another stack. */
		if (!group->eof_stack && item->connection && item->region == group->region)
			group->eof_stack = item->connection->eof_stack;
	}
	groups->items_count = count;
	for (i = 0; i < groups->groups_count; i++)
		groups->groups[i].median_us =
			groups->items[groups->groups[i].first + groups->groups[i].count / 2]
				->age_us;
	qsort(groups->groups, groups->groups_count, sizeof(*groups->groups), compare_groups);
	free(keyed);
	return 0;
}

void la_groups_free(struct la_groups *groups)
{
	free(groups->items);
	free(groups->groups);
	memset(groups, 0, sizeof(*groups));
}
