/* SPDX-License-Identifier: MIT */
/*
 * lastack report: leaks, grouped by where they were opened, with where the application was told of the EOF.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "format.h"
#include "groups.h"
#include "report.h"
#include "stack.h"
#include "symbols.h"

enum { PEERS_SHOWN = 3 };
#define MIN_AGE_US      (1000ull * 1000)
#define LONGEST_WAIT_US (5000ull * 1000)

struct la_symbols *la_report_symbols(struct la_report *report, const struct la_region_copy *region)
{
	size_t at = (size_t)(region - report->snapshot->regions);

	if (!report->symbols[at])
		report->symbols[at] = la_symbols_new(region);
	return report->symbols[at];
}

uint64_t la_report_refusal_us(
	const struct la_snapshot *snapshot, const struct la_read_process *process)
{
	return process->refused_us < snapshot->now_us ? snapshot->now_us - process->refused_us : 0;
}

static void print_peers(const struct la_groups *groups, const struct la_group *group)
{
	char text[LA_TEXT_ADDRESS];
	size_t i;

	printf("  peers: ");
	for (i = 0; i < group->count && i < PEERS_SHOWN; i++) {
		const struct la_item *item = groups->items[group->first + i];

		printf("%s%s", i ? ", " : "",
			la_format_address(text, item->remote, item->remote_port));
	}
	if (group->count > PEERS_SHOWN)
		printf(", and %zu more", group->count - PEERS_SHOWN);
	putchar('\n');
}

static void print_group(struct la_report *report, const struct la_group *group)
{
	char oldest[LA_TEXT_AGE], median[LA_TEXT_AGE], unread[LA_TEXT_BYTES], name[80] = "?";
	const struct la_item *item = report->groups.items[group->first];
	uint32_t i;

	for (i = 0; i < group->region->processes_count; i++)
		if (group->region->processes[i].pid == item->pid || i == 0)
			snprintf(name, sizeof(name), "%s", group->region->processes[i].exe);
	printf("%zu %s  %s %s  group %012llx\n", group->count,
		group->count == 1 ? "connection" : "connections", la_verdict_id(group->verdict),
		la_verdict_name(group->verdict), (unsigned long long)(group->id >> 16));
	printf("  %s\n", la_verdict_meaning(group->verdict));
	printf("  next move: %s; ", la_verdict_mover(group->verdict));
	la_print_safe(stdout, name);
	printf(" (pid %u)%s\n", item->pid, item->alive || item->gone ? "" : ", which has ended");
	printf("  oldest %s, median %s, unread %s\n",
		la_format_age(oldest, group->oldest_us, group->age_at_least),
		la_format_age(median, group->median_us, group->age_at_least),
		la_format_bytes(unread, group->unread_bytes));
	print_peers(&report->groups, group);
	la_stack_print(la_report_symbols(report, group->region), group->region, group->open_stack,
		"  opened by");
	la_stack_print(la_report_symbols(report, group->region), group->region, group->eof_stack,
		"  told of EOF by");
	putchar('\n');
}

static void add_up(const struct la_snapshot *snapshot, uint64_t counters[LA_COUNT_COUNT])
{
	size_t r;
	int c;

	memset(counters, 0, LA_COUNT_COUNT * sizeof(counters[0]));
	for (r = 0; r < snapshot->regions_count; r++)
		for (c = 0; c < LA_COUNT_COUNT; c++)
			counters[c] += snapshot->regions[r].counters[c];
}

/* Of each process that has refused what its policy files say. */
static void print_refusals(const struct la_snapshot *snapshot)
{
	char age[LA_TEXT_AGE];
	size_t r;
	uint32_t p;

	for (r = 0; r < snapshot->regions_count; r++)
		for (p = 0; p < snapshot->regions[r].processes_count; p++) {
			const struct la_read_process *process = &snapshot->regions[r].processes[p];

			if (!process->refusal[0])
				continue;
			printf("policy refused, the one before it stays: ");
			la_print_safe(stdout, process->refusal);
			printf(" (");
			la_print_safe(stdout, process->exe);
			printf(", pid %u%s, %s ago)\n", process->pid,
				process->alive ? "" : ", which has ended",
				la_format_age(age, la_report_refusal_us(snapshot, process), false));
		}
}

#define N(counter) ((unsigned long long)report->counters[counter])

static void print_totals(const struct la_report *report)
{
	size_t r;
	uint32_t p, passive = 0, unknown = 0;

	printf("connections opened: %llu accepted, %llu connected\n", N(LA_COUNT_OPENED_SERVER),
		N(LA_COUNT_OPENED_CLIENT));
	printf("closes: %llu fin, %llu graceful, %llu reset\n", N(LA_COUNT_CLOSED_FIN),
		N(LA_COUNT_CLOSED_GRACEFUL), N(LA_COUNT_CLOSED_RESET));
	printf("drains: %llu delivered, %llu acknowledged, %llu reset by the peer, %llu idle, "
	       "%llu total, %llu drain limit, %llu evicted\n",
		N(LA_COUNT_DRAIN_EOF), N(LA_COUNT_DRAIN_ACKED), N(LA_COUNT_DRAIN_RESET),
		N(LA_COUNT_DRAIN_IDLE), N(LA_COUNT_DRAIN_TOTAL), N(LA_COUNT_DRAIN_BYTES),
		N(LA_COUNT_DRAIN_EVICTED));
	printf("policy actions: %llu log, %llu keepalive, %llu shutdown, %llu reset, %llu failed\n",
		N(LA_COUNT_ACTED_LOG), N(LA_COUNT_ACTED_KEEPALIVE), N(LA_COUNT_ACTED_SHUTDOWN),
		N(LA_COUNT_ACTED_RESET), N(LA_COUNT_ACT_FAILED));
	if (N(LA_COUNT_WOULD_LOG) + N(LA_COUNT_WOULD_KEEPALIVE) + N(LA_COUNT_WOULD_SHUTDOWN) +
		N(LA_COUNT_WOULD_RESET))
		printf("policy actions held back by LASTACK_MODE=observe: %llu log, %llu "
		       "keepalive, %llu shutdown, %llu reset\n",
			N(LA_COUNT_WOULD_LOG), N(LA_COUNT_WOULD_KEEPALIVE),
			N(LA_COUNT_WOULD_SHUTDOWN), N(LA_COUNT_WOULD_RESET));
	if (N(LA_COUNT_WOULD_GRACEFUL) + N(LA_COUNT_WOULD_EXIT) + N(LA_COUNT_WOULD_REFUSE))
		printf("endings held back by LASTACK_MODE=observe: %llu graceful closes, %llu at "
		       "exit, %llu refused resets\n",
			N(LA_COUNT_WOULD_GRACEFUL), N(LA_COUNT_WOULD_EXIT),
			N(LA_COUNT_WOULD_REFUSE));
	if (N(LA_COUNT_EXIT_DRAINED) + N(LA_COUNT_EXIT_HANDED_OVER))
		printf("at exit: %llu drained, %llu handed over\n", N(LA_COUNT_EXIT_DRAINED),
			N(LA_COUNT_EXIT_HANDED_OVER));
	if (N(LA_COUNT_RESET_REFUSED))
		printf("resets refused: %llu\n", N(LA_COUNT_RESET_REFUSED));
	if (N(LA_COUNT_SIGPIPE_HELD))
		printf("writes behind our own shutdown, told by EPIPE without SIGPIPE: %llu\n",
			N(LA_COUNT_SIGPIPE_HELD));
	if (N(LA_COUNT_SPARED_OUTPUT))
		printf("shutdowns passed over because the peer takes no output: %llu\n",
			N(LA_COUNT_SPARED_OUTPUT));
	if (N(LA_COUNT_POLICY_TAKEN) + N(LA_COUNT_POLICY_REFUSED))
		printf("policy changes: %llu taken up, %llu refused\n", N(LA_COUNT_POLICY_TAKEN),
			N(LA_COUNT_POLICY_REFUSED));
	print_refusals(report->snapshot);
	if (N(LA_COUNT_SPARED_SHARED))
		printf("spared by a bound because another process may hold them: %llu\n",
			N(LA_COUNT_SPARED_SHARED));
	if (N(LA_COUNT_PLAIN_SHARED) + N(LA_COUNT_PLAIN_FULL))
		printf("closed plainly instead of gracefully: %llu possibly held by another "
		       "process, %llu for want of room\n",
			N(LA_COUNT_PLAIN_SHARED), N(LA_COUNT_PLAIN_FULL));
	for (r = 0; r < report->snapshot->regions_count; r++)
		for (p = 0; p < report->snapshot->regions[r].processes_count; p++) {
			passive += !!(report->snapshot->regions[r].processes[p].flags &
				      LA_PROCESS_PASSIVE);
			unknown += !!(report->snapshot->regions[r].processes[p].flags &
				      LA_PROCESS_FAMILY_UNKNOWN);
		}
	for (p = 0; p < LA_LACK_COUNT; p++)
		if (report->lacking & 1u << p)
			printf("off: %s: %s\n", la_lack_name((enum la_lack)p),
				la_lack_meaning((enum la_lack)p));
	if (passive)
		printf("%u %s under seccomp: not followed since\n", passive,
			passive == 1 ? "process is" : "processes are");
	if (unknown)
		printf("%u %s forked past lastack: what was inherited is taken for shared\n",
			unknown, unknown == 1 ? "process was" : "processes were");
	if (N(LA_COUNT_DROPPED) || report->disagreements)
		printf("limits: %llu events found no room, %llu times the kernel contradicted a "
		       "hook\n",
			N(LA_COUNT_DROPPED), (unsigned long long)report->disagreements);
}

void la_report_groups(struct la_report *report)
{
	size_t g;

	for (g = 0; g < report->groups.groups_count; g++)
		print_group(report, &report->groups.groups[g]);
}

static int print_text(struct la_report *report)
{
	char age[LA_TEXT_AGE];

	la_report_groups(report);
	if (!report->groups.groups_count)
		printf("no leaks: nothing has stood in a half-closed state for %s\n\n",
			la_format_age(age, report->min_age_us, false));
	print_totals(report);
	return 0;
}

static bool parse_target(const char *text, uint32_t *pid)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value == 0 || value > 0x7fffffff)
		return false;
	*pid = (uint32_t)value;
	return true;
}

static bool parse_age(const char *text, uint64_t *us)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || !(value >= 0 && value <= 1e9)) /* a NaN is neither */
		return false;
	if (strcmp(end, "ms") == 0)
		value *= 1e3;
	else if (strcmp(end, "s") == 0)
		value *= 1e6;
	else if (strcmp(end, "m") == 0)
		value *= 6e7;
	else if (strcmp(end, "h") == 0)
		value *= 3.6e9;
	else
		return false;
	*us = (uint64_t)value;
	return true;
}

struct asked {
	bool json;
	uint32_t pid;
	const char *file;
	uint64_t min_age_us;
	uint32_t fail_on; /* bits of verdicts; 0: any */
};

static int parse(int argc, char **argv, struct asked *asked)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'J'},
		{"fail-on", required_argument, NULL, 'f'},
		{"min-age", required_argument, NULL, 'm'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "Jh", options, NULL)) != -1) {
		switch (option) {
		case 'J': asked->json = true; break;
		case 'f':
			if (la_verdict_by_name(optarg) == LA_VERDICT_COUNT) {
				la_say("report --fail-on: \"%s\" is no verdict: write L1 to L7",
					optarg);
				return LA_EXIT_USAGE;
			}
			asked->fail_on |= 1u << la_verdict_by_name(optarg);
			break;
		case 'm':
			if (!parse_age(optarg, &asked->min_age_us)) {
				la_say("report --min-age: \"%s\" is no time: write it with its "
				       "unit, as in 1s or 500ms",
					optarg);
				return LA_EXIT_USAGE;
			}
			break;
		case 'h': exit(la_help_for("report"));
		default: return LA_EXIT_USAGE;
		}
	}
	if (argc - optind > 1) {
		la_say("report: write one PID or one REGION-FILE");
		return LA_EXIT_USAGE;
	}
	if (argc - optind == 1 && !parse_target(argv[optind], &asked->pid))
		asked->file = argv[optind];
	return LA_EXIT_OK;
}

int la_cmd_report(int argc, char **argv)
{
	struct asked asked = {.min_age_us = MIN_AGE_US};
	struct la_report report = {0};
	int status = parse(argc, argv, &asked);
	size_t g;

	if (status == LA_EXIT_OK)
		status = la_snapshot_take(&report.snapshot, asked.pid, asked.file);
	if (status == LA_EXIT_OK && asked.min_age_us && asked.min_age_us <= LONGEST_WAIT_US)
		status = la_snapshot_look_again(
			&report.snapshot, asked.min_age_us, asked.pid, asked.file);
	if (status != LA_EXIT_OK)
		return status;
	report.min_age_us = asked.min_age_us;
	report.symbols = calloc(report.snapshot->regions_count + 1, sizeof(struct la_symbols *));
	if (!report.symbols ||
		la_groups_make(&report.groups, report.snapshot, asked.min_age_us) < 0) {
		la_say("out of memory");
		return LA_EXIT_OWN_FAILURE;
	}
	add_up(report.snapshot, report.counters);
	for (g = 0; g < report.snapshot->regions_count; g++)
		report.lacking |= report.snapshot->regions[g].lacking;
	report.disagreements =
		report.snapshot->disagreements + report.counters[LA_COUNT_DISAGREEMENTS];
	status = (asked.json ? la_report_json(&report) : print_text(&report)) < 0
			 ? LA_EXIT_OWN_FAILURE
			 : LA_EXIT_OK;
	for (g = 0; status == LA_EXIT_OK && g < report.groups.groups_count; g++)
		if (!asked.fail_on || (asked.fail_on & 1u << report.groups.groups[g].verdict))
			status = LA_EXIT_FINDINGS;
	for (g = 0; g < report.snapshot->regions_count; g++)
		la_symbols_free(report.symbols[g]);
	free(report.symbols);
	la_groups_free(&report.groups);
	la_snapshot_free(report.snapshot);
	return status;
}
