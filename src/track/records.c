/* SPDX-License-Identifier: MIT */
/*
 * Records of connections: found by a slot, taken for a new connection, moved from phase to phase.
 *
 * They are taken in turn, so that a closed one stays to be seen for as long as there is room: the kernel may still be ending the
 * connection (FIN-WAIT, TIME-WAIT), and the command finds it by its cookie.
 */
#include "internal.h"

enum {
	GROW = 256,   /* records made ready at a time */
	ROOMY = 4096, /* closed records are kept at least until there are so many */
	SEARCHED =
		256, /* in a region that is full as far as is counted: an accept must not look through all of it */
};

static _Atomic uint32_t hand; /* where the next free record is looked for */

struct la_connection_record *la_track_record(uint64_t slot, uint32_t *generation)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record;
	uint64_t word;

	if (!region || !LA_SLOT_TRACKED(slot) || LA_SLOT_INDEX(slot) >= LA_REGION_CONNECTIONS)
		return NULL;
	record = &region->connections[LA_SLOT_INDEX(slot)];
	word = atomic_load_explicit(&record->word, memory_order_acquire);
	if ((uint16_t)LA_WORD_GEN(word) != LA_SLOT_TAG(slot) ||
		LA_WORD_PHASE(word) != LA_PHASE_OPEN)
		return NULL;
	if (generation)
		*generation = LA_WORD_GEN(word);
	return record;
}

uint64_t la_track_cookie(uint64_t slot)
{
	struct la_connection_record *record = la_track_record(slot, NULL);
	/* Pairs with the release in open_record(): with a later connection's cookie comes its generation. */
	uint64_t cookie = record ? atomic_load_explicit(&record->cookie, memory_order_acquire) : 0;

	return la_track_record(slot, NULL) ? cookie : 0;
}

bool la_record_change(
	struct la_connection_record *record, uint32_t generation, enum la_phase phase, uint32_t set)
{
	uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);

	while (LA_WORD_GEN(word) == generation && LA_WORD_PHASE(word) != phase)
		if (atomic_compare_exchange_weak_explicit(&record->word, &word,
			    LA_WORD_MAKE(generation, phase, LA_WORD_FLAGS(word) | set),
			    memory_order_acq_rel, memory_order_acquire))
			return true;
	return false;
}

static void grow(struct la_region *region, uint32_t high)
{
	uint32_t room = region->header->sections[LA_REGION_S_CONNECTIONS].count;
	uint32_t more = room - high < GROW ? room - high : GROW;

	if (more == 0 || la_region_populate(&region->connections[high],
				 more * sizeof(struct la_connection_record)) != 0)
		return;
	atomic_compare_exchange_strong(&region->header->connections_high, &high, high + more);
}

int64_t la_record_take(struct la_region *region)
{
	uint32_t high =
		atomic_load_explicit(&region->header->connections_high, memory_order_acquire);
	uint32_t open =
		atomic_load_explicit(&region->header->connections_open, memory_order_relaxed);
	uint32_t room = region->header->sections[LA_REGION_S_CONNECTIONS].count, most, tried;

	if (open * 2 >= high)
		grow(region, high);
	for (;;) {
		high = atomic_load_explicit(
			&region->header->connections_high, memory_order_acquire);
		most = open < room || high < SEARCHED ? high : SEARCHED;
		for (tried = 0; tried < most; tried++) {
			uint32_t at =
				atomic_fetch_add_explicit(&hand, 1, memory_order_relaxed) % high;
			struct la_connection_record *record = &region->connections[at];
			uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
			enum la_phase phase = LA_WORD_PHASE(word);

			if (phase != LA_PHASE_FREE && phase != LA_PHASE_CLOSED)
				continue;
			/* Still worth showing, and there is room: rather a new one. */
			if (phase == LA_PHASE_CLOSED && high < ROOMY)
				break;
			if (atomic_compare_exchange_strong_explicit(&record->word, &word,
				    LA_WORD_MAKE(LA_WORD_GEN(word) + 1, LA_PHASE_OPENING, 0),
				    memory_order_acq_rel, memory_order_acquire))
				return at;
		}
		grow(region, high);
		if (atomic_load_explicit(&region->header->connections_high, memory_order_acquire) ==
			high)
			return -1;
		atomic_store_explicit(&hand, high, memory_order_relaxed);
	}
}
