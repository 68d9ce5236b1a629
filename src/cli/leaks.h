/* SPDX-License-Identifier: MIT */
/*
 * What a command left behind, once it has ended: run --leak-check.
 */
#ifndef LASTACK_LEAKS_H
#define LASTACK_LEAKS_H

/*
 * The leaks in all regions of LASTACK_DIR, as a report on standard output. Returns how many connections, -1 on a failure that was said.
 *
 * A leak is a connection whose next move is the application's, and will not come: when the process that held it ended,
 *   the peer had closed, and the application had not, whether it was told (L1) or not (L2);
 *   or the connection was gone, and its descriptor still held (L5).
 * Of a process that ended by exit the kernel's word at that moment counts (track/left.c); of one that was killed, or called _exit, what hooks and
 * helper saw until then. Of one that still runs, what is so now and for a second.
 */
int la_leaks_report(void);

#endif
