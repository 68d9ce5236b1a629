/* SPDX-License-Identifier: MIT */
/*
 * lastack explain PID:FD: one connection. Times are before now.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "explain.h"
#include "format.h"
#include "judge.h"
#include "next.h"
#include "stack.h"
#include "target.h"

static void happened(
	struct la_story *story, uint64_t us, const char *what, uint32_t tid, uint32_t stack)
{
	struct la_happening *list = story->happenings;
	uint32_t at = story->happenings_count;

	if (!us || at == LA_HAPPENINGS)
		return;
	for (; at > 0 && list[at - 1].us > us; at--)
		list[at] = list[at - 1];
	list[at] = (struct la_happening){us, what, tid, stack};
	story->happenings_count++;
}

static void collect(struct la_story *story)
{
	static const char *const words[LA_SEEN_COUNT] = {
		[LA_SEEN_EOF] = "the application was told of the peer's FIN: a read returned 0",
		[LA_SEEN_PEER_FIN] = "the kernel has the peer's FIN",
		[LA_SEEN_SHUTDOWN] = "the application shut down its writing side: our FIN",
		[LA_SEEN_CLOSE] = "the application made its last close",
		[LA_SEEN_RESET] = "reset",
		[LA_SEEN_OURS_FIRST] = "the kernel says that our FIN came first",
		[LA_SEEN_FIN_ACKED] = "our FIN is acknowledged",
		[LA_SEEN_ENFORCED] = "lastack took over by policy",
	};
	const struct la_read_connection *connection = story->item->connection;
	int s;

	happened(story, connection->opened_us,
		connection->role == LA_ROLE_CLIENT ? "connected" : "accepted", connection->tid,
		connection->open_stack);
	for (s = 0; s < LA_SEEN_COUNT; s++)
		happened(story, connection->seen_us[s], words[s], connection->seen_tid[s],
			s == LA_SEEN_EOF        ? connection->eof_stack
			: s == LA_SEEN_SHUTDOWN ? connection->shutdown_stack
			: s == LA_SEEN_CLOSE    ? connection->close_stack
						: 0);
}

/* The row in which this side waits in this state; where it never only waits, the first in which it stands there. */
static void find_row(struct la_story *story)
{
	unsigned int r;

	story->side = la_judge_side(story->item);
	for (r = 0; r < la_steps_count; r++) {
		const struct la_step_cell *cell = &la_steps[r].side[story->side];

		if (cell->in != story->item->state)
			continue;
		if (!story->row ||
			(cell->to == cell->in && story->row->side[story->side].to != cell->in))
			story->row = &la_steps[r];
	}
}

static void foretell_close(struct la_story *story)
{
	const struct la_item *item = story->item;
	const struct la_rule *rule = la_next_rule(item, LA_SECTION_CLOSE),
			     *reset = la_next_rule(item, LA_SECTION_RESET);
	bool graceful = rule && rule->action == LA_CLOSE_GRACEFUL && !item->region->policy.observe;
	bool refused = reset && reset->action == LA_RESET_REFUSE && !item->region->policy.observe;
	uint32_t flags = item->connection->flags;
	char unread[LA_TEXT_BYTES];

	if (!item->alive || !item->held || item->connection->phase != LA_PHASE_OPEN ||
		item->state == LA_STATE_CLOSED)
		return;
	if ((flags & LA_CONNECTION_LINGER_RESET) && !refused)
		snprintf(story->close, sizeof(story->close),
			"an RST: the application has set SO_LINGER {1,0}");
	else if (item->unread_bytes && !graceful && !refused)
		snprintf(story->close, sizeof(story->close),
			"an RST, which destroys what the peer has not read yet: %s are unread",
			la_format_bytes(unread, item->unread_bytes));
	else if (item->unread_bytes && !story->shared)
		snprintf(story->close, sizeof(story->close),
			"a FIN; lastack then drains what is unread (%s) and what still comes",
			la_format_bytes(unread, item->unread_bytes));
	else if (item->unread_bytes)
		snprintf(story->close, sizeof(story->close),
			"nothing yet, if someone else holds it; else an RST: %s are unread",
			la_format_bytes(unread, item->unread_bytes));
	else
		snprintf(story->close, sizeof(story->close), "a FIN");
}

static void tell(struct la_story *story)
{
	const struct la_item *item = story->item;
	const struct la_read_connection *connection = item->connection;
	struct la_next next = la_next_of(item, story->snapshot->now_us);
	uint32_t s;

	collect(story);
	find_row(story);
	story->shared = connection->holders & LA_HOLDER_UNKNOWN_BIT ||
			(connection->holders & (connection->holders - 1));
	story->bound = la_next_rule(item, la_section_of_state(item->state));
	story->steps_done = connection->steps_done;
	story->idle_us = item->idle_us;
	/* The helper knows better than the kernel's ages do, which other segments set back. */
	if (story->bound && connection->next_us)
		for (s = story->steps_done; s < story->bound->steps_count; s++)
			if (story->bound->steps[s].action == (uint32_t)next.action &&
				story->bound->steps[s].after_ns / 1000 >= next.in_us) {
				story->idle_us =
					story->bound->steps[s].after_ns / 1000 - next.in_us;
				break;
			}
	foretell_close(story);
}

static void print_happenings(const struct la_story *story)
{
	const struct la_region_copy *region = story->item->region;
	uint64_t now_us = region->same_boot ? story->snapshot->now_us : region->last_us;
	char age[LA_TEXT_AGE], who[40];
	uint32_t i;

	printf("time line%s\n", story->item->alive ? "" : " (before the last sign of life)");
	for (i = 0; i < story->happenings_count; i++) {
		const struct la_happening *happening = &story->happenings[i];

		who[0] = '\0';
		if (happening->tid)
			snprintf(who, sizeof(who), ", thread %u", happening->tid);
		printf("  %8s ago  %s%s\n",
			la_format_age(
				age, now_us > happening->us ? now_us - happening->us : 0, false),
			happening->what, who);
		la_stack_print(story->symbols, region, happening->stack, "             ");
	}
}

static void print_position(const struct la_story *story)
{
	const struct la_item *item = story->item;
	char age[LA_TEXT_AGE], unread[LA_TEXT_BYTES], unacked[LA_TEXT_BYTES];

	printf("position: %s for %s, as the kernel %s\n", la_judge_state_name(item),
		la_format_age(age, item->age_us, item->age_at_least),
		item->socket || item->alive ? "says" : "said last");
	if (story->row) {
		const struct la_step_cell *cell = &story->row->side[story->side];

		printf("  row %u of the termination table, %s: %s%s (RFC 9293, %s)\n",
			story->row->number, story->side == LA_SIDE_CLIENT ? "client" : "server",
			cell->to == cell->in ? "" : "next, ", cell->does, cell->rfc);
	}
	if (item->socket)
		printf("  unread: %s; sent and not acknowledged: %s; data last moved %s ago\n",
			la_format_bytes(unread, item->unread_bytes),
			la_format_bytes(unacked, item->socket->send_queue),
			la_format_age(age, item->idle_us, false));
	if (item->verdict != LA_VERDICT_NONE)
		printf("verdict: %s %s: %s\n", la_verdict_id(item->verdict),
			la_verdict_name(item->verdict), la_verdict_meaning(item->verdict));
	printf("next move: %s\n", la_verdict_mover(item->verdict));
}

static void print_bound(const struct la_story *story)
{
	const struct la_rule *rule = story->bound;
	char after[LA_TEXT_AGE], in[LA_TEXT_AGE];
	uint32_t s;

	printf("  [%s%s%s] governs it; nothing has moved for %s\n",
		la_section_name((enum la_section)rule->section), rule->name[0] ? " " : "",
		rule->name, la_format_age(in, story->idle_us, false));
	for (s = 0; s < rule->steps_count; s++) {
		uint64_t after_us = rule->steps[s].after_ns / 1000;

		printf("    after %-6s %-10s", la_format_age(after, after_us, false),
			la_action_name((enum la_action)rule->steps[s].action));
		if (s < story->steps_done)
			printf("%s\n", story->item->region->policy.observe ? "held back" : "done");
		else if (after_us > story->idle_us)
			printf("%sin %s\n", story->item->region->policy.observe ? "would be " : "",
				la_format_age(in, after_us - story->idle_us, false));
		else
			printf("due\n");
	}
	if (rule->max)
		printf("    never more than %u at once: beyond that the oldest is next\n",
			rule->max);
	if (story->shared)
		printf("    shutdown and reset wait: someone else may hold the connection\n");
}

static void print_policy(const struct la_story *story)
{
	const struct la_region_copy *region = story->item->region;

	if (!region->has_policy)
		return;
	printf("policy: %s%s\n", region->policy.name,
		region->policy.observe ? ", held back by LASTACK_MODE=observe" : "");
	if (story->item->connection->phase == LA_PHASE_DRAINING)
		printf("  the application has closed; lastack drains until the peer's FIN\n");
	else if (story->bound)
		print_bound(story);
	else
		printf("  no rule governs it as it stands: nothing will be done\n");
	if (story->close[0])
		printf("  a close by the application would send %s\n", story->close);
}

static void print(const struct la_story *story)
{
	const struct la_item *item = story->item;
	char local[LA_TEXT_ADDRESS], peer[LA_TEXT_ADDRESS];
	size_t h;

	printf("%u:%d  %s %s %s, %s\n", item->pid, item->fd,
		la_format_address(local, item->local, item->local_port),
		item->role == LA_ROLE_CLIENT ? "->" : "<-",
		la_format_address(peer, item->remote, item->remote_port),
		item->role == LA_ROLE_CLIENT ? "connected by this program"
					     : "accepted by this program");
	printf("held by:");
	for (h = 0; h < item->holders_count; h++)
		printf("%s %u:%d", h ? "," : "", item->holders[h].pid, item->holders[h].fd);
	printf("%s%s\n", item->holders_count ? "" : " nobody that can be seen",
		item->connection->holders & LA_HOLDER_UNKNOWN_BIT
			? "; it may have been handed to someone whom lastack does not follow"
			: "");
	print_happenings(story);
	print_position(story);
	print_policy(story);
}

/* Of the process's own numbers the one; of a connection that has several, any of them. */
static const struct la_item *find_item(const struct la_snapshot *snapshot, uint32_t pid, int32_t fd)
{
	size_t i, h;

	for (i = 0; i < snapshot->items_count; i++) {
		const struct la_item *item = &snapshot->items[i];

		if (!item->connection || item->gone)
			continue;
		for (h = 0; h < item->holders_count; h++)
			if (item->holders[h].pid == pid && item->holders[h].fd == fd)
				return item;
		if (!item->holders_count && item->pid == pid && item->fd == fd)
			return item;
	}
	return NULL;
}

int la_cmd_explain(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'J'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct la_story story = {0};
	uint32_t pid;
	int32_t fd;
	int option, status;
	bool json = false;

	while ((option = getopt_long(argc, argv, "Jh", options, NULL)) != -1) {
		switch (option) {
		case 'J': json = true; break;
		case 'h': return la_help_for("explain");
		default: return LA_EXIT_USAGE;
		}
	}
	if (optind + 1 != argc || !la_target_parse(argv[optind], &pid, &fd)) {
		la_say("explain: write PID:FD, as list prints them");
		return LA_EXIT_USAGE;
	}
	status = la_snapshot_take(&story.snapshot, pid, NULL);
	if (status != LA_EXIT_OK)
		return status;
	story.item = find_item(story.snapshot, pid, fd);
	if (!story.item) {
		la_say("%u:%d is no connection that lastack follows: lastack list 'pid %u' shows "
		       "those "
		       "that it does",
			pid, fd, pid);
		la_snapshot_free(story.snapshot);
		return LA_EXIT_PROCESS;
	}
	story.symbols = la_symbols_new(story.item->region);
	tell(&story);
	if (json)
		status = la_story_json(&story) < 0 ? LA_EXIT_OWN_FAILURE : LA_EXIT_OK;
	else
		print(&story);
	if (status == LA_EXIT_OK && story.item->verdict != LA_VERDICT_NONE)
		status = LA_EXIT_FINDINGS;
	la_symbols_free(story.symbols);
	la_snapshot_free(story.snapshot);
	return status;
}
