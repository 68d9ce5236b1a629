/* SPDX-License-Identifier: MIT */
/*
 * Who holds a socket, by the links of /proc/PID/fd.
 */
#ifndef LASTACK_HOLDERS_H
#define LASTACK_HOLDERS_H

#include <stddef.h>
#include <stdint.h>

struct la_holder {
	uint32_t inode, pid;
	int32_t fd;
};
struct la_holders {
	struct la_holder *list; /* sorted by inode, then pid, then fd */
	size_t count, room;
};
/* Add all sockets of a process. Returns 0 or -errno (-EACCES: not ours to see). */
int la_holders_add(struct la_holders *holders, uint32_t pid);
/* All sockets of all processes that may be looked into; sorted. */
void la_holders_add_all(struct la_holders *holders);
/* The TCP socket that a number of a process names: 0 or -errno (-ENOTSOCK: none, or of another protocol). */
int la_holders_inode(uint32_t pid, int32_t fd, uint32_t *inode);
void la_holders_sort(struct la_holders *holders);
/* The first holder of an inode and how many follow it; NULL when there is none. */
const struct la_holder *la_holders_of(
	const struct la_holders *holders, uint32_t inode, size_t *count);
void la_holders_free(struct la_holders *holders);

#endif
