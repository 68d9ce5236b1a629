/* SPDX-License-Identifier: MIT */
/*
 * What each thread saw: a row of the connection's record when this thread opened it, else a row of the thread's own table.
 *
 * A row belongs to one thread. That thread may be interrupted by its own signal handlers at any instruction, and a reader may
 * look at any instruction; so a way is claimed by compare-and-swap and its key is written last. When a way must be given
 * to another connection, its key is marked, so that nothing is added any more, its instants are folded into the record, then
 * the key goes: whoever reads the rows first and the record afterwards (la_track_facts(), the command) misses nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include <lastack/kernel.h>
#include <lastack/sys.h>

#include "internal.h"

#define KEY_BUSY (~0ull) /* a way between two connections: marked too */

static __thread uint32_t my_table; /* number + 1; 0: none yet */
static __thread uint32_t my_tid;
static pthread_key_t ending_key;
static bool have_key;

static void thread_ends(void *value)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint32_t ended = my_table;

	(void)value;
	/* Before the next thread may have it: a signal handler of this one must not write there any more. */
	my_table = 0;
	my_tid = 0;
	atomic_signal_fence(memory_order_seq_cst);
	/* The rows stay valid where they are; the next thread that needs room for one folds it first. */
	if (region && ended)
		la_track_release_table(&region->threads[ended - 1]);
}

void la_rows_start(void)
{
	/* First in the process: a key below 32, for which pthread_setspecific never allocates. */
	have_key = pthread_key_create(&ending_key, thread_ends) == 0;
}

void la_rows_forget_mine(void)
{
	my_table = 0;
	my_tid = 0;
}

uint32_t la_rows_tid(void)
{
	if (!my_tid)
		my_tid = (uint32_t)la_sys(SYS_gettid);
	return my_tid;
}

/*
 * The table of a thread of this process that ended and could not give it back: by a raw exit, or because it closed a socket after the
 * last round of its destructors. Asks the kernel about each thread, so only where the tables would be twice as many, or are all taken.
 */
static struct la_thread_table *inherit_table(struct la_region *region, uint32_t high, uint64_t mine)
{
	static _Atomic uint64_t full_us;
	uint64_t now = la_now_us(), last = atomic_load(&full_us);
	long pid = la_sys(SYS_getpid);
	uint32_t i;

	if (high < 64 || (high & (high - 1)) || la_track_my_bit() == LA_HOLDER_UNKNOWN)
		return NULL;
	if (high == LA_REGION_THREADS &&
		(now - last < 1000000 || !atomic_compare_exchange_strong(&full_us, &last, now)))
		return NULL;
	for (i = 0; i < high; i++) {
		uint64_t owner = atomic_load(&region->threads[i].owner);

		if (owner >> 32 == mine >> 32 &&
			la_sys(SYS_tgkill, pid, (uint32_t)owner, 0) == -ESRCH &&
			atomic_compare_exchange_strong(&region->threads[i].owner, &owner, mine))
			return &region->threads[i];
	}
	return NULL;
}

struct la_thread_table *la_track_claim_table(uint32_t tid)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint64_t mine, bit = la_track_my_bit();
	struct la_thread_table *table;
	uint32_t high, i;

	if (!region)
		return NULL;
	mine = (uint64_t)(__builtin_ctzll(bit) + 1) << 32 | tid;
	for (;;) {
		high = atomic_load_explicit(&region->header->threads_high, memory_order_acquire);
		for (i = 0; i < high; i++) {
			uint64_t nobody = 0;

			if (atomic_load_explicit(&region->threads[i].owner, memory_order_relaxed) ==
					0 &&
				atomic_compare_exchange_strong(
					&region->threads[i].owner, &nobody, mine))
				return &region->threads[i];
		}
		table = inherit_table(region, high, mine);
		if (table)
			return table;
		if (high >= LA_REGION_THREADS || la_region_populate(&region->threads[high],
							 sizeof(region->threads[high])) != 0)
			return NULL;
		atomic_compare_exchange_strong(&region->header->threads_high, &high, high + 1);
	}
}

void la_track_release_table(struct la_thread_table *table)
{
	atomic_store_explicit(&table->owner, 0, memory_order_release);
}

struct la_thread_table *la_rows_mine(uint32_t *number)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);

	if (!region)
		return NULL;
	if (!my_table) {
		struct la_thread_table *table = la_track_claim_table(la_rows_tid());
		int saved_errno;

		if (!table) {
			la_track_lacks(LA_LACK_TABLES, 0);
			return NULL;
		}
		if (my_table) { /* a signal handler on this thread was faster */
			la_track_release_table(table);
		} else {
			my_table = (uint32_t)(table - region->threads) + 1;
			saved_errno = errno;
			if (have_key)
				pthread_setspecific(ending_key, table);
			errno = saved_errno;
		}
	}
	if (number)
		*number = my_table;
	return &region->threads[my_table - 1];
}

void la_track_count(enum la_counter counter)
{
	la_track_count_in(la_rows_mine(NULL), counter);
}

void la_track_fold(
	struct la_connection_record *record, uint32_t generation, enum la_seen seen, uint64_t us)
{
	la_instant_join(&record->folded[seen], generation, us);
}

/* The record that a key names, if it still is that connection. */
static struct la_connection_record *record_of_key(struct la_region *region, uint64_t key)
{
	uint32_t index = (uint32_t)key - 1;

	if (key == 0 || key == KEY_BUSY ||
		index >= region->header->sections[LA_REGION_S_CONNECTIONS].count)
		return NULL;
	if (LA_WORD_GEN(atomic_load_explicit(&region->connections[index].word,
		    memory_order_acquire)) != (uint32_t)(key >> 32))
		return NULL;
	return &region->connections[index];
}

static struct la_thread_row *set_of(struct la_thread_table *table, uint64_t key)
{
	return &table->rows[((uint32_t)key * 2654435761u >> 16) %
			    (LA_REGION_ROWS / LA_REGION_ROW_WAYS) * LA_REGION_ROW_WAYS];
}

static struct la_thread_row *find_row(struct la_thread_table *table, uint64_t key)
{
	struct la_thread_row *set = set_of(table, key);
	int i;

	for (i = 0; i < LA_REGION_ROW_WAYS; i++)
		if (atomic_load_explicit(&set[i].key, memory_order_acquire) == key)
			return &set[i];
	return NULL;
}

static void fold_row(struct la_thread_row *row, struct la_connection_record *record, uint64_t key)
{
	int s;

	for (s = 0; s < LA_SEEN_COUNT; s++) {
		uint64_t at = atomic_load_explicit(&row->seen[s], memory_order_relaxed);

		if (LA_INSTANT_US(at) && LA_INSTANT_TAG(at) == la_row_tag(key))
			la_track_fold(
				record, (uint32_t)(key >> 32), (enum la_seen)s, LA_INSTANT_US(at));
	}
}

static struct la_thread_row *take_row(
	struct la_region *region, struct la_thread_table *table, uint64_t key)
{
	struct la_thread_row *set = set_of(table, key);
	int round, i, s;

	/* First a way whose connection has ended, then any. */
	for (round = 0; round < 2; round++) {
		for (i = 0; i < LA_REGION_ROW_WAYS; i++) {
			struct la_thread_row *row = &set[i];
			uint64_t old = atomic_load_explicit(&row->key, memory_order_acquire);
			struct la_connection_record *record = record_of_key(region, old);

			if ((old & LA_ROW_LEAVING) || (round == 0 && record))
				continue;
			/* Whatever our own signal handlers added is there by now; they add no more. */
			if (!atomic_compare_exchange_strong_explicit(&row->key, &old,
				    record ? old | LA_ROW_LEAVING : KEY_BUSY, memory_order_acq_rel,
				    memory_order_acquire))
				continue; /* one of them took it */
			if (record) {
				fold_row(row, record, old);
				/* Pairs with the acquire of a reader's key: it then finds the folded instants. */
				atomic_store_explicit(&row->key, KEY_BUSY, memory_order_release);
			}
			/* So does who finds the instants gone (join_row). */
			for (s = 0; s < LA_SEEN_COUNT; s++)
				atomic_store_explicit(&row->seen[s],
					LA_INSTANT_MAKE(la_row_tag(key), 0), memory_order_release);
			for (s = 0; s < 3; s++)
				atomic_store_explicit(&row->stack[s],
					LA_STACK_MAKE(la_row_tag(key), 0), memory_order_relaxed);
			atomic_store_explicit(&row->key, key, memory_order_release);
			return row;
		}
	}
	return NULL;
}

static int stack_place(enum la_seen seen)
{
	return seen == LA_SEEN_EOF        ? 0
	       : seen == LA_SEEN_SHUTDOWN ? 1
	       : seen == LA_SEEN_CLOSE    ? 2
					  : -1;
}

/* By the time it has been walked, the row may be another connection's. */
static void keep_stack(la_stack_word *at, uint16_t tag)
{
	uint32_t none = LA_STACK_MAKE(tag, 0);

	atomic_compare_exchange_strong_explicit(at, &none, LA_STACK_MAKE(tag, la_stack_here()),
		memory_order_relaxed, memory_order_relaxed);
}

void la_track_saw(uint64_t slot, enum la_seen seen)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint32_t generation, number = 0;
	struct la_connection_record *record = la_track_record(slot, &generation);
	struct la_thread_table *table;
	struct la_thread_row *mine = NULL;
	la_instant *row = NULL;
	la_stack_word *stacks = NULL;
	int place = stack_place(seen);
	uint16_t tag = 0;
	uint64_t at;

	if (!record)
		return;
	table = la_rows_mine(&number);
	if (table && atomic_load_explicit(&record->owner, memory_order_relaxed) == number) {
		row = record->own;
		stacks = record->stack;
		tag = (uint16_t)generation;
	} else if (table) {
		uint64_t key = (uint64_t)generation << 32 | (LA_SLOT_INDEX(slot) + 1);

		mine = find_row(table, key);
		if (!mine)
			mine = take_row(region, table, key);
		if (mine) {
			row = mine->seen;
			stacks = mine->stack;
			tag = la_row_tag(key);
		}
	}
	if (row) {
		at = atomic_load_explicit(&row[seen], memory_order_relaxed);
		/* The first time counts: an application that reads an EOF in a loop pays nothing more. */
		if (LA_INSTANT_TAG(at) == tag && LA_INSTANT_US(at))
			return;
		if (la_instant_join(&row[seen], tag, la_now_us())) {
			if (place >= 0)
				keep_stack(&stacks[place], tag);
			return;
		}
	}
	/* No row, or a signal handler of this thread gave it away: the shared row is slower and as true. */
	la_track_fold(record, generation, seen, la_now_us());
}

static void join_row(la_instant *row, uint16_t tag, uint64_t since[LA_SEEN_COUNT])
{
	int s;

	for (s = 0; s < LA_SEEN_COUNT; s++) {
		uint64_t at = atomic_load_explicit(&row[s], memory_order_acquire);
		uint64_t us = LA_INSTANT_US(at);

		if (us && LA_INSTANT_TAG(at) == tag && (!since[s] || us < since[s]))
			since[s] = us;
	}
}

uint64_t la_rows_half_closed_us(uint32_t index, uint32_t generation)
{
	static const enum la_seen begins[] = {LA_SEEN_EOF, LA_SEEN_PEER_FIN, LA_SEEN_SHUTDOWN};
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = &region->connections[index];
	struct la_thread_table *table = la_rows_mine(NULL);
	uint64_t key = (uint64_t)generation << 32 | (index + 1), since[LA_SEEN_COUNT] = {0};
	struct la_thread_row *mine = table ? find_row(table, key) : NULL;
	uint64_t first = 0;
	uint32_t i;

	join_row(record->own, (uint16_t)generation, since);
	join_row(record->folded, (uint16_t)generation, since);
	if (mine)
		join_row(mine->seen, la_row_tag(key), since);
	for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (since[begins[i]] && (!first || since[begins[i]] < first))
			first = since[begins[i]];
	return first;
}

uint32_t la_track_facts(uint32_t index, uint64_t *since_us)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = &region->connections[index];
	uint32_t generation =
		LA_WORD_GEN(atomic_load_explicit(&record->word, memory_order_acquire));
	uint64_t since[LA_SEEN_COUNT] = {0};
	uint32_t high = atomic_load_explicit(&region->header->threads_high, memory_order_acquire),
		 i;
	uint64_t key = (uint64_t)generation << 32 | (index + 1);
	uint32_t facts = 0, way;

	for (i = 0; i < high; i++) {
		struct la_thread_row *set = set_of(&region->threads[i], key);

		/* Two rows of one thread can be about it, when a signal handler took one while it was taking the other. */
		for (way = 0; way < LA_REGION_ROW_WAYS; way++)
			if ((atomic_load_explicit(&set[way].key, memory_order_acquire) &
				    ~LA_ROW_LEAVING) == key)
				join_row(set[way].seen, la_row_tag(key), since);
	}
	join_row(record->own, (uint16_t)generation, since);
	join_row(record->folded, (uint16_t)generation, since);
	if (since[LA_SEEN_EOF] || since[LA_SEEN_PEER_FIN])
		facts |= LA_FACT_FIN_RECEIVED;
	if (since[LA_SEEN_SHUTDOWN] || since[LA_SEEN_CLOSE] || since[LA_SEEN_ENFORCED])
		facts |= LA_FACT_FIN_SENT;
	if (since[LA_SEEN_RESET])
		facts |= LA_FACT_RESET;
	if (since[LA_SEEN_OURS_FIRST])
		facts |= LA_FACT_FIN_SENT | LA_FACT_OURS_FIRST;
	if (since[LA_SEEN_FIN_ACKED])
		facts |= LA_FACT_FIN_SENT | LA_FACT_FIN_ACKED;
	for (i = 0; since_us && i < LA_SEEN_COUNT; i++)
		since_us[i] = since[i];
	return facts;
}
