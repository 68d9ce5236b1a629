/* SPDX-License-Identifier: MIT */
/*
 * What to do next: chosen by a seeded generator from what the model allows.
 */
#ifndef PLAN_H
#define PLAN_H

#include "model.h"

struct plan {
	int process, thread;
	struct request request;
	int destroyed; /* OP_DESTROY: the end */
};

void plan_seed(uint64_t seed);
void plan_next(struct plan *plan);

#endif
