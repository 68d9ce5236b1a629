/* SPDX-License-Identifier: MIT */
/*
 * What the application did and was told: it shut down its side, it read the end of the stream, it got an error. Which FIN came
 * first, and whether there is one at all, the kernel says.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <lastack/kernel.h>

#include "internal.h"

bool la_track_is_still(int fd, uint64_t slot)
{
	uint64_t known = la_track_cookie(slot), found = 0;

	return known && la_kernel_cookie(fd, &found) == 0 && found == known;
}

void la_track_half_closed(int fd, int how)
{
	uint64_t slot = la_slot_load(fd);
	int state = LA_SLOT_TRACKED(slot) && how != SHUT_RD ? la_kernel_state(fd) : -EBADF;

	if (state < 0 || !la_track_is_still(fd, slot))
		return;
	la_track_saw(slot, LA_SEEN_SHUTDOWN);
	switch (state) {
	case TCP_FIN_WAIT2:
		la_track_saw(slot, LA_SEEN_FIN_ACKED);
		/* fall through */
	case TCP_FIN_WAIT1:
	case TCP_CLOSING: la_track_saw(slot, LA_SEEN_OURS_FIRST); break;
	case TCP_LAST_ACK: la_track_saw(slot, LA_SEEN_PEER_FIN); break;
	default: break; /* CLOSE is TIME-WAIT too: not told apart here */
	}
}

void la_track_read_end(int fd, uint64_t slot)
{
	int state = la_kernel_state(fd);
	bool fin_is_here = state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK || state == TCP_CLOSING;

	/*
	 * CLOSE and TIME-WAIT: our FIN came first, or a reset in CLOSE-WAIT: told is told. Else shutdown(SHUT_RD), no FIN at all; or no TCP
	 * socket any more.
	 */
	if (!fin_is_here && state != TCP_CLOSE && state != TCP_TIME_WAIT)
		return;
	if (!la_track_is_still(fd, slot))
		return;
	if (fin_is_here)
		la_track_saw(slot, LA_SEEN_PEER_FIN);
	la_track_saw(slot, LA_SEEN_EOF);
}

void la_track_read_failed(int fd, uint64_t slot, int error)
{
	if ((error == ECONNRESET || error == ETIMEDOUT || error == EPIPE) &&
		la_track_is_still(fd, slot))
		la_track_saw(slot, LA_SEEN_RESET);
}
