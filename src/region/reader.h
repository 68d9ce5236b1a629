/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of the reader only.
 */
#ifndef LASTACK_READER_H
#define LASTACK_READER_H

#include <lastack/region_reader.h>

/* A row of a thread table, as found: key, instants, stacks. */
struct la_reader_row {
	uint64_t key;
	uint32_t tid; /* of the table's owner; 0: it has ended */
	uint64_t seen[LA_SEEN_COUNT];
	uint32_t stack[3]; /* words */
};

struct la_reader {
	int fd;
	uint64_t size;
	struct la_region_header header; /* checked */
	uint32_t connections, threads, stacks,
		modules;            /* high-water marks, within their sections */
	struct la_reader_row *rows; /* sorted by key */
	size_t rows_count;
};

/* Exactly these bytes of the file: 0 or -errno (-EBADMSG: outside, or it shrank). */
int la_reader_bytes(const struct la_reader *reader, void *to, uint64_t offset, size_t bytes);
int la_reader_entry(const struct la_reader *reader, enum la_section_id id, uint32_t index, void *to,
	size_t bytes);

/* All rows of all thread tables, and the counters. */
int la_reader_rows(struct la_reader *reader, struct la_region_copy *copy);
/* All records, each joined with its rows. */
int la_reader_rules(const struct la_reader *reader, struct la_region_copy *copy);
int la_reader_connections(const struct la_reader *reader, struct la_region_copy *copy);

#endif
