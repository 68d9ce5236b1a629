/* SPDX-License-Identifier: MIT */
/*
 * The TCP termination table: Table 154 of The TCP/IP Guide, RFC 9293 sections 3.3.2, 3.6 and 3.10.
 *
 * Pure: no I/O, no clock, no allocation, no errno. Every function may be called from any thread, a signal handler or the
 * helper. The rows stand in src/table/{states,events,moves,steps}.def; everything here is generated from them.
 */
#ifndef LASTACK_TABLE_H
#define LASTACK_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* The positions, in the order of the table. Names are printed as in RFC 9293 ("CLOSE-WAIT"). */
enum la_state {
#define LA_STATE(id, name, rfc, meaning) LA_STATE_##id,
#include "../../src/table/states.def"
#undef LA_STATE
	LA_STATE_COUNT
};

/* What can happen to a connection. */
enum la_event {
#define LA_EVENT(id, name, meaning) LA_EVENT_##id,
#include "../../src/table/events.def"
#undef LA_EVENT
	LA_EVENT_COUNT
};

/*
 * Facts about a connection. Each turns from no to yes once and never back, so observations of several threads are joined
 * with OR, in any order. Facts decide the position: la_facts_position().
 *
 * LA_FACT_OURS_FIRST / LA_FACT_THEIRS_FIRST tell which FIN came first. Both set is a disagreement between observers: the
 * position then follows THEIRS_FIRST and la_facts_disagree() says so. Neither set while both FINs are known reads as
 * THEIRS_FIRST (the passive close is the common one).
 */
enum la_fact {
	LA_FACT_FIN_SENT = 1u << 0,
	LA_FACT_FIN_ACKED = 1u << 1,
	LA_FACT_FIN_RECEIVED = 1u << 2,
	LA_FACT_RESET = 1u << 3,
	LA_FACT_OURS_FIRST = 1u << 4,
	LA_FACT_THEIRS_FIRST = 1u << 5,
	LA_FACT_EXPIRED =
		1u
		<< 6, /* the 2 x MSL timer ran out, or the kernel no longer knows the connection */
	LA_FACT_ALL = (1u << 7) - 1,
};

/* The position that the facts give. Total: every combination of bits has an answer. */
enum la_state la_facts_position(uint32_t facts);

/* True when the facts contradict each other (both orders; FIN acknowledged but never sent). */
bool la_facts_disagree(uint32_t facts);

/*
 * The facts that a kernel state proves by itself (LAST-ACK proves: FIN sent, FIN received, theirs first). CLOSED proves
 * nothing but EXPIRED: TCP_INFO reads 7 (TCP_CLOSE) for an open fd in TIME-WAIT too, so the caller decides.
 */
uint32_t la_facts_of_state(enum la_state state);

/*
 * The facts after `event` happened to a connection with `facts`; an event without meaning there changes nothing. `facts` are
 * all that are known, folded over every observer: which FIN came first cannot be told from one observer's own facts.
 */
uint32_t la_facts_after(uint32_t facts, enum la_event event);

/* What the peer is sent on a move. */
enum la_sends { LA_SENDS_NOTHING, LA_SENDS_FIN, LA_SENDS_ACK, LA_SENDS_RST };

/* One cell of the state machine: every state answers every event (proved by the compiler in src/table/moves.c). */
struct la_move {
	enum la_state from;
	enum la_event on;
	enum la_state to; /* == from: the event changes nothing here */
	enum la_sends sends;
	const char *rfc; /* section of RFC 9293, or "linux" for measured kernel behaviour */
};
const struct la_move *la_move(
	enum la_state from, enum la_event on); /* NULL only for values out of range */

/* One row of Table 154, both columns, in the table's own words. */
enum la_side { LA_SIDE_CLIENT, LA_SIDE_SERVER }; /* active closer, passive closer */
struct la_step_cell {
	enum la_state in;
	const char *step; /* "Client Close Step #1 Transmit", or "" where the end only waits */
	const char *does;
	enum la_state to; /* == in: no transition */
	const char *rfc;
};
struct la_step_row {
	unsigned int number; /* 1..8 are Table 154; beyond are CLOSING, RST ... */
	const char *label;
	struct la_step_cell side[2]; /* indexed by enum la_side */
};
extern const struct la_step_row la_steps[];
extern const unsigned int la_steps_count;
extern const unsigned int la_steps_table_154; /* how many of them are Table 154 itself: 8 */

const char *la_state_name(enum la_state state);    /* "CLOSE-WAIT"; "?" when out of range */
const char *la_state_meaning(enum la_state state); /* one sentence */
const char *la_state_rfc(enum la_state state);
const char *la_event_name(enum la_event event);
const char *la_sends_name(enum la_sends sends);

/* Accepts "close-wait", "CLOSE-WAIT"; returns LA_STATE_COUNT when unknown. */
enum la_state la_state_by_name(const char *name);

/* The kernel's numbering (enum in <netinet/tcp.h>, also tcpi_state and idiag_state). LA_STATE_COUNT: not in the table. */
enum la_state la_state_from_kernel(unsigned int tcp_state);

#endif
