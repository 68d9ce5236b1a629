/* SPDX-License-Identifier: MIT */
/*
 * A report that is ready to be printed, as text (report.c) or JSON (report_json.c).
 */
#ifndef LASTACK_REPORT_H
#define LASTACK_REPORT_H

#include "groups.h"
#include "symbols.h"

struct la_report {
	struct la_snapshot *snapshot;
	struct la_groups groups;
	struct la_symbols **symbols; /* one a region, made when first needed */
	uint64_t counters[LA_COUNT_COUNT];
	uint64_t disagreements, min_age_us;
	uint32_t lacking; /* in any region: bits of enum la_lack */
};
struct la_symbols *la_report_symbols(struct la_report *report, const struct la_region_copy *region);
/* The groups as text, to standard output. */
void la_report_groups(struct la_report *report);
/* For how long the process has refused its policy files. */
uint64_t la_report_refusal_us(
	const struct la_snapshot *snapshot, const struct la_read_process *process);
int la_report_json(struct la_report *report); /* to standard output; 0 or -1 */

#endif
