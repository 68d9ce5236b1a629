/* SPDX-License-Identifier: MIT */
/*
 * Sockets that the kernel knows and no region does.
 */
#ifndef LASTACK_STRANGERS_H
#define LASTACK_STRANGERS_H

#include "snapshot.h"

/* Add an item for `socket` where it concerns a preloaded process; snapshot->holders is sorted. 0 or -ENOMEM. */
int la_strangers_add(
	struct la_snapshot *snapshot, const struct la_diag_socket *socket, size_t *room);

#endif
