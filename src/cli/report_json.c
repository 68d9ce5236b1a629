/* SPDX-License-Identifier: MIT */
/*
 * lastack report -J: "lastack.report/1". Times are seconds.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "format.h"
#include "report.h"
#include "stack.h"

static json_t *json_group(struct la_report *report, const struct la_group *group)
{
	char id[20], text[LA_TEXT_ADDRESS];
	json_t *peers = json_array(), *pids = json_array();
	uint32_t last_pid = 0;
	size_t i;

	for (i = 0; i < group->count; i++) {
		const struct la_item *item = report->groups.items[group->first + i];

		json_array_append_new(peers,
			json_string(la_format_address(text, item->remote, item->remote_port)));
		if (item->pid != last_pid)
			json_array_append_new(pids, json_integer(item->pid));
		last_pid = item->pid;
	}
	snprintf(id, sizeof(id), "%012llx", (unsigned long long)(group->id >> 16));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:f, s:f, s:b, s:I, s:o, s:o, s:o, s:o}",
		"group", id, "verdict", la_verdict_id(group->verdict), "name",
		la_verdict_name(group->verdict), "meaning", la_verdict_meaning(group->verdict),
		"mover", la_verdict_mover(group->verdict), "count", (json_int_t)group->count,
		"oldest", (double)group->oldest_us / 1e6, "median", (double)group->median_us / 1e6,
		"ages_are_lower_bounds", group->age_at_least, "unread",
		(json_int_t)group->unread_bytes, "pids", pids, "peers", peers, "opened_by",
		la_stack_json(
			la_report_symbols(report, group->region), group->region, group->open_stack),
		"told_of_eof_by",
		la_stack_json(
			la_report_symbols(report, group->region), group->region, group->eof_stack));
}

static const struct {
	enum la_counter counter;
	const char *name;
} counters[] = {
	{LA_COUNT_OPENED_SERVER, "opened_server"},
	{LA_COUNT_OPENED_CLIENT, "opened_client"},
	{LA_COUNT_CLOSED_FIN, "closed_fin"},
	{LA_COUNT_CLOSED_GRACEFUL, "closed_graceful"},
	{LA_COUNT_CLOSED_RESET, "closed_reset"},
	{LA_COUNT_DRAIN_EOF, "drain_delivered"},
	{LA_COUNT_DRAIN_ACKED, "drain_acknowledged"},
	{LA_COUNT_DRAIN_RESET, "drain_reset_by_peer"},
	{LA_COUNT_DRAIN_IDLE, "drain_idle"},
	{LA_COUNT_DRAIN_TOTAL, "drain_total"},
	{LA_COUNT_DRAIN_BYTES, "drain_limit"},
	{LA_COUNT_DRAIN_EVICTED, "drain_evicted"},
	{LA_COUNT_ACTED_LOG, "acted_log"},
	{LA_COUNT_ACTED_KEEPALIVE, "acted_keepalive"},
	{LA_COUNT_ACTED_SHUTDOWN, "acted_shutdown"},
	{LA_COUNT_ACTED_RESET, "acted_reset"},
	{LA_COUNT_WOULD_LOG, "would_log"},
	{LA_COUNT_WOULD_KEEPALIVE, "would_keepalive"},
	{LA_COUNT_WOULD_SHUTDOWN, "would_shutdown"},
	{LA_COUNT_WOULD_RESET, "would_reset"},
	{LA_COUNT_ACT_FAILED, "act_failed"},
	{LA_COUNT_PLAIN_SHARED, "plain_shared"},
	{LA_COUNT_PLAIN_FULL, "plain_full"},
	{LA_COUNT_DROPPED, "events_dropped"},
	{LA_COUNT_SPARED_SHARED, "spared_shared"},
	{LA_COUNT_SPARED_OUTPUT, "spared_output"},
	{LA_COUNT_RESET_REFUSED, "reset_refused"},
	{LA_COUNT_EXIT_DRAINED, "exit_drained"},
	{LA_COUNT_EXIT_HANDED_OVER, "exit_handed_over"},
	{LA_COUNT_SIGPIPE_HELD, "sigpipe_held"},
	{LA_COUNT_POLICY_TAKEN, "policy_taken"},
	{LA_COUNT_POLICY_REFUSED, "policy_refused"},
	{LA_COUNT_WOULD_GRACEFUL, "would_graceful"},
	{LA_COUNT_WOULD_EXIT, "would_exit"},
	{LA_COUNT_WOULD_REFUSE, "would_refuse"},
};
_Static_assert(sizeof(counters) / sizeof(counters[0]) == LA_COUNT_COUNT - 1,
	"every counter but the disagreements, which are shown by themselves, has a name");

static json_t *json_refusals(const struct la_snapshot *snapshot)
{
	json_t *refusals = json_array();
	size_t r;
	uint32_t p;

	for (r = 0; r < snapshot->regions_count; r++)
		for (p = 0; p < snapshot->regions[r].processes_count; p++) {
			const struct la_read_process *process = &snapshot->regions[r].processes[p];

			if (process->refusal[0])
				json_array_append_new(refusals,
					json_pack("{s:I, s:o, s:o, s:f}", "pid",
						(json_int_t)process->pid, "exe",
						la_json_untrusted(process->exe), "reason",
						la_json_untrusted(process->refusal), "age",
						(double)la_report_refusal_us(snapshot, process) /
							1e6));
		}
	return refusals;
}

int la_report_json(struct la_report *report)
{
	json_t *groups = json_array(), *totals = json_object(), *off = json_array(), *root;
	size_t i;
	int result;

	for (i = 0; i < report->groups.groups_count; i++)
		json_array_append_new(groups, json_group(report, &report->groups.groups[i]));
	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		json_object_set_new(totals, counters[i].name,
			json_integer((json_int_t)report->counters[counters[i].counter]));
	for (i = 0; i < LA_LACK_COUNT; i++)
		if (report->lacking & 1u << i)
			json_array_append_new(off, json_string(la_lack_name((enum la_lack)i)));
	root = json_pack("{s:s, s:f, s:o, s:o, s:o, s:o, s:I}", "schema", "lastack.report/1",
		"min_age", (double)report->min_age_us / 1e6, "groups", groups, "counters", totals,
		"off", off, "policy_refusals", json_refusals(report->snapshot), "disagreements",
		(json_int_t)report->disagreements);
	if (!root)
		return -1;
	result = json_dumpf(root, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(root);
	return result;
}
