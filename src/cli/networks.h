/* SPDX-License-Identifier: MIT */
/*
 * All TCP sockets of this network namespace, and of those that preloaded processes live in.
 */
#ifndef LASTACK_NETWORKS_H
#define LASTACK_NETWORKS_H

#include "snapshot.h"

/*
 * Fill the snapshot's sockets, sorted by cookie, and their inodes; and say of each region whether all namespaces of its living
 * processes could be asked. What cannot be asked is said on standard error. 0 or -ENOMEM.
 */
int la_networks_ask(struct la_snapshot *snapshot);
/*
 * NULL: no such socket. Of a socket that was connected twice the kernel may list two by one cookie: the first connection's TIME-WAIT too;
 * so rather the one with this port.
 */
const struct la_diag_socket *la_networks_find(
	const struct la_snapshot *snapshot, uint64_t cookie, uint16_t local_port);
/* Is this the inode of one of them? */
bool la_networks_has_inode(const struct la_snapshot *snapshot, uint32_t inode);

#endif
