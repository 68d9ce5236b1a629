/* SPDX-License-Identifier: MIT */
/*
 * Between the helper's look at all connections (bounds.c) and the steps that it takes with one (bound_steps.c). The helper only.
 */
#ifndef LASTACK_BOUNDS_H
#define LASTACK_BOUNDS_H

#include "internal.h"

/* The helper's own memory of a connection, by index. */
struct la_watch {
	uint32_t generation;
	uint32_t state; /* kernel's */
	uint32_t turn;
	uint32_t policy;   /* whose rule steps_done counts: la_bounds.policies_seen then */
	uint8_t strongest; /* enum la_action: that was taken in this state, by whichever policy */
	bool spared;       /* said once that another process may hold it */
	bool waiting;      /* said once that there is no number for a dup */
	bool stuck;        /* said once that its output does not move */
	bool carried;      /* into LAST-ACK by our own FIN, with its rule of CLOSE-WAIT */
	uint64_t since_ns, progress_ns;
	uint64_t marked_ns; /* since then no write raises SIGPIPE (sigpipe.c); 0: not so */
	struct la_progress last;
	uint64_t written;
};

/* In a bounded state at this turn. */
struct la_suspect {
	const struct la_rule *rule;
	struct la_connection_record *record;
	uint32_t index, generation;
	int fd;
	uint64_t slot;
	uint64_t idle_ns;  /* without progress */
	uint64_t since_ns; /* when it came into the state */
	bool acted;
};

struct la_bounds {
	struct la_watch *watches; /* NULL: there was no memory */
	const struct la_policy
		*policy; /* of this turn: the one in force may be another one by now */
	uint32_t policies_seen;
	uint64_t period_ns; /* between two looks */
};
extern struct la_bounds la_bounds;

/* What its rule says is due: taken, or held up; and what comes next is written down for readers. */
void la_bound_decide(struct la_suspect *suspect, uint64_t now_ns);

/* Someone else may hold it; its output is stuck; it is marked since an earlier look. Each marks or says what it finds. */
bool la_bound_is_spared(struct la_suspect *suspect, enum la_action action);
bool la_bound_is_stuck(struct la_suspect *suspect, enum la_action action, uint64_t now_ns);
bool la_bound_is_marked(struct la_suspect *suspect, enum la_action action, uint64_t now_ns);
/* False when no descriptor was left for a dup: a drain gives way, and the next look tries again. */
bool la_bound_act(struct la_suspect *suspect, enum la_action action, uint32_t steps_done);

#endif
