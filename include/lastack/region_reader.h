/* SPDX-License-Identifier: MIT */
/*
 * Reading a region that somebody else writes, or wrote before crashing, or made up.
 *
 * For the command only: allocates, uses stdio. Nothing in the file is trusted: every size, offset, count, index and string is checked;
 * the file is read into private memory by pread (a mapping could be truncated under us: SIGBUS).
 *
 * Order: thread rows first, connection records afterwards. A row that leaves a thread table is folded into its record before its
 * key goes, so no fact is missed (src/track/rows.c).
 */
#ifndef LASTACK_REGION_READER_H
#define LASTACK_REGION_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lastack/region.h>

/* A copy of a process record, strings terminated. */
struct la_read_process {
	uint32_t index; /* bit in a holder mask */
	uint32_t pid;
	uint32_t flags; /* enum la_process_flag */
	uint64_t started_us, helper_us, ended_us, start_ticks;
	char exe[65];
	char refusal[LA_REGION_REASON]; /* why it has refused its policy files; "": it has not */
	uint64_t refused_us;
	bool alive; /* a process with this pid runs now, and is not younger than the record */
};

/* A connection, all its rows joined. */
struct la_read_connection {
	uint32_t index, generation;
	enum la_phase phase;
	uint32_t flags; /* enum la_connection_flag */
	uint64_t holders, cookie;
	uint64_t opened_us;
	uint64_t seen_us[LA_SEEN_COUNT]; /* 0: not seen */
	uint32_t seen_tid
		[LA_SEEN_COUNT]; /* by which thread; 0: by the helper, or by one that has ended */
	uint32_t facts;          /* enum la_fact, as seen_us gives them */
	uint32_t open_stack;     /* id + 1, 0: none; always within stacks_count */
	uint32_t eof_stack, shutdown_stack, close_stack;
	uint32_t pid, tid;
	int32_t fd;
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port;
	uint8_t role, family, ending, steps_done;
	uint32_t next_action;
	uint64_t next_us, drained_bytes;
};

struct la_read_frame {
	uint32_t module; /* index + 1, 0: none; always within modules_count */
	uint64_t offset;
};
struct la_read_stack {
	uint32_t depth;
	struct la_read_frame frames[LA_REGION_STACK_DEPTH];
};
struct la_read_module {
	char path[213];
	uint8_t build_id[20];
	uint32_t build_id_bytes;
};

struct la_read_rule {
	uint32_t section;          /* enum la_section */
	char name[LA_POLICY_NAME]; /* "" for the unnamed rule; letters, digits, "-", "_" and "." */
	uint64_t acted[LA_ACTION_COUNT][LA_ACTED_COUNT];
};

struct la_region_copy {
	char path[512];
	uint64_t created_us;
	uint32_t creator_pid;
	uint32_t owner_uid, owner_gid; /* of the file: who may have written it */
	bool same_boot; /* false: all its processes are gone, and its instants only compare with each other */
	uint64_t last_us;                  /* the youngest instant in it: the last sign of life */
	struct la_read_process *processes; /* those with a pid */
	uint32_t processes_count;
	struct la_read_connection
		*connections; /* phases OPEN, DRAINING, CLOSED; listeners too (role) */
	uint32_t connections_count;
	struct la_read_stack *stacks;
	uint32_t stacks_count;
	struct la_read_module *modules;
	uint32_t modules_count;
	uint64_t counters[LA_COUNT_COUNT]; /* summed over all thread tables */
	uint64_t half_closed[LA_HALF_CLOSED_BUCKETS], half_closed_us; /* the same */
	struct la_read_rule *rules; /* that have acted, each once */
	uint32_t rules_count;
	struct la_policy policy;
	uint32_t lacking; /* bits of enum la_lack */
	bool has_policy;  /* false: damaged or being written; `policy` is then empty */
};

/*
 * Read one region. Returns 0 or -errno (-EBADMSG: damaged or no region; -ENOTSUP: another version), and then `error` holds a sentence
 * about it, without the file's name.
 */
int la_region_read(const char *path, struct la_region_copy *copy, char error[160]);
void la_region_copy_free(struct la_region_copy *copy);

/*
 * The folders where regions may be, existing or not, in order: LASTACK_DIR alone when it is set; else /run/lastack,
 * $XDG_RUNTIME_DIR/lastack, /dev/shm/lastack-UID, and for root also /run/user/<any>/lastack and /dev/shm/lastack-<any>. Calls `each` with
 * every "*.region" in them. Returns how many were found; or -EACCES when there was none, but a folder that may not be looked into: its path
 * is in `denied` then.
 */
int la_region_find(void (*each)(const char *path, void *context), void *context, char denied[512]);

#endif
