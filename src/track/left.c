/* SPDX-License-Identifier: MIT */
/*
 * What a process leaves to the kernel when it ends, marked in the region for whoever reads it afterwards (run --leak-check).
 *
 * The kernel is asked once for each number that is still open: a FIN that nobody has read is in no row. The marks, and the entry of a
 * process that has made one, stay.
 */
#include <netinet/tcp.h>

#include <lastack/kernel.h>
#include <lastack/sys.h>

#include "internal.h"

/* A FIN that came later than this before the end: nobody could be expected to have done anything about it. */
enum { LATE_MS = 100 };

static void mark(struct la_connection_record *record, uint32_t generation, int fd)
{
	uint64_t word = atomic_load(&record->word);

	while (LA_WORD_GEN(word) == generation &&
		!atomic_compare_exchange_weak(&record->word, &word, word | LA_CONNECTION_LEFT))
		;
	if (LA_WORD_GEN(word) != generation)
		return;
	/* Another process of the family may have closed its own number, which stood here. */
	atomic_store(&record->fd, fd);
	atomic_store(&record->pid, (uint32_t)la_sys(SYS_getpid));
}

static bool stood_in_close_wait(
	int fd, struct la_connection_record *record, uint32_t generation, uint64_t now_us)
{
	struct la_tcp tcp;
	uint64_t ago_us;

	if (la_kernel_tcp(fd, &tcp) < 0 || tcp.state != TCP_CLOSE_WAIT)
		return false;
	ago_us = (uint64_t)tcp.last_ack_received_ms * 1000; /* the FIN carried an ACK */
	if (tcp.last_ack_received_ms < LATE_MS)
		return false;
	la_track_fold(record, generation, LA_SEEN_PEER_FIN, ago_us < now_us ? now_us - ago_us : 1);
	return true;
}

/* Nothing is left of it but the descriptor: CLOSED, or TIME-WAIT, which a descriptor cannot tell from it. */
static bool is_dead(
	struct la_connection_record *record, uint32_t index, uint32_t generation, uint64_t now_us)
{
	if (LA_WORD_FLAGS(atomic_load(&record->word)) & LA_CONNECTION_CONNECTING)
		return false;
	if (la_track_facts(index, NULL) & LA_FACT_FIN_SENT) {
		la_track_fold(record, generation, LA_SEEN_PEER_FIN, now_us);
		la_track_fold(record, generation, LA_SEEN_FIN_ACKED, now_us);
	} else {
		la_track_fold(record, generation, LA_SEEN_RESET, now_us);
	}
	return true;
}

bool la_left_mark(void)
{
	uint64_t now_us = la_now_us(), told[LA_SEEN_COUNT];
	bool any = false;
	int fd = -1;

	while ((fd = la_slot_next(fd + 1, 0x3fffffff)) >= 0) {
		uint64_t slot = la_slot_load(fd);
		uint32_t generation, index = LA_SLOT_INDEX(slot);
		struct la_connection_record *record =
			LA_SLOT_TRACKED(slot) ? la_track_record(slot, &generation) : NULL;
		int state = record ? la_kernel_state(fd) : -1;
		bool is_left = false;

		if (!record || record->role == LA_ROLE_LISTENER || !la_track_is_still(fd, slot))
			continue;
		if (state == TCP_CLOSE_WAIT) {
			la_track_facts(index, told);
			is_left = stood_in_close_wait(fd, record, generation, now_us) ||
				  told[LA_SEEN_EOF]; /* who was told knows */
		} else if (state == TCP_CLOSE) {
			is_left = is_dead(record, index, generation, now_us);
		}
		if (is_left)
			mark(record, generation, fd);
		any |= is_left;
	}
	return any;
}
