/* SPDX-License-Identifier: MIT */
/*
 * The cells of moves.def as constants, so that the compiler proves the table instead of a test that somebody forgot to run.
 *
 * Every row declares the enumerator of its cell. A cell written twice is a redeclaration, an error of the language under any
 * compiler and any flags; a state or event that does not exist is an undeclared name; and when as many different cells
 * are written as there are cells, none is missing.
 */
#ifndef LASTACK_TABLE_CELLS_H
#define LASTACK_TABLE_CELLS_H

#include <lastack/table.h>

enum la_cell_number {
#define MOVE(from, event, to, sends, rfc) LA_CELL_##from##__##event,
#include "moves.def"
#undef MOVE
	LA_CELL_COUNT
};
_Static_assert(LA_CELL_COUNT == LA_STATE_COUNT * LA_EVENT_COUNT,
	"moves.def: a state does not answer every event");

/* Where a cell leads. NOTHING, the event that does not happen, leads nowhere: steps.def uses it for an end that waits. */
enum la_cell_target {
#define MOVE(from, event, to, sends, rfc) LA_TO_##from##__##event = LA_STATE_##to,
#include "moves.def"
#undef MOVE
#define LA_STATE(id, name, rfc, meaning) LA_TO_##id##__NOTHING = LA_STATE_##id,
#include "states.def"
#undef LA_STATE
};

#endif
