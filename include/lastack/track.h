/* SPDX-License-Identifier: MIT */
/*
 * Tracking: which descriptor is which connection, who holds it, what each thread saw of it.
 *
 * Everything here may be called from any thread, a signal handler and the helper, and neither allocates, locks, waits nor
 * touches errno, except where a comment says otherwise. Nothing that a reader may look at is ever freed: slots, records and
 * thread tables are type-stable, and every access is checked by generation. So there is no grace period to wait for, and
 * a hook may keep a slot across a blocking call.
 */
#ifndef LASTACK_TRACK_H
#define LASTACK_TRACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lastack/region.h>

/* ---- descriptor slots (slots.c) ------------------------------------------------------------------------------------ */

/*
 * A slot is one atomic word: low 32 bits connection index + 1 (0: none), 16 bits of flags, 16 bits of the connection's
 * generation. Zero: nothing known of this number. Slots are private to the process, so fork copies them.
 */
enum la_slot_flag {
	LA_SLOT_TCP = 1u << 0,      /* a TCP socket, maybe without connection */
	LA_SLOT_LISTENER = 1u << 1, /* its record has role LISTENER */
	LA_SLOT_INTERNAL = 1u << 3, /* ours: the application must not see it */
	LA_SLOT_LINGER_RESET =
		1u
		<< 4, /* SO_LINGER set before there was a connection; accepted sockets inherit it */
	LA_SLOT_LINGER_TIMED = 1u << 5,
	LA_SLOT_OTHER = 1u << 6,  /* looked at once: no TCP socket (a listener of another family) */
	LA_SLOT_SHARED = 1u << 7, /* without connection yet, and someone else may hold it already */
	LA_SLOT_ENFORCED =
		1u << 8, /* lastack ends the connection: writing must not raise SIGPIPE */
};
#define LA_SLOT_MAKE(index, flags, gen)                                        \
	((uint64_t)(uint16_t)(gen) << 48 | (uint64_t)(uint16_t)(flags) << 32 | \
		(uint32_t)((index) + 1))
/* A number of ours; `whose` (16 bits) tells two that follow each other on it apart. */
#define LA_SLOT_OWN(whose)    ((uint64_t)(uint16_t)(whose) << 48 | (uint64_t)LA_SLOT_INTERNAL << 32)
#define LA_SLOT_IS_OWN(slot)  ((LA_SLOT_FLAGS(slot) & LA_SLOT_INTERNAL) != 0)
#define LA_SLOT_INDEX(slot)   ((uint32_t)(slot)-1)
#define LA_SLOT_FLAGS(slot)   ((uint16_t)((slot) >> 32))
#define LA_SLOT_TAG(slot)     ((uint16_t)((slot) >> 48))
#define LA_SLOT_TRACKED(slot) ((uint32_t)(slot) != 0)
/* In a hook, so that what follows a call that writes stays out of its way. */
#define LA_SLOT_IS_ENFORCED(slot) \
	__builtin_expect(((slot) & (uint64_t)LA_SLOT_ENFORCED << 32) != 0, 0)

enum {
	LA_SLOT_CHUNK_BITS = 14,
	LA_SLOT_CHUNKS = 1 << 16
}; /* descriptor numbers below 2^30: the kernel's own limit */

typedef _Atomic uint64_t la_slot;
extern la_slot *_Atomic la_slot_chunks[LA_SLOT_CHUNKS];
/* What is mapped for each of them. */
unsigned long la_slot_chunk_bytes(void);

/* All that the hot path reads. Pairs with the release in la_slot_at(). */
static inline uint64_t la_slot_load(int fd)
{
	unsigned int number = (unsigned int)fd;
	la_slot *chunk;

	if (number >> LA_SLOT_CHUNK_BITS >= LA_SLOT_CHUNKS)
		return 0;
	chunk = atomic_load_explicit(
		&la_slot_chunks[number >> LA_SLOT_CHUNK_BITS], memory_order_acquire);
	if (__builtin_expect(!chunk, 0))
		return 0;
	return atomic_load_explicit(
		&chunk[number & ((1u << LA_SLOT_CHUNK_BITS) - 1)], memory_order_acquire);
}

/* Put `slot` there, return what was; for numbers that are not ours to know (negative, no memory) returns 0. */
uint64_t la_slot_exchange(int fd, uint64_t slot);
/* Set or clear flags if the slot is still about the same connection as `seen`. */
void la_slot_change_flags(int fd, uint64_t seen, uint32_t set, uint32_t clear);
/* Clear the slot if it still is exactly `seen`. */
void la_slot_clear(int fd, uint64_t seen);
/*
 * The epoll sets in which the application registered this number, as set + 1; the second -1: more than two, not all known.
 * NULL when nothing near the number was ever tracked. A new socket in the slot starts without any.
 */
_Atomic int *la_slot_epolls(int fd);
/* Its address family, 0: not asked yet; for whoever asks to remember. Forgotten with each new socket there. NULL as above. */
_Atomic int *la_slot_domain(int fd);
enum { LA_SLOT_EPOLLS = 2 };
/* The first number >= fd, <= last, that has a slot; -1 when there is none. */
int la_slot_next(int fd, int last);

/* ---- the process and its family (family.c) ------------------------------------------------------------------------- */

struct la_track_settings {
	const char *dir, *runtime_dir; /* LASTACK_DIR, XDG_RUNTIME_DIR; must stay valid */
	const char *exe, *exe_path;    /* of the program: base name, whole path */
	const void *program;  /* its link_map when this code is linked into it (tests), else NULL */
	uint32_t stack_depth; /* 0..LA_REGION_STACK_DEPTH */
	const struct la_policy *policy; /* shown in the region */
	bool keep; /* what is left at the end is marked and stays to be read: LASTACK_LEAK_CHECK */
};
/* Once, by the constructor, before any thread. Registers fork handlers: allocates. */
void la_track_start(const struct la_track_settings *settings);
/* At exit: what we hold is closed by the kernel now; the last process of a family takes the region's file away. */
void la_track_finish(void);
/*
 * Before anything at an exit ends a connection: what is left behind is marked. Before an exec too, which leaves nothing. Does nothing unless
 * the settings say `keep`.
 */
void la_track_leaving(bool by_exec);

/* Called in the child of a fork, after tracking is right again. For enforcement; at most one. */
void la_track_on_fork_child(void (*child)(void));

/*
 * Something cannot be had, `error` says why (-errno or 0): what it means is off from now on. The first of a family of processes is written to its
 * region, and told to whoever asked for it (at most one); all others are silent.
 */
void la_track_lacks(enum la_lack lack, int error);
void la_track_on_lack(void (*tell)(enum la_lack lack, int error));

enum la_here {
	LA_HERE_SELF, /* this process, tracking */
	LA_HERE_VFORK_CHILD, /* runs in our memory, but its descriptors are its own: pass straight through */
	LA_HERE_APART, /* this thread has left the process's descriptor table: pass straight through */
	LA_HERE_PASSIVE, /* under seccomp, or finished: no system call of ours */
};
/* Costs a getpid; ask only when a tracked descriptor is about to change. A fork that no handler saw is noticed here. */
enum la_here la_track_here(void);
/* The same question where the process is about to end: nothing is noticed, nothing is changed. Costs a getpid. */
bool la_track_is_self(void);
/* From now on not one system call of ours (seccomp). Never ends. */
void la_track_become_passive(void);
bool la_track_is_passive(void);
/*
 * Is a fork of ours under way? The kernel copies the memory of a process page by page while other threads go on: what a child must find whole has
 * been written before this was seen false.
 */
bool la_track_is_forking(void);

/*
 * Around a fork; they know what the fork handlers cannot: whether there is a child at all, and its pid, should it die before its first
 * instruction. The handler of a signal may fork too, in the middle of it: what `before` returned is given to `after`.
 */
uint32_t la_track_before_fork(void);
/* `pid` as fork returned it. */
void la_track_after_fork(int pid, uint32_t outer);

/* The region, NULL until the first connection. */
extern struct la_region *_Atomic la_track_region;
/* This process's bit in a holder mask. */
uint64_t la_track_my_bit(void);
#define LA_HOLDER_UNKNOWN (1ull << 63)

/* Descriptors that an exec of a child may inherit are shared from now on (posix_spawn, system, popen, vfork). */
void la_track_share_inheritable(void);
/* All descriptors: a process is being made that gets a copy of every one, and nobody counts it (_Fork, raw clone). */
void la_track_share_all(void);

/* This thread, one of several, has a descriptor table of its own from now on, with a copy of every number. */
void la_track_leave(void);

/* ---- a process that takes over our drains (heir.c) ----------------------------------------------------------------- */

/* Its entry in the region, before it is made; -1 when there is none. */
int la_track_heir(void);
/* It will hold this connection, too. Before it is made. */
void la_track_bequeath(int heir, uint32_t index);
/* It has been made, or not (-1): then what was bequeathed is only ours again. */
void la_track_heir_made(int heir, int pid);
/* It holds it now, and we do no more. */
void la_track_bequeathed(uint32_t index);
/* In the heir: false where its pid means nothing to the family. */
bool la_track_become_heir(int heir);
/* In the heir: it holds this connection; and it has let go of all that it came with but these. */
void la_track_inherited(uint32_t index);
void la_track_heir_detached(void);
bool la_track_is_heir_detached(int heir);

/* ---- connections (connections.c) ----------------------------------------------------------------------------------- */

/* A new TCP socket without connection. */
void la_track_socket(int fd, uint32_t slot_flags);
/* `fd` listens. */
void la_track_listening(int fd);
/* `fd` came from accept on `listener`. */
void la_track_accepted(int listener, int fd);
/* connect(2) on `fd` succeeded, or is under way. */
void la_track_connected(int fd, bool in_progress);
/* connect(AF_UNSPEC), or a connect that failed: the socket is without connection again. */
void la_track_disconnected(int fd);
/* The kernel says that this number's connection is over (or never came to be). */
bool la_track_is_dead(int fd);
/* `to` now is what `from` was at `slot` (dup family). What `to` was before must have been released. */
void la_track_duplicated(uint64_t slot, int to);
/* `fd` came from another process by SCM_RIGHTS: tracked when it is a connection, and shared. */
void la_track_received(int fd);
/* SO_LINGER was set. */
void la_track_linger(int fd, bool on, int seconds);
/* It was taken back by the policy: this connection's close sends a FIN. */
void la_track_linger_refused(struct la_connection_record *record, uint32_t generation);
/*
 * +1 before, -1 after a call that may make another holder of this connection: its release is not `last` meanwhile. A thread that
 * leaves the call by a jump or a cancellation leaves this one connection so for good, and no other. A fork's child begins with 0.
 */
void la_track_giving(uint64_t slot, int change);
/* An inherited connection that nobody else holds, as has been proved: from now on it has a record. */
bool la_track_adopt(int fd);
/* Someone that we do not follow may hold it from now on (SCM_RIGHTS), whether it has a connection already or will get one. */
void la_track_share(int fd);

/* ---- what the application did and was told (told.c) ---------------------------------------------------------------- */

/* shutdown(fd, how) succeeded. */
void la_track_half_closed(int fd, int how);
/* A read of more than 0 bytes on `fd`, which was `slot` before the call, returned 0. */
void la_track_read_end(int fd, uint64_t slot);
/* It failed with `error`. */
void la_track_read_failed(int fd, uint64_t slot, int error);

/* What a close found. */
struct la_release {
	uint64_t slot; /* 0: the number was not tracked */
	uint32_t index, generation;
	bool tracked;   /* a connection (or listener) was there */
	bool last_here; /* no other number of this process holds it */
	bool last;      /* nobody in the family holds it, and no unknown holder is possible */
};
/*
 * Retire the slot of a number that is about to be closed. Before the real close: afterwards another thread may own the
 * number. Never undone. When `last`, the caller must end with la_track_closed() or la_track_draining().
 */
struct la_release la_track_release(int fd);
/* The last close is about to happen by the kernel's own rules: will it be FIN or RST? Looks at `fd`, still open. */
void la_track_closed(const struct la_release *release, int fd);
/*
 * lastack is about to end the connection of `slot`, or not after all: LA_SLOT_ENFORCED on every number of this process that holds it, of which
 * `fd` is one. A copy that another thread makes meanwhile has it when LA_SEEN_ENFORCED was folded before the last call. For the helper too.
 */
void la_track_enforced(int fd, uint64_t slot, bool on);
/* A drain has taken over; la_track_drained() ends it. */
void la_track_draining(const struct la_release *release);
void la_track_drained(uint32_t index, uint32_t generation, enum la_ending ending, uint64_t bytes);

/* The record of a slot, when it is still the one; NULL else. */
struct la_connection_record *la_track_record(uint64_t slot, uint32_t *generation);
/* Its cookie, as long as it is the one; 0 else. */
uint64_t la_track_cookie(uint64_t slot);
/*
 * Is `fd` what the slot said? Another connection may have the number by now, closed and opened by another thread or out of our sight. What
 * was asked of `fd` since the slot was read was then asked of that other one.
 */
bool la_track_is_still(int fd, uint64_t slot);
/* Does no other number and no other process hold the connection of this slot? (Asked before the close.) */
bool la_track_is_sole(uint64_t slot);
/* The same, but other numbers of this process may hold it: what a bound may end. */
bool la_track_is_ours(uint64_t slot);

/* ---- rows (rows.c) ------------------------------------------------------------------------------------------------- */

/* This thread saw it, now. The first time counts. */
void la_track_saw(uint64_t slot, enum la_seen seen);
/* For the helper, which has no thread table: straight into the folded row. */
void la_track_fold(
	struct la_connection_record *record, uint32_t generation, enum la_seen seen, uint64_t us);
/* What all rows together say; as enum la_fact. `since_us` (may be NULL) gets the instants, LA_SEEN_COUNT of them, 0: not seen. */
uint32_t la_track_facts(uint32_t index, uint64_t *since_us);

void la_track_count(enum la_counter counter);

/* A rule of the policy was carried out, or not. Any thread, and the helper. */
void la_track_rule_acted(const struct la_rule *rule, enum la_action action, enum la_acted result);

/* A table for a thread that is not glibc's: returns it claimed in the name of `tid`, or NULL. Its counters are the caller's. */
struct la_thread_table *la_track_claim_table(uint32_t tid);
void la_track_release_table(struct la_thread_table *table);
static inline void la_track_count_in(struct la_thread_table *table, enum la_counter counter)
{
	if (table)
		atomic_fetch_add_explicit(&table->counters[counter], 1, memory_order_relaxed);
}

/* ---- call stacks (stacks.c) ---------------------------------------------------------------------------------------- */

/* Id + 1 of the caller's stack in the region, 0 for none. Needs about 5 KiB of stack. */
uint32_t la_stack_here(void);

#endif
