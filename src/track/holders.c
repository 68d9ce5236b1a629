/* SPDX-License-Identifier: MIT */
/*
 * Who holds a connection: processes of the family, by a bit each; calls under way that may make another; somebody unknown.
 */
#include <lastack/kernel.h>

#include "internal.h"

/* Calls under way that may make another holder, by connection index: 16 bits of its generation, 16 bits of their number. */
static _Atomic uint32_t giving[LA_REGION_CONNECTIONS];

bool la_holders_drop(struct la_region *region, struct la_connection_record *record, uint64_t bits)
{
	uint64_t word = atomic_load(&record->word);

	/* The unknown one is many: none of them speaks for the others. */
	bits &= ~LA_HOLDER_UNKNOWN;
	if (atomic_fetch_and(&record->holders, ~bits) & ~bits & ~LA_HOLDER_UNKNOWN)
		return false;
	/* A drain ends with its process. */
	if (LA_WORD_PHASE(word) == LA_PHASE_OPEN || LA_WORD_PHASE(word) == LA_PHASE_DRAINING) {
		la_track_fold(record, LA_WORD_GEN(word), LA_SEEN_CLOSE, la_now_us());
		if (la_record_change(record, LA_WORD_GEN(word), LA_PHASE_CLOSED, 0))
			atomic_fetch_sub(&region->header->connections_open, 1);
	}
	return true;
}

void la_track_giving(uint64_t slot, int change)
{
	_Atomic uint32_t *calls = &giving[LA_SLOT_INDEX(slot)];
	uint32_t old = atomic_load(calls), tag = LA_SLOT_TAG(slot), count;

	if (!la_track_record(slot, NULL))
		return;
	do {
		count = old >> 16 == tag ? old & 0xffff
					 : 0; /* another generation's calls are over */
		/* Never below 0: in the child of a fork out of such a call (a signal handler's), the beginning is forgotten. */
		if (count == 0 && change < 0)
			return;
	} while (!atomic_compare_exchange_weak(
		calls, &old, tag << 16 | ((count + (uint32_t)change) & 0xffff)));
}

void la_giving_forget(void)
{
	int fd = -1;

	while ((fd = la_slot_next(fd + 1, 0x3fffffff)) >= 0)
		if (LA_SLOT_TRACKED(la_slot_load(fd)))
			atomic_store(&giving[LA_SLOT_INDEX(la_slot_load(fd))], 0);
}

bool la_is_being_given(uint64_t slot)
{
	uint32_t calls = atomic_load(&giving[LA_SLOT_INDEX(slot)]);

	return calls >> 16 == LA_SLOT_TAG(slot) && (calls & 0xffff);
}

void la_track_share(int fd)
{
	uint64_t slot = la_slot_load(fd);
	struct la_connection_record *record = la_track_record(slot, NULL);

	if (record)
		la_holders_add(record, LA_HOLDER_UNKNOWN);
	else if (LA_SLOT_FLAGS(slot) & LA_SLOT_TCP)
		la_slot_change_flags(fd, slot, LA_SLOT_SHARED, 0);
}

uint64_t la_holders_living(struct la_region *region, struct la_connection_record *record)
{
	uint64_t others = atomic_load(&record->holders) & ~la_track_my_bit() & ~LA_HOLDER_UNKNOWN;

	while (others) {
		uint32_t i = (uint32_t)__builtin_ctzll(others);
		uint32_t pid = atomic_load(&region->processes[i].pid);

		others &= others - 1;
		if (pid == 0 || la_process_is_gone(pid))
			la_holders_drop(region, record, 1ull << i);
	}
	return atomic_load(&record->holders);
}

bool la_track_is_ours(uint64_t slot)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = la_track_record(slot, NULL);

	return record && !atomic_load_explicit(&la_forking, memory_order_seq_cst) &&
	       !la_is_being_given(slot) && la_track_my_bit() != LA_HOLDER_UNKNOWN &&
	       la_holders_living(region, record) == la_track_my_bit();
}

bool la_track_is_sole(uint64_t slot)
{
	return la_track_is_ours(slot) && atomic_load(&la_local_refs[LA_SLOT_INDEX(slot)]) == 1;
}
