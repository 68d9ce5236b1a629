/* SPDX-License-Identifier: MIT */
/*
 * The shim's view: the region, as the project's own fold and its own reader see it.
 */
#ifndef REGION_VIEW_H
#define REGION_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <lastack/region_reader.h>

struct region_record {
	uint32_t generation, flags, facts;
	enum la_phase phase;
	uint64_t holders, cookie;
	uint64_t seen_us[LA_SEEN_COUNT];
	uint16_t local_port, remote_port;
	uint8_t role;
};

/* Map it; once, when there is one. */
bool region_view_open(const char *path);
void region_view_record(uint32_t index, struct region_record *record);
uint32_t region_view_high(void);
/* Its phase alone. */
enum la_phase region_view_phase(uint32_t index);
/* The pid of the process that has bit `index`. */
pid_t region_view_pid(uint32_t index);
/* The bit of a process, 0: it has none. */
uint64_t region_view_bit(pid_t pid);
/* The same by la_region_read(); frees `copy` by la_region_copy_free(). */
bool region_view_read(struct la_region_copy *copy, char error[160]);

#endif
