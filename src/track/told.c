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

void la_track_half_closed(int fd, int how)
{
	uint64_t slot = la_slot_load(fd);

	if (how == SHUT_RD || !LA_SLOT_TRACKED(slot))
		return;
	la_track_saw(slot, LA_SEEN_SHUTDOWN);
	switch (la_kernel_state(fd)) {
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
	switch (la_kernel_state(fd)) {
	case TCP_CLOSE_WAIT:
	case TCP_LAST_ACK:
	case TCP_CLOSING: la_track_saw(slot, LA_SEEN_PEER_FIN); break;
	case TCP_CLOSE:
	case TCP_TIME_WAIT: break; /* our FIN came first, or a reset in CLOSE-WAIT: told is told */
	default: return;           /* shutdown(SHUT_RD), no FIN at all; or no TCP socket any more */
	}
	la_track_saw(slot, LA_SEEN_EOF);
}

void la_track_read_failed(uint64_t slot, int error)
{
	if (error == ECONNRESET || error == ETIMEDOUT || error == EPIPE)
		la_track_saw(slot, LA_SEEN_RESET);
}
