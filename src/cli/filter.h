/* SPDX-License-Identifier: MIT */
/*
 * FILTER of interface.md section 3: conditions joined by `and`.
 *
 *   state NAME|half-closed    sport = :PORT    dport = :PORT    age >|<|>=|<= TIME    eof read|unread
 *   verdict L1..L7            pid N
 */
#ifndef LASTACK_FILTER_H
#define LASTACK_FILTER_H

#include "snapshot.h"

enum { LA_FILTER_CONDITIONS = 16 };

enum la_filter_kind {
	LA_FILTER_STATE,
	LA_FILTER_HALF_CLOSED,
	LA_FILTER_SPORT,
	LA_FILTER_DPORT,
	LA_FILTER_AGE_ABOVE,
	LA_FILTER_AGE_BELOW,
	LA_FILTER_EOF,
	LA_FILTER_VERDICT,
	LA_FILTER_PID
};

struct la_filter {
	unsigned int count;
	struct {
		enum la_filter_kind kind;
		uint64_t value;
	} conditions[LA_FILTER_CONDITIONS];
};

/* From the words of a command line, each of which may hold several. Returns 0, or -EINVAL with a sentence in `error`. */
int la_filter_parse(struct la_filter *filter, int count, char *const words[], char error[200]);
bool la_filter_holds(const struct la_filter *filter, const struct la_item *item);
/* Does the filter ask for this verdict? (What is over is shown only then.) */
bool la_filter_wants(const struct la_filter *filter, enum la_verdict verdict);

#endif
