/* SPDX-License-Identifier: MIT */
/*
 * A small region, as a preloaded process would have written it, for the tests of its reader: the
 * sections lie behind each other and are far below their maxima.
 */
#ifndef REGION_IMAGE_H
#define REGION_IMAGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lastack/region_reader.h>

struct image {
	struct la_region_header header;
	struct la_process_record processes[4];
	struct la_thread_table threads[3];
	struct la_connection_record connections[8];
	struct la_stack_record stacks[4];
	struct la_module_record modules[3];
	struct la_policy policy;
	struct la_rule_record rules[4];
	struct la_refusal_record refusals[4];
};

enum { GENERATION = 0x10007, OPENED_US = 1000000 }; /* a generation beyond 16 bits: tags are cut */

#define SECTION(member)                                                 \
	{                                                               \
		offsetof(struct image, member),                         \
			sizeof(((struct image *)0)->member) /           \
				sizeof(((struct image *)0)->member[0]), \
			sizeof(((struct image *)0)->member[0])          \
	}

static inline void this_boot(uint8_t id[16])
{
	char text[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	int filled = 0;

	if (!file || !fgets(text, sizeof(text), file))
		abort();
	fclose(file);
	for (const char *at = text; *at && *at != '\n' && filled < 16; at += 2) {
		unsigned int byte;

		if (*at == '-')
			at++;
		if (sscanf(at, "%2x", &byte) != 1)
			abort();
		id[filled++] = (uint8_t)byte;
	}
}

static inline void image_connection(struct image *image, int at, enum la_phase phase)
{
	struct la_connection_record *record = &image->connections[at];
	static const uint8_t local[16] = {[10] = 0xff, 0xff, 127, 0, 0, 1};
	static const uint8_t remote[16] = {[10] = 0xff, 0xff, 10, 1, 2, 3};

	memset(record, 0, sizeof(*record));
	record->word = LA_WORD_MAKE(GENERATION, phase, LA_CONNECTION_LINGER_TIMED);
	record->holders = 1;
	record->cookie = 0x1000 + (uint64_t)at;
	record->opened = LA_INSTANT_MAKE(GENERATION, OPENED_US);
	record->owner = 1;
	record->open_stack = 1;
	record->pid = (uint32_t)getpid();
	record->tid = (uint32_t)getpid() + 1;
	record->fd = 10 + at;
	memcpy(record->local, local, 16);
	memcpy(record->remote, remote, 16);
	record->local_port = 8080;
	record->remote_port = (uint16_t)(40000 + at);
	record->role = LA_ROLE_SERVER;
	record->family = 4;
}

/* The thread's row `row` about connection `at`, of any generation: `seen` at `us`. */
static inline void image_row(struct image *image, int thread, int row, int at, uint32_t generation,
	enum la_seen seen, uint64_t us)
{
	struct la_thread_row *to = &image->threads[thread].rows[row];

	to->key = (uint64_t)generation << 32 | (uint32_t)(at + 1);
	to->seen[seen] = LA_INSTANT_MAKE(la_row_tag(to->key), us);
}

/* Of the EOF in that row. */
static inline void image_row_stack(struct image *image, int thread, int row, uint32_t id)
{
	struct la_thread_row *to = &image->threads[thread].rows[row];

	to->stack[0] = LA_STACK_MAKE(la_row_tag(to->key), id);
}

static inline void image_stacks(struct image *image)
{
	for (uint32_t i = 0; i < 2; i++) {
		image->stacks[i].hash = 0x77 + i;
		image->stacks[i].depth = 2;
		image->stacks[i].frames[0].module = 1;
		image->stacks[i].frames[0].offset = 0x1234 + i;
		image->stacks[i].frames[1].module = 0;
		image->stacks[i].frames[1].offset = 0x7f0000001000;
	}
	image->modules[0].base = 0x400001;
	image->modules[0].ready = 1;
	image->modules[0].build_id_bytes = 20;
	memset(image->modules[0].build_id, 0xab, 20);
	strcpy(image->modules[0].path, "/usr/sbin/server");
}

/* One process (this one), two open connections and one that drains, told of by two threads. */
static inline void image_fill(struct image *image)
{
	static const struct la_region_section sections[LA_REGION_S_COUNT] = {
		[LA_REGION_S_PROCESSES] = SECTION(processes),
		[LA_REGION_S_THREADS] = SECTION(threads),
		[LA_REGION_S_CONNECTIONS] = SECTION(connections),
		[LA_REGION_S_STACKS] = SECTION(stacks),
		[LA_REGION_S_MODULES] = SECTION(modules),
		[LA_REGION_S_POLICY] = {offsetof(struct image, policy), 1,
			sizeof(struct la_policy)},
		[LA_REGION_S_RULES] = SECTION(rules),
		[LA_REGION_S_REFUSALS] = SECTION(refusals),
	};
	static const char policy[] = "[close-wait]\nafter 30s = shutdown\nafter 5m = reset\n";

	memset((void *)image, 0, sizeof(*image));
	image->header.magic = LA_REGION_MAGIC;
	image->header.version = LA_REGION_VERSION;
	image->header.header_bytes = sizeof(image->header);
	image->header.size_bytes = sizeof(*image);
	this_boot(image->header.boot_id);
	image->header.created_us = 900000;
	image->header.creator_pid = (uint32_t)getpid();
	image->header.counters_count = LA_COUNT_COUNT;
	memcpy(image->header.sections, sections, sizeof(sections));
	image->header.connections_high = 4;
	image->header.threads_high = 2;
	image->header.stacks_high = 2;
	image->header.modules_high = 1;
	image->header.connections_open = 2;
	image->processes[0].pid = (uint32_t)getpid();
	image->processes[0].started_us = 900001;
	image->processes[0].helper_us = 900002;
	strcpy(image->processes[0].exe, "server");
	image_connection(image, 0, LA_PHASE_OPEN);
	image_connection(image, 1, LA_PHASE_DRAINING);
	image_connection(image, 2, LA_PHASE_OPENING);
	image_connection(image, 3, LA_PHASE_OPEN);
	image->threads[0].owner = 1ull << 32 | 1;
	image->threads[0].counters[LA_COUNT_OPENED_SERVER] = 3;
	image->threads[1].counters[LA_COUNT_OPENED_SERVER] = 4;
	image_stacks(image);
	la_policy_init(&image->policy);
	if (la_policy_parse(&image->policy, "test", policy, sizeof(policy) - 1, NULL) < 0)
		abort();
	strcpy(image->policy.name, "test");
}

#endif
