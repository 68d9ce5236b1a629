/* SPDX-License-Identifier: MIT */
/*
 * Reading a region: what each rule has done.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"

enum { READY = 2 };

/* As the policy's parser lets names be: they become labels of metrics. */
static bool is_name(const char *name, size_t room)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t length = strnlen(name, room);

	return length < room && strspn(name, allowed) == length;
}

static struct la_read_rule *find(struct la_region_copy *copy, const struct la_rule_record *record)
{
	uint32_t i;

	for (i = 0; i < copy->rules_count; i++)
		if (copy->rules[i].section == record->section &&
			strcmp(copy->rules[i].name, record->name) == 0)
			return &copy->rules[i];
	memcpy(copy->rules[i].name, record->name, sizeof(record->name));
	copy->rules[i].section = record->section;
	copy->rules_count++;
	return &copy->rules[i];
}

int la_reader_rules(const struct la_reader *reader, struct la_region_copy *copy)
{
	uint32_t count = reader->header.sections[LA_REGION_S_RULES].count, i, a, r;

	copy->rules = calloc(count + 1, sizeof(*copy->rules));
	if (!copy->rules)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		struct la_rule_record record;
		struct la_read_rule *rule;
		int result = la_reader_entry(
			reader, LA_REGION_S_RULES, i, (void *)&record, sizeof(record));

		if (result < 0)
			return result;
		if (record.state != READY || record.section >= LA_SECTION_COUNT ||
			!is_name(record.name, sizeof(record.name)))
			continue;
		rule = find(copy, &record);
		for (a = 0; a < LA_ACTION_COUNT; a++)
			for (r = 0; r < LA_ACTED_COUNT; r++)
				rule->acted[a][r] += record.acted[a][r];
	}
	return 0;
}
