/* SPDX-License-Identifier: MIT */
/*
 * How a connection ends for us: a number is released, and when it was the last, the connection is closed or drains.
 */
#include <netinet/tcp.h>

#include <lastack/kernel.h>

#include "internal.h"

struct la_release la_track_release(int fd)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_release release = {.slot = la_slot_exchange(fd, 0)};
	uint64_t mine = la_track_my_bit() & ~LA_HOLDER_UNKNOWN, others;
	struct la_connection_record *record;
	bool given;

	if (!LA_SLOT_TRACKED(release.slot))
		return release;
	record = la_track_record(release.slot, &release.generation);
	if (!record)
		return release;
	release.tracked = true;
	release.index = LA_SLOT_INDEX(release.slot);
	if (atomic_fetch_sub(&la_local_refs[release.index], 1) != 1)
		return release;
	release.last_here = true;
	/* Before the holders: a call that ends in between has added its own. */
	given = la_is_being_given(release.slot);
	la_holders_living(region, record);
	atomic_store_explicit(&record->fd, -1, memory_order_relaxed);
	/* Once our bit is off, another process may end the record at any time: it is ours no more, unless ours was the last. */
	others = atomic_fetch_and(&record->holders, ~mine) & ~mine;
	release.last = others == 0 && mine &&
		       !atomic_load_explicit(&la_forking, memory_order_seq_cst) && !given;
	if (!release.last && (others & ~LA_HOLDER_UNKNOWN) == 0) {
		/* As far as we know it is closed; an unknown holder shows in the kernel (inode). */
		la_track_saw(release.slot, LA_SEEN_CLOSE);
		if (la_record_change(record, release.generation, LA_PHASE_CLOSED, 0))
			atomic_fetch_sub(&region->header->connections_open, 1);
	}
	return release;
}

/* Before the close itself is written down. */
static void count_half_closed(const struct la_release *release)
{
	static const uint64_t bounds[LA_HALF_CLOSED_BUCKETS] = LA_HALF_CLOSED_BOUNDS_US;
	uint64_t since = la_rows_half_closed_us(release->index, release->generation), for_us;
	struct la_thread_table *table = la_rows_mine(NULL);
	uint32_t b = 0;

	if (!since || !table)
		return;
	for_us = la_now_us() - since;
	while (for_us > bounds[b])
		b++;
	atomic_fetch_add_explicit(&table->half_closed[b], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&table->half_closed_us, for_us, memory_order_relaxed);
}

void la_track_closed(const struct la_release *release, int fd)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = &region->connections[release->index];
	uint32_t flags = 0;
	uint64_t cookie = 0;
	bool reset;

	if (record->role != LA_ROLE_LISTENER) {
		count_half_closed(release);
		/* One that the peer has reset already sends nothing. The number may be something else's by now, after an unseen close. */
		if (la_kernel_unread(fd) > 0 && la_kernel_state(fd) != TCP_CLOSE &&
			la_kernel_cookie(fd, &cookie) == 0 &&
			cookie == atomic_load_explicit(&record->cookie, memory_order_relaxed))
			flags |= LA_CONNECTION_UNREAD_AT_CLOSE;
		reset = flags ||
			(LA_WORD_FLAGS(atomic_load(&record->word)) & LA_CONNECTION_LINGER_RESET);
		la_track_saw(release->slot, LA_SEEN_CLOSE);
		la_track_count(reset ? LA_COUNT_CLOSED_RESET : LA_COUNT_CLOSED_FIN);
	}
	if (la_record_change(record, release->generation, LA_PHASE_CLOSED, flags))
		atomic_fetch_sub_explicit(
			&region->header->connections_open, 1, memory_order_relaxed);
}

void la_track_enforced(int fd, uint64_t slot, bool on)
{
	uint32_t set = on ? LA_SLOT_ENFORCED : 0, clear = on ? 0 : LA_SLOT_ENFORCED;

	la_slot_change_flags(fd, slot, set, clear);
	if (atomic_load(&la_local_refs[LA_SLOT_INDEX(slot)]) < 2)
		return;
	fd = -1;
	while ((fd = la_slot_next(fd + 1, 0x3fffffff)) >= 0)
		la_slot_change_flags(fd, slot, set, clear);
}

void la_track_draining(const struct la_release *release)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = &region->connections[release->index];

	count_half_closed(release);
	la_track_saw(release->slot, LA_SEEN_CLOSE);
	la_track_fold(record, release->generation, LA_SEEN_ENFORCED, la_now_us());
	la_track_count(LA_COUNT_CLOSED_GRACEFUL);
	/* An exit leaves the number as it is; nobody will ask for it. */
	atomic_store_explicit(&record->fd, -1, memory_order_relaxed);
	/* The drain is ours: it ends with us, and then somebody must see that. */
	la_holders_add(record, la_track_my_bit());
	la_record_change(record, release->generation, LA_PHASE_DRAINING, 0);
}

void la_track_drained(uint32_t index, uint32_t generation, enum la_ending ending, uint64_t bytes)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = &region->connections[index];

	if (LA_WORD_GEN(atomic_load(&record->word)) != generation)
		return;
	atomic_store(&record->ending, (uint8_t)ending);
	atomic_store(&record->drained_bytes, bytes);
	if (ending == LA_ENDING_RESET)
		la_track_fold(record, generation, LA_SEEN_RESET, la_now_us());
	if (ending == LA_ENDING_EOF)
		la_track_fold(record, generation, LA_SEEN_PEER_FIN, la_now_us());
	atomic_fetch_and(&record->holders, ~la_track_my_bit());
	if (la_record_change(record, generation, LA_PHASE_CLOSED, 0))
		atomic_fetch_sub(&region->header->connections_open, 1);
}
