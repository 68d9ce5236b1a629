/* SPDX-License-Identifier: MIT */
/*
 * The comparisons: each says false and why when the shim and the kernel disagree, or one of them with what was done.
 */
#ifndef COMPARE_H
#define COMPARE_H

#include "model.h"

/* The numbers of a process: each still is its connection, and the shim's notes say so. */
bool compare_numbers(int process, const struct answer *answer, char *why);
/* Every record: facts, holders, phase; against the kernel and against what was done. */
bool compare_records(char *why);
/* No record is open that nobody has. */
bool compare_strays(char *why);
/* la_region_read() says what la_track_facts() says. */
bool compare_reader(char *why);
/* What `lastack list -J` wrote to `file`. */
bool compare_list(const char *file, char *why);

/* Who holds the end, where the kernel and the shim (`record` NOBODY: no matter) see it: added to `why`. */
struct region_record;
void compare_describe(char *why, int end, int record, const struct region_record *shim);

enum { WHY = 2048 };
#define SAY(why, ...) (snprintf((why), WHY, __VA_ARGS__), false)

#endif
