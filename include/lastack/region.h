/* SPDX-License-Identifier: MIT */
/*
 * The region: a shared-memory file in which preloaded processes show where their connections stand. One region for a fork
 * family: made lazily by the first process that has a TCP connection, inherited by its children. The command reads it while
 * the process runs, hangs, is stopped or has crashed.
 *
 * Layout: fixed width, little or big endian as the machine, version in the header. Only appended to: a reader must refuse a
 * version that it does not know, and must trust no count, offset or string in it.
 *
 * File name: DIR/PID.region, DIR as in interface.md section 1 (LASTACK_DIR, else /run/lastack, else
 * $XDG_RUNTIME_DIR/lastack, else /dev/shm/lastack-UID), PID that of the process which made it.
 */
#ifndef LASTACK_REGION_H
#define LASTACK_REGION_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lastack/policy.h>
#include <lastack/table.h>

#define LA_REGION_MAGIC   0x314b434154534c01ull /* "\1LSTACK1" */
#define LA_REGION_VERSION 3u

enum {
	LA_REGION_PROCESSES = 63, /* bit 63 of a holder mask means "someone that is not known" */
	LA_REGION_THREADS = 2048,
	LA_REGION_ROWS = 64, /* rows a thread table: 8 sets of 8 ways */
	LA_REGION_ROW_WAYS = 8,
	LA_REGION_STACKS = 4096,
	LA_REGION_STACK_DEPTH = 16,
	LA_REGION_MODULES = 256,
	LA_REGION_CONNECTIONS = 1 << 20,
	LA_REGION_RULES = 128, /* that have acted, over all policies that were in force */
	LA_REGION_REASON = sizeof(struct la_policy_error),
};

/*
 * What a thread can see of a connection. Each happens once; a row has one instant for each, and the instant is the fact:
 * no instant, not seen. Joining rows is a minimum over the instants that are there.
 */
enum la_seen {
	LA_SEEN_EOF,      /* a read handed the peer's FIN to the application */
	LA_SEEN_PEER_FIN, /* the kernel said that the peer's FIN is here */
	LA_SEEN_SHUTDOWN, /* the application shut down its writing side */
	LA_SEEN_CLOSE,    /* the last close of this process */
	LA_SEEN_RESET, /* a call failed with ECONNRESET, or EPIPE without our shutdown; or the kernel said CLOSE */
	LA_SEEN_OURS_FIRST, /* the kernel said FIN-WAIT-1/2, CLOSING or TIME-WAIT: our FIN came first */
	LA_SEEN_FIN_ACKED, /* the kernel said FIN-WAIT-2, TIME-WAIT */
	LA_SEEN_ENFORCED,  /* lastack ended it: FIN, RST or a drain by policy */
	LA_SEEN_COUNT
};

/*
 * An instant: CLOCK_MONOTONIC in microseconds in the low 48 bits, the low 16 bits of the connection's generation above.
 * An instant with another generation, or with zero microseconds, is "not seen". All writers set an instant by one
 * compare-and-swap from {generation, 0}: a late writer of an older connection cannot hit its successor.
 */
typedef _Atomic uint64_t la_instant;
#define LA_INSTANT_US(value)     ((value) & ((1ull << 48) - 1))
#define LA_INSTANT_TAG(value)    ((uint16_t)((value) >> 48))
#define LA_INSTANT_MAKE(gen, us) (((uint64_t)(uint16_t)(gen) << 48) | ((us) & ((1ull << 48) - 1)))

/*
 * In the row of a thread table an instant's tag is made of the whole key instead: the row may be given to another connection
 * of the same generation while its thread is interrupted, or while a reader looks.
 */
static inline uint16_t la_row_tag(uint64_t key)
{
	return (uint16_t)(key * 0x9e3779b97f4a7c15ull >> 48);
}

/*
 * The call stack of an instant, beside it: id + 1 in the low 16 bits, 0: none; the row's tag above, as in its instants. Set by one
 * compare-and-swap from {tag, 0} too: walking the stack takes long enough for the row, or the record, to be given to another connection.
 */
typedef _Atomic uint32_t la_stack_word;
#define LA_STACK_ID(word)      ((word)&0xffffu)
#define LA_STACK_TAG(word)     ((uint16_t)((word) >> 16))
#define LA_STACK_MAKE(tag, id) ((uint32_t)(uint16_t)(tag) << 16 | (id))

enum la_section_id {
	LA_REGION_S_PROCESSES,
	LA_REGION_S_THREADS,
	LA_REGION_S_CONNECTIONS,
	LA_REGION_S_STACKS,
	LA_REGION_S_MODULES,
	LA_REGION_S_POLICY, /* one struct la_policy: the one in force */
	LA_REGION_S_RULES,
	LA_REGION_S_REFUSALS, /* one a process, in the order of LA_REGION_S_PROCESSES */
	LA_REGION_S_COUNT
};
struct la_region_section {
	uint64_t offset; /* from the start of the file */
	uint32_t count;
	uint32_t stride; /* bytes from one entry to the next, >= the size known to this version */
};

enum la_counter {
	LA_COUNT_OPENED_SERVER,
	LA_COUNT_OPENED_CLIENT,
	LA_COUNT_CLOSED_FIN,      /* last close that sent a FIN */
	LA_COUNT_CLOSED_GRACEFUL, /* last close taken over by a drain */
	LA_COUNT_CLOSED_RESET, /* last close that made the kernel send an RST (unread data, SO_LINGER {1,0}) */
	LA_COUNT_DRAIN_EOF, /* drains by how they ended: enum la_ending */
	LA_COUNT_DRAIN_ACKED,
	LA_COUNT_DRAIN_RESET,
	LA_COUNT_DRAIN_IDLE,
	LA_COUNT_DRAIN_TOTAL,
	LA_COUNT_DRAIN_BYTES,
	LA_COUNT_DRAIN_EVICTED,
	LA_COUNT_ACTED_LOG, /* policy actions carried out */
	LA_COUNT_ACTED_KEEPALIVE,
	LA_COUNT_ACTED_SHUTDOWN,
	LA_COUNT_ACTED_RESET,
	LA_COUNT_WOULD_LOG, /* decided, not carried out: LASTACK_MODE=observe */
	LA_COUNT_WOULD_KEEPALIVE,
	LA_COUNT_WOULD_SHUTDOWN,
	LA_COUNT_WOULD_RESET,
	LA_COUNT_ACT_FAILED, /* the socket changed under the decision, or the call failed */
	LA_COUNT_PLAIN_SHARED, /* a graceful close given up because someone else may hold the connection */
	LA_COUNT_PLAIN_FULL,    /* given up: too many drains, no descriptor number, no helper */
	LA_COUNT_DISAGREEMENTS, /* a hook's fact that the kernel contradicted */
	LA_COUNT_DROPPED,       /* an event that found no room in a table */
	LA_COUNT_SPARED_SHARED, /* a bound that was due and not carried out: another process may hold the connection */
	LA_COUNT_SPARED_OUTPUT, /* a shutdown that was passed over: the send buffer is full, the FIN could not go out, a blocked writer would get SIGPIPE */
	LA_COUNT_RESET_REFUSED, /* SO_LINGER {1,0} taken back at the last close */
	LA_COUNT_EXIT_DRAINED, /* connections that were open at exit and were drained by the process */
	LA_COUNT_EXIT_HANDED_OVER, /* connections that an exit left to a detached child */
	LA_COUNT_SIGPIPE_HELD,     /* writes that failed by our own shutdown, without the signal */
	LA_COUNT_POLICY_TAKEN,     /* changed policy files taken up */
	LA_COUNT_POLICY_REFUSED,   /* changed policy files that were no policy: the old one stays */
	LA_COUNT_WOULD_GRACEFUL,   /* decided, not carried out: closes, exits, refused resets */
	LA_COUNT_WOULD_EXIT,
	LA_COUNT_WOULD_REFUSE,
	LA_COUNT_COUNT
};

/* How long a connection stood half-closed until the application's last close: buckets of a histogram, by their upper bound. */
enum { LA_HALF_CLOSED_BUCKETS = 8 }; /* the last has no bound */
#define LA_HALF_CLOSED_BOUNDS_US                                                            \
	{                                                                                   \
		10000, 100000, 1000000, 10000000, 60000000, 300000000, 3600000000ull, ~0ull \
	}

/* What a family of processes does without, for want of something. Appended to only: bits of a mask. lacks.c has the words. */
enum la_lack {
	LA_LACK_REGION,    /* no region: nothing is followed as long as there is none */
	LA_LACK_FILE,      /* a region without file: no command sees it */
	LA_LACK_RECORDS,   /* no record for a connection */
	LA_LACK_PROCESSES, /* no entry for a process */
	LA_LACK_TABLES,    /* no table for a thread */
	LA_LACK_STACKS,    /* no room for call stacks */
	LA_LACK_NUMBERS,   /* no memory to know a descriptor by */
	LA_LACK_HELPER,    /* no thread for the helper */
	LA_LACK_BOUNDS,    /* no memory for bounds */
	LA_LACK_LOG,       /* lines of the log were lost */
	LA_LACK_RULES,     /* no room to count what a rule does */
	LA_LACK_COUNT
};
/* A word for logs and scripts; a sentence that says what it means. */
const char *la_lack_name(enum la_lack lack);
const char *la_lack_meaning(enum la_lack lack);

struct la_region_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_bytes; /* sizeof(struct la_region_header) of the writer */
	uint64_t size_bytes;   /* of the file */
	uint8_t boot_id
		[16]; /* of /proc/sys/kernel/random/boot_id: instants of another boot mean nothing */
	uint64_t created_us; /* CLOCK_MONOTONIC */
	uint32_t creator_pid;
	uint32_t counters_count;
	struct la_region_section sections[LA_REGION_S_COUNT];
	_Atomic uint32_t connections_high; /* entries ever used: a reader scans [0, high) */
	_Atomic uint32_t threads_high;
	_Atomic uint32_t stacks_high;
	_Atomic uint32_t modules_high;
	_Atomic uint32_t connections_open; /* between open and last close */
	_Atomic uint32_t policy_sequence;  /* odd while the policy section is being written */
	_Atomic uint32_t lacking;          /* bits of enum la_lack: each was said once */
	uint8_t reserved[108];
};

enum la_process_flag {
	LA_PROCESS_PASSIVE = 1u << 0, /* seccomp: the shim stands aside */
	LA_PROCESS_HELPER = 1u << 1,  /* the helper has been started */
	LA_PROCESS_FAMILY_UNKNOWN =
		1u << 2, /* forked past our sight: everything inherited is shared */
	LA_PROCESS_SPLIT =
		1u << 3, /* passive because its threads have descriptor tables of their own */
	LA_PROCESS_HEIR = 1u << 4, /* the detached child of an exit: it drains, and nothing else */
};

struct la_process_record {
	_Atomic uint32_t pid; /* 0: free */
	_Atomic uint32_t flags;
	_Atomic uint64_t started_us; /* CLOCK_MONOTONIC when it joined the region */
	_Atomic uint64_t helper_us;  /* last turn of the helper, 0: none yet */
	uint64_t start_ticks; /* field 22 of /proc/PID/stat, against pid reuse; 0: not known */
	char exe[64];         /* base name, NUL-terminated */
	_Atomic uint64_t
		ended_us; /* by exit or exec, and has marked what it left (LA_CONNECTION_LEFT); 0: not so */
	char reserved[152];
};

/*
 * Why a process does not follow what its policy files say now; the policy that it had stays in force there. Written by its helper only. `sequence`
 * is odd meanwhile. It is of the process that joined the region at `started_us`, and of no other that has had the entry; 0: of none.
 */
struct la_refusal_record {
	_Atomic uint32_t sequence;
	uint32_t reserved;
	_Atomic uint64_t started_us;
	_Atomic uint64_t since_us;
	char reason[LA_REGION_REASON]; /* NUL-terminated */
	uint8_t reserved2[40];
};

/*
 * In a key: the row is being given to another connection. It still counts for the one that the key names, until its instants are folded;
 * nothing is added to it.
 */
#define LA_ROW_LEAVING (1ull << 31)

/* Row of a thread about a connection that another thread opened. Written by its thread only; key is written last. */
struct la_thread_row {
	_Atomic uint64_t
		key; /* generation << 32 | connection index + 1; 0: free. A row of an ended generation is free too */
	la_instant seen[LA_SEEN_COUNT];
	la_stack_word stack[3]; /* of: eof, shutdown, close */
	uint32_t reserved;
	uint64_t reserved2[5];
};

struct la_thread_table {
	_Atomic uint64_t
		owner; /* process index + 1 << 32 | tid; 0: free for the next thread, rows stay valid */
	_Atomic uint64_t counters[LA_COUNT_COUNT];
	_Atomic uint64_t half_closed[LA_HALF_CLOSED_BUCKETS];
	_Atomic uint64_t half_closed_us; /* their sum */
	uint8_t reserved[1024 - 8 - 8 * (LA_COUNT_COUNT + LA_HALF_CLOSED_BUCKETS + 1)];
	struct la_thread_row rows[LA_REGION_ROWS];
};

enum la_phase {
	LA_PHASE_FREE,     /* never used, or given back */
	LA_PHASE_OPENING,  /* being filled: readers skip it */
	LA_PHASE_OPEN,     /* the application holds it */
	LA_PHASE_DRAINING, /* the application closed it, lastack drains it */
	LA_PHASE_CLOSED, /* closed; the kernel may still be ending it. Stays until the entry is needed again */
};

enum la_connection_flag {
	LA_CONNECTION_CONNECTING =
		1u << 0, /* connect() is under way: not yet established when last seen */
	LA_CONNECTION_UNREAD_AT_CLOSE =
		1u << 1, /* closed with unread data: the peer got an RST (L7) */
	LA_CONNECTION_LINGER_RESET =
		1u << 2, /* SO_LINGER {1,0} was set: the application asked for an RST */
	LA_CONNECTION_LINGER_TIMED = 1u << 3, /* SO_LINGER {1,n} was set */
	LA_CONNECTION_LEFT =
		1u << 4, /* leak check: the application's move was next when its process ended */
};

/* How a connection's drain or the last action on it ended; for people. */
enum la_ending {
	LA_ENDING_NONE,
	LA_ENDING_EOF, /* drained to the peer's FIN: nothing was lost */
	LA_ENDING_ACKED, /* output and FIN acknowledged; then the peer fell silent, without a FIN of its own */
	LA_ENDING_RESET, /* the peer reset it */
	LA_ENDING_IDLE,  /* bounds */
	LA_ENDING_TOTAL,
	LA_ENDING_BYTES,
	LA_ENDING_EVICTED,
	LA_ENDING_COUNT
};

/* 256 bytes, four cache lines: word and names; the owner's row; folded rows; addresses. */
struct la_connection_record {
	_Atomic uint64_t
		word; /* generation << 32 | enum la_phase << 24 | enum la_connection_flag */
	_Atomic uint64_t
		holders; /* bit i: process i of the region holds it; bit 63: someone unknown may */
	_Atomic uint64_t cookie; /* SO_COOKIE, 0 until asked for */
	_Atomic uint64_t opened; /* an instant */
	_Atomic uint32_t owner;  /* thread table index + 1 of the opener, who writes row `own` */
	_Atomic uint32_t open_stack; /* stack id + 1; 0: none */
	la_stack_word stack[3];      /* of the owner's row: eof, shutdown, close */
	_Atomic uint32_t pid;        /* process that opened it, or used it last */
	_Atomic int32_t fd;          /* its number there, -1 when closed */
	_Atomic uint32_t tid;        /* thread that opened it */

	la_instant own[LA_SEEN_COUNT]; /* the owner's row */
	la_instant folded
		[LA_SEEN_COUNT]; /* rows that had to leave a thread table, and what the helper saw */

	uint8_t local[16], remote[16];    /* IPv4 as ::ffff:a.b.c.d */
	uint16_t local_port, remote_port; /* host order */
	uint8_t role;                     /* enum la_role */
	uint8_t family;                   /* 4 or 6 */
	_Atomic uint8_t ending;           /* enum la_ending */
	_Atomic uint8_t steps_done;       /* policy steps taken in the present state */
	_Atomic uint32_t
		next_action; /* enum la_action: what the policy would do next, by the helper */
	_Atomic uint32_t listener_cookie_low;
	_Atomic uint64_t next_us; /* when (CLOCK_MONOTONIC), 0: nothing */
	_Atomic uint64_t drained_bytes;
};

#define LA_WORD_MAKE(gen, phase, flags) \
	(((uint64_t)(gen) << 32) | ((uint64_t)(phase) << 24) | ((flags)&0xffffffu))
#define LA_WORD_GEN(word)   ((uint32_t)((word) >> 32))
#define LA_WORD_PHASE(word) ((enum la_phase)(((word) >> 24) & 0xff))
#define LA_WORD_FLAGS(word) ((uint32_t)(word)&0xffffffu)

struct la_stack_record {
	_Atomic uint64_t hash;  /* 0: free */
	_Atomic uint32_t depth; /* 0 while being filled */
	uint32_t reserved;
	struct {
		uint32_t module; /* index + 1; 0: not in a module (generated code) */
		uint32_t reserved;
		uint64_t
			offset; /* from the module's load base (link_map l_addr): the ELF virtual address. Return addresses: subtract 1 to find the call. Without module: the address itself */
	} frames[LA_REGION_STACK_DEPTH];
};

struct la_module_record {
	_Atomic uint64_t base; /* l_addr + 1; 0: free */
	_Atomic uint32_t ready;
	uint32_t build_id_bytes; /* 0..20 */
	uint8_t build_id[20];
	char path[212]; /* NUL-terminated; "" is the program itself until resolved by its writer */
};

enum la_acted { LA_ACTED_OK, LA_ACTED_FAILED, LA_ACTED_WOULD, LA_ACTED_SPARED, LA_ACTED_COUNT };

/* What a rule has done, by section and name: also one of a policy that is in force no more. Two processes may have made one each. */
struct la_rule_record {
	_Atomic uint32_t state; /* 0 free, 1 being made, 2 ready */
	uint32_t section;
	char name[LA_POLICY_NAME];
	_Atomic uint64_t acted[LA_ACTION_COUNT][LA_ACTED_COUNT];
};

static_assert(LA_REGION_CONNECTIONS < 1u << 31, "a key has a bit to spare");
static_assert(LA_REGION_STACKS < 1 << 16, "a stack word has 16 bits for the id");
static_assert(sizeof(struct la_process_record) == 256, "layout");
static_assert(sizeof(struct la_refusal_record) == 384, "layout");
static_assert(sizeof(struct la_thread_row) == 128, "layout");
static_assert(sizeof(struct la_thread_table) == 1024 + 64 * 128, "layout");
static_assert(sizeof(struct la_connection_record) == 256, "layout");
static_assert(offsetof(struct la_connection_record, own) == 64, "layout");
static_assert(sizeof(struct la_stack_record) == 272, "layout");
static_assert(sizeof(struct la_module_record) == 248, "layout");
static_assert(sizeof(struct la_rule_record) == 200, "layout");

/* ---- writer side (src/region/map.c): used by track, in the preloaded process -------------------------------------- */

struct la_region {
	struct la_region_header *header;
	struct la_process_record *processes;
	struct la_thread_table *threads;
	struct la_connection_record *connections;
	struct la_stack_record *stacks;
	struct la_module_record *modules;
	struct la_policy *policy;
	struct la_rule_record *rules;
	struct la_refusal_record *refusals;
};

/*
 * Make a region and map it; `path` is set to where its file is, or to "" when no folder could be used and the region is
 * anonymous (tracking works, the command cannot see it); `no_file` then is why, -errno, else 0. Async-signal-safe, errno untouched. Returns 0
 * or -errno.
 */
int la_region_create(struct la_region *region, const char *wanted_dir, const char *runtime_dir,
	char path[256], int *no_file);

/* Take the file away, if it still is in a folder of ours. */
void la_region_remove(const char *path);

/*
 * Memory of which most will never be touched, or NULL. Readable and writable only after a munlock: under mlockall(MCL_FUTURE) all of it
 * would be wired at once. `flags` and `fd` as for mmap(2).
 */
void *la_region_map(uint64_t bytes, int flags, int fd);

/* It is filled (policy, first process): a reader takes a region without magic for one that is being made. */
void la_region_publish(struct la_region *region);

/* Touch [first, first + bytes) now, so that a full file system is an error here (-ENOMEM) and no SIGBUS later. */
int la_region_populate(void *first, size_t bytes);

#endif
