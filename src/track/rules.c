/* SPDX-License-Identifier: MIT */
/*
 * What each rule of a policy has done, in the region. By section and name, so that a reload which moves a rule counts on.
 */
#include <string.h>

#include "internal.h"

enum { FREE, BEING_MADE, READY };

/* So many records, from the first on, are known to have memory: where the file system is full, the next one is an error and no SIGBUS. */
static _Atomic uint32_t there;

static bool is_there(struct la_region *region, uint32_t index)
{
	int result;

	if (index < atomic_load_explicit(&there, memory_order_relaxed))
		return true;
	result = la_region_populate(&region->rules[index], sizeof(region->rules[index]));
	if (result < 0) {
		la_track_lacks(LA_LACK_RULES, 0);
		return false;
	}
	atomic_store_explicit(&there, index + 1, memory_order_relaxed);
	return true;
}

void la_rules_expect(struct la_region *region, const struct la_policy *policy)
{
	uint32_t i, count = 0;

	for (i = 0; i < policy->rules_count; i++)
		if (policy->rules[i].steps_count && is_there(region, count))
			count++;
}

static bool is_of(const struct la_rule_record *record, const struct la_rule *rule)
{
	return record->section == rule->section &&
	       memcmp(record->name, rule->name, sizeof(record->name)) == 0;
}

/* Rules act seldom: looking through the list is cheap enough. */
static struct la_rule_record *find(struct la_region *region, const struct la_rule *rule)
{
	uint32_t i;

	for (i = 0; i < LA_REGION_RULES && is_there(region, i); i++) {
		struct la_rule_record *record = &region->rules[i];
		uint32_t state = atomic_load_explicit(&record->state, memory_order_acquire);

		if (state == FREE &&
			atomic_compare_exchange_strong(&record->state, &state, BEING_MADE)) {
			record->section = rule->section;
			memcpy(record->name, rule->name, sizeof(record->name));
			atomic_store_explicit(&record->state, READY, memory_order_release);
			return record;
		}
		/* One that is being made is another process's; ours may be a second of the same name, and readers add them. */
		if (state == READY && is_of(record, rule))
			return record;
	}
	return NULL;
}

void la_track_rule_acted(const struct la_rule *rule, enum la_action action, enum la_acted result)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_rule_record *record = region ? find(region, rule) : NULL;

	if (record)
		atomic_fetch_add_explicit(&record->acted[action][result], 1, memory_order_relaxed);
}
