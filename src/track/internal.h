/* SPDX-License-Identifier: MIT */
/*
 * Shared inside the room only.
 */
#ifndef LASTACK_TRACK_INTERNAL_H
#define LASTACK_TRACK_INTERNAL_H

#include <lastack/track.h>

/* Numbers of this process that hold a connection, by connection index. Private memory: fork copies it, as the kernel does. */
extern _Atomic uint32_t la_local_refs[LA_REGION_CONNECTIONS];

extern struct la_track_settings la_settings;

/* A fork is under way in some thread: what is opened now may or may not be in the child. */
extern _Atomic uint32_t la_forking;

/* ---- records.c */

/* Index of a record in phase OPENING with a new generation, or -1. */
int64_t la_record_take(struct la_region *region);
/* Move to `phase` and set flags, if it still is this connection and is not there yet. */
bool la_record_change(struct la_connection_record *record, uint32_t generation, enum la_phase phase,
	uint32_t set);

/* ---- slots.c */

/* Is there memory to know this number by? Makes it. */
bool la_slot_ready(int fd);

/* ---- lacks.c */

/* A region has been made: it is told what was lacking before there was one. */
void la_lacks_note(struct la_region *region);

/* ---- holders.c */

/* Is a call under way that may make another holder of this connection? (la_track_giving()) */
bool la_is_being_given(uint64_t slot);
/* In the child of a fork: calls under way in the parent's other threads are not ours. */
void la_giving_forget(void);
/* Holders that died without a close: their bits come off, so that one crashed child does not make a connection shared. Returns the others. */
uint64_t la_holders_living(struct la_region *region, struct la_connection_record *record);

/* ---- left.c */

/* Marks every connection of this process that is the application's to end; true when there is any. */
bool la_left_mark(void);

/* ---- rules.c */

/* Room for what the rules of this policy will have done: made with the region, so that it does not grow later. */
void la_rules_expect(struct la_region *region, const struct la_policy *policy);

/* ---- processes.c */

enum {
	NO_PROCESS = 63, /* no entry: our bit is the unknown one, so nothing is ever ours alone */
	PID_FORKING = 0x7fffffff /* an entry made before the fork; the child puts its pid there */
};
/* An entry of the region, or NO_PROCESS. */
uint32_t la_process_claim(struct la_region *region, uint32_t pid);
/* A process that is gone holds nothing: its bit comes off every connection before the entry serves another. */
void la_process_bury(struct la_region *region, uint32_t index);
/* The pid of entry `index` is its own now: whoever had it before has died. */
void la_process_bury_namesakes(struct la_region *region, uint32_t index, uint32_t pid);
/* Are we in a PID namespace that our parent made? Our pid means nothing to it. */
bool la_process_is_foreign(void);
/* From now on nobody is known to be gone. */
void la_processes_are_foreign(void);
bool la_processes_are_known(void);
/* Field 22 of /proc/self/stat, 0: not known. */
uint64_t la_process_start_ticks(void);
/* Of a process record's pid, not 0: nobody has it any more. */
bool la_process_is_gone(uint32_t pid);

/* ---- family.c, rows.c */

/* In a new process: this entry is its own. */
void la_process_become(uint32_t process);

/* The region, made now if there is none yet. NULL: no tracking (yet). */
struct la_region *la_region_now(void);

/* This thread's table, claimed at first use; NULL when there is none to be had. */
struct la_thread_table *la_rows_mine(uint32_t *number);
uint32_t la_rows_tid(void);
/* In the child of a fork: the table of this thread belongs to the parent. */
void la_rows_forget_mine(void);
void la_rows_start(void);
/*
 * When a FIN of either side was first seen, by its owner, by this thread or by the helper; 0: not yet. What another thread alone has seen
 * would cost a look at every thread's table.
 */
uint64_t la_rows_half_closed_us(uint32_t index, uint32_t generation);

static inline bool la_instant_join(la_instant *instant, uint32_t generation, uint64_t us)
{
	uint64_t old = atomic_load_explicit(instant, memory_order_relaxed);

	for (;;) {
		if (LA_INSTANT_TAG(old) != (uint16_t)generation)
			return false;
		if (LA_INSTANT_US(old) && LA_INSTANT_US(old) <= us)
			return false;
		if (atomic_compare_exchange_weak_explicit(instant, &old,
			    LA_INSTANT_MAKE(generation, us), memory_order_release,
			    memory_order_relaxed))
			return true;
	}
}

static inline void la_holders_add(struct la_connection_record *record, uint64_t bits)
{
	atomic_fetch_or_explicit(&record->holders, bits, memory_order_seq_cst);
}

/*
 * `bits` hold it no more; the unknown holder's bit stays. True when nobody whom we know does: then it is closed, as far as we can tell. For the
 * helper too.
 */
bool la_holders_drop(struct la_region *region, struct la_connection_record *record, uint64_t bits);

#endif
