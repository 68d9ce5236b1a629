/* SPDX-License-Identifier: MIT */
/*
 * What comes next: by the process's own helper when it has said so, else computed from the policy in the region.
 */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "next.h"

/* Of the process that holds it; else of the one that made the region. */
static const char *exe_of(const struct la_region_copy *region, uint32_t pid)
{
	uint32_t i;

	for (i = 0; i < region->processes_count; i++)
		if (region->processes[i].pid == pid)
			return region->processes[i].exe;
	return region->processes_count ? region->processes[0].exe : NULL;
}

const struct la_rule *la_next_rule(const struct la_item *item, enum la_section section)
{
	const struct la_region_copy *region = item->region;
	struct la_view view = {.role = item->role,
		.eof = item->eof,
		.local_port = item->local_port,
		.remote_port = item->remote_port,
		.exe = exe_of(region, item->pid)};

	if (!region->has_policy || section == LA_SECTION_COUNT || !item->connection)
		return NULL;
	memcpy(view.local, item->local, 16);
	memcpy(view.remote, item->remote, 16);
	return la_policy_find(&region->policy, section, &view);
}

static struct la_next by_policy(const struct la_item *item)
{
	const struct la_rule *rule = la_next_rule(item, la_section_of_state(item->state));
	struct la_next next = {.action = LA_ACTION_NONE};
	struct la_decision decision;

	if (!rule)
		return next;
	decision = la_policy_decide(rule, item->idle_us * 1000, item->connection->steps_done);
	if (decision.action != LA_ACTION_NONE) {
		next.action =
			(enum la_action)decision.action; /* due now: at the helper's next look */
	} else {
		next.action = (enum la_action)decision.next;
		next.in_us = decision.next_in_ns / 1000;
	}
	next.observe = item->region->policy.observe;
	return next;
}

/* The first of the steps taken that would have ended the connection: the later ones it would not have lived to see. */
static void find_held_back(struct la_next *next, const struct la_item *item)
{
	const struct la_rule *rule = la_next_rule(item, la_section_of_state(item->state));
	uint32_t i;

	for (i = 0; rule && i < rule->steps_count && i < item->connection->steps_done; i++) {
		uint64_t after_us = rule->steps[i].after_ns / 1000;

		if (rule->steps[i].action < LA_ACTION_SHUTDOWN)
			continue;
		next->held_back = (enum la_action)rule->steps[i].action;
		next->held_back_us = item->idle_us > after_us ? item->idle_us - after_us : 0;
		return;
	}
}

static struct la_next by_helper_or_policy(const struct la_item *item, uint64_t now_us)
{
	const struct la_read_connection *connection = item->connection;
	struct la_next next = {.action = LA_ACTION_NONE};

	if (!item->alive || item->gone)
		return next;
	if (connection && connection->phase == LA_PHASE_DRAINING) {
		/* Who drained it may have been killed: an orphan is the kernel's. */
		next.draining = !item->socket || item->socket->inode;
		return next;
	}
	if (connection && connection->next_action != LA_ACTION_NONE && connection->next_us) {
		next.action = (enum la_action)connection->next_action;
		next.in_us = connection->next_us > now_us ? connection->next_us - now_us : 0;
		next.observe = item->region->has_policy && item->region->policy.observe;
		return next;
	}
	return by_policy(item);
}

struct la_next la_next_of(const struct la_item *item, uint64_t now_us)
{
	struct la_next next = by_helper_or_policy(item, now_us);

	if (item->connection && item->alive && !item->gone && item->region->has_policy &&
		item->region->policy.observe)
		find_held_back(&next, item);
	return next;
}

char *la_next_text(char text[64], const struct la_next *next, const struct la_item *item)
{
	char age[LA_TEXT_AGE], bytes[LA_TEXT_BYTES];

	if (!item->alive)
		snprintf(text, 64, "process has ended");
	else if (next->draining && item->socket && item->socket->send_queue)
		snprintf(text, 64, "drain, %s not delivered",
			la_format_bytes(bytes, item->socket->send_queue));
	else if (next->draining)
		snprintf(text, 64, "drain, delivered: waits for the FIN");
	else if (next->held_back != LA_ACTION_NONE)
		snprintf(text, 64, "would have %s %s ago",
			next->held_back == LA_ACTION_SHUTDOWN ? "shut down" : "reset",
			la_format_age(age, next->held_back_us, false));
	else if (next->action != LA_ACTION_NONE)
		snprintf(text, 64, "%s%s in %s", next->observe ? "would " : "",
			la_action_name(next->action), la_format_age(age, next->in_us, false));
	else
		snprintf(text, 64, "%s", la_verdict_mover(item->verdict));
	return text;
}
