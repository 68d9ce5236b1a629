/* SPDX-License-Identifier: MIT */
/*
 * Telling leaks from what an end leaves behind in good order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "judge.h"
#include "leaks.h"
#include "report.h"

#define LIVING_AGE_US (1000ull * 1000)
/* A FIN that nobody was told of, in a process that was killed: there at two looks of the helper. */
#define STOOD_US (500ull * 1000)

enum end { LIVES, ENDED, KILLED, NOT_FOLLOWED };

static enum end end_of(const struct la_read_process *process)
{
	if (process->alive)
		return LIVES;
	if (process->ended_us)
		return ENDED;
	return process->flags & (LA_PROCESS_PASSIVE | LA_PROCESS_SPLIT) ? NOT_FOLLOWED : KILLED;
}

static bool stood_long(const struct la_read_process *process, const struct la_item *item)
{
	uint64_t since_us = item->connection->seen_us[LA_SEEN_PEER_FIN];

	return item->verdict != LA_VERDICT_EOF_UNREAD ||
	       (since_us && process->helper_us >= since_us + STOOD_US);
}

/* By the last process that held it, all of which are gone. */
static bool was_left(const struct la_item *item)
{
	const struct la_read_connection *connection = item->connection;
	uint32_t i;

	if (connection->flags & LA_CONNECTION_LEFT)
		return true;
	for (i = 0; i < item->region->processes_count; i++) {
		const struct la_read_process *process = &item->region->processes[i];

		/* Without a number whoever used it has closed it; a child that inherited it held it on, and knew nothing of it. */
		if ((connection->holders & 1ull << process->index) && connection->fd >= 0 &&
			end_of(process) == KILLED && stood_long(process, item))
			return true;
	}
	return false;
}

static bool is_held_by_the_living(const struct la_item *item)
{
	uint32_t i;

	for (i = 0; i < item->region->processes_count; i++)
		if (item->region->processes[i].alive &&
			(item->connection->holders &
				(1ull << item->region->processes[i].index | LA_HOLDER_UNKNOWN_BIT)))
			return true;
	return false;
}

/* As it stood when its last process ended: the kernel's own ending of it is no news. */
static enum la_verdict verdict_of_the_dead(struct la_item *item)
{
	if (item->connection->phase != LA_PHASE_OPEN)
		return LA_VERDICT_NONE;
	item->socket = NULL;
	item->alive = false;
	item->held = true;
	la_judge(item, item->region->last_us);
	if ((item->state == LA_STATE_CLOSED || item->state == LA_STATE_TIME_WAIT) &&
		!(item->connection->flags & LA_CONNECTION_CONNECTING))
		item->verdict = LA_VERDICT_DEAD_FD;
	return was_left(item) ? item->verdict : LA_VERDICT_NONE;
}

static enum la_verdict judge_end(struct la_item *item)
{
	enum la_verdict verdict = item->verdict;

	if (!item->connection)
		return LA_VERDICT_NONE;
	if (!is_held_by_the_living(item))
		verdict = verdict_of_the_dead(item);
	else if (item->age_us < LIVING_AGE_US)
		return LA_VERDICT_NONE;
	return verdict == LA_VERDICT_EOF_READ_NOT_CLOSED || verdict == LA_VERDICT_EOF_UNREAD ||
			       verdict == LA_VERDICT_DEAD_FD
		       ? verdict
		       : LA_VERDICT_NONE;
}

static void say_exceptions(const struct la_snapshot *snapshot)
{
	size_t r;
	uint32_t p;

	for (r = 0; r < snapshot->regions_count; r++)
		for (p = 0; p < snapshot->regions[r].processes_count; p++) {
			const struct la_read_process *process = &snapshot->regions[r].processes[p];

			if (end_of(process) == LIVES)
				la_say("leak check: %s (pid %u) still runs: what it holds is told "
				       "as it is now",
					process->exe, process->pid);
			else if (end_of(process) == NOT_FOLLOWED)
				la_say("leak check: %s (pid %u) could not be followed to its end",
					process->exe, process->pid);
		}
}

static bool anybody_lives(const struct la_snapshot *snapshot)
{
	size_t r;

	for (r = 0; r < snapshot->regions_count; r++)
		if (la_snapshot_lives(&snapshot->regions[r]))
			return true;
	return false;
}

int la_leaks_report(void)
{
	struct la_report report = {.min_age_us = 0};
	int count = -1, status = la_snapshot_take(&report.snapshot, 0, NULL);
	size_t i;

	if (status == LA_EXIT_OK && anybody_lives(report.snapshot)) {
		la_snapshot_free(report.snapshot);
		usleep(LIVING_AGE_US); /* what a daemon has just been told of, it may close yet */
		status = la_snapshot_take(&report.snapshot, 0, NULL);
	}

	if (status == LA_EXIT_OK)
		status = la_snapshot_look_again(&report.snapshot, LIVING_AGE_US, 0, NULL);
	if (status != LA_EXIT_OK)
		return -1;
	for (i = 0; i < report.snapshot->items_count; i++)
		report.snapshot->items[i].verdict = judge_end(&report.snapshot->items[i]);
	say_exceptions(report.snapshot);
	report.symbols = calloc(report.snapshot->regions_count + 1, sizeof(struct la_symbols *));
	if (report.symbols && la_groups_make(&report.groups, report.snapshot, 0) == 0) {
		count = (int)report.groups.items_count;
		if (count)
			la_say("leak check: %d %s left half-closed, or dead:", count,
				count == 1 ? "connection was" : "connections were");
		else
			la_say("leak check: no connection was left half-closed");
		la_report_groups(&report);
		la_groups_free(&report.groups);
	} else {
		la_say("leak check: out of memory");
	}
	for (i = 0; report.symbols && i < report.snapshot->regions_count; i++)
		la_symbols_free(report.symbols[i]);
	free(report.symbols);
	la_snapshot_free(report.snapshot);
	return count;
}
