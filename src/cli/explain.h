/* SPDX-License-Identifier: MIT */
/*
 * One connection, told as a story: what happened when, by which thread, and where; where it stands; what the policy will do.
 */
#ifndef LASTACK_EXPLAIN_H
#define LASTACK_EXPLAIN_H

#include "snapshot.h"
#include "symbols.h"

struct la_happening {
	uint64_t us; /* CLOCK_MONOTONIC */
	const char *what;
	uint32_t tid;   /* 0: not known, or nobody of the application */
	uint32_t stack; /* id + 1 in the region, 0: none */
};

enum { LA_HAPPENINGS = LA_SEEN_COUNT + 1 };

struct la_story {
	struct la_snapshot *snapshot;
	const struct la_item *item;
	struct la_symbols *symbols;
	struct la_happening happenings[LA_HAPPENINGS]; /* in the order of time */
	uint32_t happenings_count;
	const struct la_step_row *row; /* of the termination table, NULL: still in the handshake */
	enum la_side side;
	const struct la_rule *bound; /* that governs its state, NULL: none */
	uint64_t idle_us;            /* that the bound counts */
	uint32_t steps_done;
	bool shared;     /* someone else may hold it: a bound waits */
	char close[200]; /* what a close() would do now */
};

int la_story_json(
	const struct la_story *story); /* "lastack.explain/1", to standard output; 0 or -1 */

#endif
