/* SPDX-License-Identifier: MIT */
/*
 * The text of `lastack metrics`: names and labels as interface.md section 3 fixes them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "metrics.h"

static void family(FILE *to, const char *name, const char *type, const char *unit, const char *help)
{
	fprintf(to, "# TYPE %s %s\n", name, type);
	if (unit)
		fprintf(to, "# UNIT %s %s\n", name, unit);
	fprintf(to, "# HELP %s %s\n", name, help);
}

/* ---- gauges, from what stands where now */

enum { ROLES = 3 };
static const uint32_t roles[ROLES] = {LA_ROLE_SERVER, LA_ROLE_CLIENT, LA_ROLE_UNKNOWN};
static const char *const role_names[ROLES] = {"server", "client", "unknown"};

static bool is_half_closed(enum la_state state)
{
	return state != LA_STATE_ESTABLISHED && state != LA_STATE_CLOSED &&
	       state != LA_STATE_TIME_WAIT && state != LA_STATE_COUNT;
}

static bool counts(const struct la_item *item)
{
	return !item->gone && item->alive;
}

static void connections(FILE *to, const struct la_snapshot *snapshot)
{
	unsigned long count;
	size_t i;
	int state, r;

	family(to, "lastack_connections", "gauge", NULL,
		"Connections of preloaded processes, by their row in the termination table.");
	for (state = 0; state < LA_STATE_COUNT; state++)
		for (r = 0; r < ROLES; r++) {
			for (count = 0, i = 0; i < snapshot->items_count; i++)
				count += counts(&snapshot->items[i]) &&
					 snapshot->items[i].state == (enum la_state)state &&
					 snapshot->items[i].role == roles[r];
			fprintf(to, "lastack_connections{state=\"%s\",role=\"%s\"} %lu\n",
				la_state_name((enum la_state)state), role_names[r], count);
		}
}

static void leaked(FILE *to, const struct la_snapshot *snapshot)
{
	unsigned long count;
	size_t i;
	int v;

	family(to, "lastack_leaked", "gauge", NULL,
		"Connections with a verdict; lastack report says where they come from.");
	for (v = LA_VERDICT_NONE + 1; v < LA_VERDICT_COUNT; v++) {
		for (count = 0, i = 0; i < snapshot->items_count; i++)
			count += snapshot->items[i].verdict == (enum la_verdict)v;
		fprintf(to, "lastack_leaked{verdict=\"%s\"} %lu\n",
			la_verdict_id((enum la_verdict)v), count);
	}
}

static void oldest(FILE *to, const struct la_snapshot *snapshot)
{
	size_t i;
	int state;

	family(to, "lastack_half_closed_oldest_age_seconds", "gauge", "seconds",
		"How long the oldest connection stands in each half-closed state.");
	for (state = 0; state < LA_STATE_COUNT; state++) {
		uint64_t most = 0;

		if (!is_half_closed((enum la_state)state))
			continue;
		for (i = 0; i < snapshot->items_count; i++)
			if (counts(&snapshot->items[i]) &&
				snapshot->items[i].state == (enum la_state)state &&
				snapshot->items[i].age_us > most)
				most = snapshot->items[i].age_us;
		fprintf(to, "lastack_half_closed_oldest_age_seconds{state=\"%s\"} %.6f\n",
			la_state_name((enum la_state)state), (double)most / 1e6);
	}
}

/* ---- counters, from the regions that are there. They go with a region's file, as a process's own would. */

static uint64_t total(const struct la_snapshot *snapshot, enum la_counter counter)
{
	uint64_t sum = 0;
	size_t r;

	for (r = 0; r < snapshot->regions_count; r++)
		sum += snapshot->regions[r].counters[counter];
	return sum;
}

static void durations(FILE *to, const struct la_snapshot *snapshot)
{
	static const uint64_t bounds[LA_HALF_CLOSED_BUCKETS] = LA_HALF_CLOSED_BOUNDS_US;
	uint64_t count = 0, sum_us = 0;
	size_t r;
	int b;

	family(to, "lastack_half_closed_duration_seconds", "histogram", "seconds",
		"From the first FIN of either side to the application's last close.");
	for (b = 0; b < LA_HALF_CLOSED_BUCKETS; b++) {
		for (r = 0; r < snapshot->regions_count; r++)
			count += snapshot->regions[r].half_closed[b];
		if (b + 1 < LA_HALF_CLOSED_BUCKETS)
			fprintf(to,
				"lastack_half_closed_duration_seconds_bucket{le=\"%g\"} %" PRIu64
				"\n",
				(double)bounds[b] / 1e6, count);
		else
			fprintf(to,
				"lastack_half_closed_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64
				"\n",
				count);
	}
	for (r = 0; r < snapshot->regions_count; r++)
		sum_us += snapshot->regions[r].half_closed_us;
	fprintf(to,
		"lastack_half_closed_duration_seconds_sum %.6f\n"
		"lastack_half_closed_duration_seconds_count %" PRIu64 "\n",
		(double)sum_us / 1e6, count);
}

struct labelled {
	const char *value;
	enum la_counter counter;
};

static void labelled(FILE *to, const struct la_snapshot *snapshot, const char *name,
	const char *label, const struct labelled *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		fprintf(to, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, list[i].value,
			total(snapshot, list[i].counter));
}

static void endings(FILE *to, const struct la_snapshot *snapshot)
{
	static const struct labelled closes[] = {{"fin", LA_COUNT_CLOSED_FIN},
		{"graceful", LA_COUNT_CLOSED_GRACEFUL}, {"reset", LA_COUNT_CLOSED_RESET}};
	static const struct labelled drains[] = {{"delivered", LA_COUNT_DRAIN_EOF},
		{"acknowledged", LA_COUNT_DRAIN_ACKED}, {"reset-by-peer", LA_COUNT_DRAIN_RESET},
		{"idle", LA_COUNT_DRAIN_IDLE}, {"total", LA_COUNT_DRAIN_TOTAL},
		{"drain-limit", LA_COUNT_DRAIN_BYTES}, {"evicted", LA_COUNT_DRAIN_EVICTED}};

	family(to, "lastack_closes", "counter", NULL,
		"Last closes, by what they made the kernel send, or drained by lastack.");
	labelled(to, snapshot, "lastack_closes_total", "how", closes,
		sizeof(closes) / sizeof(closes[0]));
	/* Its name has no _total, so it may not be called a counter. */
	family(to, "lastack_drains", "unknown", NULL, "Drains that have ended, by how.");
	labelled(to, snapshot, "lastack_drains", "result", drains,
		sizeof(drains) / sizeof(drains[0]));
}

static uint64_t acted(const struct la_snapshot *snapshot, uint32_t section, const char *name,
	int action, int result)
{
	uint64_t sum = 0;
	size_t r;
	uint32_t i;

	for (r = 0; r < snapshot->regions_count; r++)
		for (i = 0; i < snapshot->regions[r].rules_count; i++) {
			const struct la_read_rule *rule = &snapshot->regions[r].rules[i];

			if (rule->section == section && strcmp(rule->name, name) == 0)
				sum += rule->acted[action][result];
		}
	return sum;
}

/* A rule that has a say somewhere, each once. */
struct known_rule {
	uint32_t section;
	char name[LA_POLICY_NAME];
	bool lists[LA_ACTION_COUNT]; /* shown though it was never done */
};
struct known_rules {
	struct known_rule *list;
	size_t count, room;
};

static struct known_rule *know(struct known_rules *known, uint32_t section, const char *name)
{
	size_t i;

	for (i = 0; i < known->count; i++)
		if (known->list[i].section == section && strcmp(known->list[i].name, name) == 0)
			return &known->list[i];
	if (known->count == known->room) {
		size_t more = known->room ? known->room * 2 : 64;
		struct known_rule *list = realloc(known->list, more * sizeof(*list));

		if (!list)
			return NULL;
		known->list = list;
		known->room = more;
	}
	memset(&known->list[known->count], 0, sizeof(known->list[0]));
	known->list[known->count].section = section;
	snprintf(known->list[known->count].name, LA_POLICY_NAME, "%s", name);
	return &known->list[known->count++];
}

static void know_all(struct known_rules *known, const struct la_snapshot *snapshot)
{
	size_t r;
	uint32_t i, s;
	int action, result;

	for (r = 0; r < snapshot->regions_count; r++) {
		const struct la_region_copy *region = &snapshot->regions[r];

		for (i = 0; i < region->policy.rules_count; i++) {
			const struct la_rule *rule = &region->policy.rules[i];
			struct known_rule *entry =
				rule->steps_count ? know(known, rule->section, rule->name) : NULL;

			for (s = 0; entry && s < rule->steps_count; s++)
				entry->lists[rule->steps[s].action] = true;
		}
		for (i = 0; i < region->rules_count; i++) {
			struct known_rule *entry =
				know(known, region->rules[i].section, region->rules[i].name);

			for (action = 0; entry && action < LA_ACTION_COUNT; action++)
				for (result = 0; result < LA_ACTED_COUNT; result++)
					if (region->rules[i].acted[action][result])
						entry->lists[action] = true;
		}
	}
}

static void actions(FILE *to, const struct la_snapshot *snapshot)
{
	static const char *const results[LA_ACTED_COUNT] = {[LA_ACTED_OK] = "ok",
		[LA_ACTED_FAILED] = "failed",
		[LA_ACTED_WOULD] = "would",
		[LA_ACTED_SPARED] = "spared"};
	struct known_rules known = {0};
	size_t i;
	int action, result;

	family(to, "lastack_policy_actions", "counter", NULL,
		"What the rules of the policy have done; would: held back by LASTACK_MODE=observe; "
		"spared: someone else may hold the connection, or its output is stuck.");
	know_all(&known, snapshot);
	for (i = 0; i < known.count; i++)
		for (action = LA_ACTION_NONE + 1; action < LA_ACTION_COUNT; action++)
			for (result = 0; known.list[i].lists[action] && result < LA_ACTED_COUNT;
				result++)
				fprintf(to,
					"lastack_policy_actions_total{rule=\"%s%s%s\",action=\"%"
					"s\","
					"result=\"%s\"} %" PRIu64 "\n",
					la_section_name((enum la_section)known.list[i].section),
					known.list[i].name[0] ? "/" : "", known.list[i].name,
					la_action_name((enum la_action)action), results[result],
					acted(snapshot, known.list[i].section, known.list[i].name,
						action, result));
	free(known.list);
}

static void others(FILE *to, const struct la_snapshot *snapshot)
{
	static const struct labelled would[] = {{"graceful-close", LA_COUNT_WOULD_GRACEFUL},
		{"exit", LA_COUNT_WOULD_EXIT}, {"refuse-reset", LA_COUNT_WOULD_REFUSE}};
	static const struct labelled done[] = {{"refuse-reset", LA_COUNT_RESET_REFUSED},
		{"exit-drain", LA_COUNT_EXIT_DRAINED},
		{"exit-handover", LA_COUNT_EXIT_HANDED_OVER}};
	static const struct labelled changes[] = {
		{"taken", LA_COUNT_POLICY_TAKEN}, {"refused", LA_COUNT_POLICY_REFUSED}};

	family(to, "lastack_endings", "counter", NULL,
		"Endings that the policy changed, beside graceful closes.");
	labelled(to, snapshot, "lastack_endings_total", "what", done,
		sizeof(done) / sizeof(done[0]));
	family(to, "lastack_endings_held_back", "counter", NULL,
		"The same, decided and held back by LASTACK_MODE=observe.");
	labelled(to, snapshot, "lastack_endings_held_back_total", "what", would,
		sizeof(would) / sizeof(would[0]));
	family(to, "lastack_policy_changes", "counter", NULL,
		"Changed policy files, taken up or refused.");
	labelled(to, snapshot, "lastack_policy_changes_total", "result", changes,
		sizeof(changes) / sizeof(changes[0]));
	family(to, "lastack_tracking_disagreements", "counter", NULL,
		"Times that the kernel contradicted a hook; the kernel's word is shown.");
	fprintf(to, "lastack_tracking_disagreements_total %" PRIu64 "\n",
		total(snapshot, LA_COUNT_DISAGREEMENTS));
	family(to, "lastack_events_dropped", "counter", NULL,
		"Events that found no room in a table.");
	fprintf(to, "lastack_events_dropped_total %" PRIu64 "\n",
		total(snapshot, LA_COUNT_DROPPED));
	family(to, "lastack_build", "info", NULL, "The command that wrote this.");
	fprintf(to, "lastack_build_info{version=\"" LA_VERSION "\"} 1\n");
}

void la_metrics_print(FILE *to, const struct la_snapshot *snapshot)
{
	connections(to, snapshot);
	leaked(to, snapshot);
	oldest(to, snapshot);
	durations(to, snapshot);
	endings(to, snapshot);
	actions(to, snapshot);
	others(to, snapshot);
	fputs("# EOF\n", to);
}
