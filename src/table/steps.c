/* SPDX-License-Identifier: MIT */
/* Table 154, both columns. Each end of each row is proved to be a move of the state machine before it is listed. */
#include "cells.h"

#define STEP(number, label, client, server) client server
#define CLIENT(in, on, to, step, does, rfc)                           \
	_Static_assert((int)LA_TO_##in##__##on == (int)LA_STATE_##to, \
		"steps.def: " #in " on " #on " does not go to " #to);
#define SERVER CLIENT
#include "steps.def"
#undef STEP
#undef CLIENT
#undef SERVER

const struct la_step_row la_steps[] = {
#define STEP(number, label, client, server) {number, label, {client, server}},
#define CLIENT(in, on, to, step, does, rfc) \
	[LA_SIDE_CLIENT] = {LA_STATE_##in, step, does, LA_STATE_##to, rfc}
#define SERVER(in, on, to, step, does, rfc) \
	[LA_SIDE_SERVER] = {LA_STATE_##in, step, does, LA_STATE_##to, rfc}
#include "steps.def"
#undef STEP
#undef CLIENT
#undef SERVER
};
const unsigned int la_steps_count = sizeof(la_steps) / sizeof(la_steps[0]);
const unsigned int la_steps_table_154 = 8;
