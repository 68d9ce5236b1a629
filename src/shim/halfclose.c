/* SPDX-License-Identifier: MIT */
/*
 * shutdown(2): the application says that it is done. Which FIN came first, the kernel knows.
 */
#include <netinet/tcp.h>

#include <lastack/kernel.h>

#include "shim.h"

LA_COLD void la_half_closed(int fd, int how)
{
	uint64_t slot = la_slot_load(fd);

	if (how == SHUT_RD || !LA_SLOT_TRACKED(slot) || !la_here())
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

LA_EXPORT int shutdown(int fd, int how)
{
	int result = la_real.shutdown(fd, how);

	if (result == 0)
		la_half_closed(fd, how);
	return result;
}
