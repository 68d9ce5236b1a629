/* SPDX-License-Identifier: MIT */
/* The state machine: moves.def as an array that is indexed by state and event. cells.h proves it whole. */
#include <stddef.h>

#include "cells.h"

static const struct la_move moves[LA_STATE_COUNT][LA_EVENT_COUNT] = {
#define MOVE(from, event, to, sends, rfc)       \
	[LA_STATE_##from][LA_EVENT_##event] = { \
		LA_STATE_##from, LA_EVENT_##event, LA_STATE_##to, LA_SENDS_##sends, rfc},
#include "moves.def"
#undef MOVE
};

const struct la_move *la_move(enum la_state from, enum la_event on)
{
	if ((unsigned int)from >= LA_STATE_COUNT || (unsigned int)on >= LA_EVENT_COUNT)
		return NULL;
	return &moves[from][on];
}
