/* SPDX-License-Identifier: MIT */
/*
 * lastack explain -J: "lastack.explain/1". Times are seconds; `ago` is before now, or before the last sign of life.
 */
#include <jansson.h>
#include <stdio.h>

#include "cli.h"
#include "explain.h"
#include "format.h"
#include "judge.h"
#include "stack.h"

static json_t *happenings(const struct la_story *story, uint64_t now_us)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < story->happenings_count; i++) {
		const struct la_happening *happening = &story->happenings[i];

		json_array_append_new(list,
			json_pack("{s:f, s:s, s:o, s:o}", "ago",
				now_us > happening->us ? (double)(now_us - happening->us) / 1e6
						       : 0.0,
				"what", happening->what, "tid",
				happening->tid ? json_integer(happening->tid) : json_null(),
				"stack",
				la_stack_json(
					story->symbols, story->item->region, happening->stack)));
	}
	return list;
}

static json_t *row(const struct la_story *story)
{
	const struct la_step_cell *cell;

	if (!story->row)
		return json_null();
	cell = &story->row->side[story->side];
	return json_pack("{s:i, s:s, s:s, s:s, s:s}", "number", (int)story->row->number, "side",
		story->side == LA_SIDE_CLIENT ? "client" : "server", "step", cell->step, "does",
		cell->does, "rfc9293", cell->rfc);
}

static json_t *bound(const struct la_story *story)
{
	const struct la_rule *rule = story->bound;
	json_t *steps = json_array();
	uint32_t s;

	if (!rule)
		return json_null();
	for (s = 0; s < rule->steps_count; s++) {
		double in = ((double)rule->steps[s].after_ns / 1000 - (double)story->idle_us) / 1e6;

		json_array_append_new(
			steps, json_pack("{s:f, s:s, s:b, s:f}", "after",
				       (double)rule->steps[s].after_ns / 1e9, "action",
				       la_action_name((enum la_action)rule->steps[s].action),
				       "done", s < story->steps_done, "in",
				       s < story->steps_done || in < 0 ? 0.0 : in));
	}
	return json_pack("{s:s, s:s, s:f, s:i, s:o}", "section",
		la_section_name((enum la_section)rule->section), "name", rule->name, "idle",
		(double)story->idle_us / 1e6, "max", (int)rule->max, "steps", steps);
}

static json_t *holders(const struct la_item *item)
{
	json_t *list = json_array();
	size_t h;

	for (h = 0; h < item->holders_count; h++)
		json_array_append_new(
			list, json_pack("{s:i, s:i}", "pid", (int)item->holders[h].pid, "fd",
				      (int)item->holders[h].fd));
	return list;
}

int la_story_json(const struct la_story *story)
{
	const struct la_item *item = story->item;
	const struct la_region_copy *region = item->region;
	uint64_t now_us = region->same_boot ? story->snapshot->now_us : region->last_us;
	char local[LA_TEXT_ADDRESS], peer[LA_TEXT_ADDRESS];
	json_t *root =
		json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:I, s:s, s:f, s:b, s:f, s:I, s:I}",
			"schema", "lastack.explain/1", "pid", (int)item->pid, "fd", (int)item->fd,
			"local", la_format_address(local, item->local, item->local_port), "peer",
			la_format_address(peer, item->remote, item->remote_port), "role",
			la_role_name(item->role), "cookie", (json_int_t)item->cookie, "state",
			la_judge_state_name(item), "age", (double)item->age_us / 1e6,
			"age_is_lower_bound", item->age_at_least, "idle",
			(double)item->idle_us / 1e6, "unread", (json_int_t)item->unread_bytes,
			"unacked", (json_int_t)(item->socket ? item->socket->send_queue : 0));
	int result;

	if (!root)
		return -1;
	json_object_set_new(root, "verdict", json_string(la_verdict_id(item->verdict)));
	json_object_set_new(root, "verdict_name", json_string(la_verdict_name(item->verdict)));
	json_object_set_new(root, "mover", json_string(la_verdict_mover(item->verdict)));
	json_object_set_new(root, "alive", json_boolean(item->alive));
	json_object_set_new(
		root, "draining", json_boolean(item->connection->phase == LA_PHASE_DRAINING));
	json_object_set_new(root, "shared", json_boolean(story->shared));
	json_object_set_new(root, "holders", holders(item));
	json_object_set_new(root, "time_line", happenings(story, now_us));
	json_object_set_new(root, "row", row(story));
	json_object_set_new(root, "policy",
		region->has_policy ? la_json_untrusted(region->policy.name) : json_null());
	json_object_set_new(
		root, "observe", json_boolean(region->has_policy && region->policy.observe));
	json_object_set_new(root, "bound", bound(story));
	json_object_set_new(
		root, "close", story->close[0] ? json_string(story->close) : json_null());
	result = json_dumpf(root, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(root);
	return result;
}
