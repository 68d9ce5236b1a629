/* SPDX-License-Identifier: MIT */
/*
 * SIGPIPE never comes from what we do (facts/linux-close.md section 6, 17): by default it ends the server.
 *
 * After a FIN or an RST of ours each write on the connection fails with EPIPE, and the kernel sends SIGPIPE with it; after an RST the first
 * fails with ECONNRESET instead, without the signal. So:
 *  - At the look before the one that ends it, the connection is marked, on all its numbers (LA_SLOT_ENFORCED): from then on the hooks of
 *    whatever writes (src/shim/write.c) ask the kernel for no signal. A write that had looked at its slot before has been in the kernel for
 *    one look, 50 ms at least.
 *  - Who has been blocked there since then would be woken by our FIN with EPIPE and the signal. So no FIN is sent while the send buffer is
 *    full: it could not pass the output that waits either. A reset is: the writer that it wakes gets ECONNRESET.
 *  - The signal is held only where the end was ours: not when the peer has reset the connection, or the application had shut down its
 *    side before us.
 *
 * What is left: a thread that is stopped between its look at the slot and its system call for longer than a look; the second of two
 * threads that are blocked in writing to one connection when it is reset, if neither has written a byte; what writes without a hook: the C
 * library's streams where their buffer overflows, dprintf(), an inline system call; and another program, or a process that follows
 * nothing, to which the application hands a connection that has ended.
 */
#include "internal.h"

/* That which is being ended at the moment: until the fact is folded, a write may already fail by it. */
static _Atomic uint64_t ending;

static uint64_t key_of(uint64_t slot)
{
	return slot & ~(0xffffull << 32);
}

void la_sigpipe_begin(int fd, uint64_t slot, bool marked)
{
	/* Again: a copy that was being made at the first time. */
	if (marked)
		la_track_enforced(fd, slot, true);
	atomic_store(&ending, key_of(slot));
}

void la_sigpipe_end(int fd, uint64_t slot, bool marked, bool ended)
{
	atomic_store(&ending, 0);
	if (marked)
		la_track_enforced(fd, slot, ended);
}

bool la_enforce_has_ended(uint64_t slot)
{
	uint64_t since[LA_SEEN_COUNT] = {0};

	/* First: it is over when the fact is there. */
	if (atomic_load(&ending) == key_of(slot) || !la_track_record(slot, NULL))
		return true;
	la_track_facts(LA_SLOT_INDEX(slot), since);
	return since[LA_SEEN_ENFORCED] &&
	       (!since[LA_SEEN_SHUTDOWN] || since[LA_SEEN_ENFORCED] <= since[LA_SEEN_SHUTDOWN]);
}
