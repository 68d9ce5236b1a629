/* SPDX-License-Identifier: MIT */
/*
 * The kernel's view: every TCP socket of this network, by sock_diag. Its own code, for src/kernel/diag.c is under test too.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_socket {
	uint64_t cookie;
	uint32_t state, inode, receive_queue;
	uint16_t local_port, remote_port;
	uint8_t family;
	uint32_t address[8]; /* local, remote */
};

enum { KERNEL_SOCKETS = 1024 };
struct kernel_view {
	struct kernel_socket sockets[KERNEL_SOCKETS];
	size_t count;
};

void kernel_look(struct kernel_view *view);
/* A socket that was connected twice has one cookie, and its first connection may be in TIME-WAIT: `local_port` tells them apart. */
const struct kernel_socket *kernel_find(
	const struct kernel_view *view, uint64_t cookie, uint16_t local_port);
/* SOCK_DESTROY: 0 or -errno. */
int kernel_destroy(const struct kernel_socket *socket);

#endif
