/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says about a connection. It is the referee: where a hook saw something else, this wins.
 *
 * The calls on descriptors (src/kernel/info.c) are raw system calls: any thread, signal handler or the helper; errno
 * untouched; they return -errno. They change nothing: SO_ERROR is never read (facts/linux-close.md section 2).
 * The calls named la_diag_* (src/kernel/diag.c) use libmnl and allocate: the command only.
 */
#ifndef LASTACK_KERNEL_H
#define LASTACK_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <lastack/table.h>

struct la_names {
	uint8_t family; /* 4 or 6, as the socket's own; an IPv4-mapped peer of an IPv6 socket is 6 */
	uint16_t local_port, remote_port; /* host order; remote 0 when not connected */
	uint8_t local[16], remote[16];    /* IPv4 as ::ffff:a.b.c.d */
};

/* What changes when a connection makes progress in either direction. */
struct la_progress {
	uint64_t bytes_acked;    /* output the peer has acknowledged */
	uint64_t bytes_received; /* input that arrived */
	uint32_t unread;         /* bytes in the receive queue */
};

struct la_tcp {
	uint32_t state;   /* the kernel's number, 1..12; 7 also for TIME-WAIT */
	uint32_t unacked; /* segments in flight, the FIN included */
	uint32_t notsent_bytes;
	uint32_t data_segments_received;
	uint32_t last_data_sent_ms, last_data_received_ms, last_ack_received_ms;
	struct la_progress progress;
};

/* Is this a socket of AF_INET or AF_INET6, SOCK_STREAM, IPPROTO_TCP (no MPTCP, no SMC)? 1, 0 or -errno. */
int la_kernel_is_tcp(int fd);
int la_kernel_cookie(int fd, uint64_t *cookie);
/* The state alone: one byte of TCP_INFO, about 0.3 us. Returns it (>= 0) or -errno. */
int la_kernel_state(int fd);
int la_kernel_tcp(int fd, struct la_tcp *tcp);
int la_kernel_names(int fd, struct la_names *names);
/* Bytes that wait in the receive queue, the FIN not counted; >= 0 or -errno. */
int la_kernel_unread(int fd);
/* Bytes of output, the FIN counted as one, that the peer's kernel has not acknowledged; >= 0 or -errno. */
int la_kernel_unacked(int fd);
/* Would a send of a byte go into the buffer? Then nobody is blocked in sending, but who was woken this moment. */
bool la_kernel_is_writable(int fd);
/*
 * These change the connection; only enforce/act.c and cli/act.c call them (tests/lint/layers.sh). On a dup whose cookie was compared. 0 or
 * -errno. facts/linux-close.md section 5.
 *   probe      keepalive with short times: a peer that is gone is found out within 20 s, one that has only half-closed stays
 *   shut_down  our FIN, readers and sets of epoll wake; a writer that is blocked, and each later one, gets EPIPE and SIGPIPE
 *   reset      an RST, and the kernel's memory is free; the number stays whose it is
 */
int la_kernel_probe(int fd);
int la_kernel_shut_down(int fd);
int la_kernel_reset(int fd);
/* May its address be bound again while this connection, or its TIME-WAIT, is there (SO_REUSEADDR)? */
bool la_kernel_shares_address(int fd);
/* A sockaddr as it came from the kernel -> address as in struct la_names and port; false when not an IP address. */
bool la_kernel_address(const void *sockaddr, unsigned int length, uint8_t address[16],
	uint16_t *port, uint8_t *family);

/*
 * CLOCK_MONOTONIC; the same clock in all processes of a boot. By system call until la_kernel_use_clock() hands over the C
 * library's own clock_gettime (the vDSO): a preloaded libfaketime must not move our instants.
 */
struct timespec;
uint64_t la_now_ns(void);
void la_kernel_use_clock(int (*clock_gettime_of_libc)(int clock, struct timespec *now));
static inline uint64_t la_now_us(void)
{
	return la_now_ns() / 1000;
}

/* One socket as sock_diag shows it: TIME-WAIT and orphans included. */
struct la_diag_socket {
	uint64_t cookie;
	uint32_t state; /* kernel's number: FIN-WAIT-2 orphans and TIME-WAIT have their own here */
	uint32_t inode; /* 0: no descriptor holds it (orphan, TIME-WAIT, or still in a backlog) */
	uint32_t
		receive_queue; /* CLOSE-WAIT: N unread bytes read N+1, FIN only 1, EOF already read 0 */
	uint32_t send_queue;
	uint32_t timer, expires_ms;
	bool has_info;
	uint32_t last_data_sent_ms, last_data_received_ms, last_ack_received_ms;
	struct la_names names;
};

/*
 * All TCP sockets (IPv4, IPv6) of this network namespace whose state is in `states` (bit n: kernel state n; ~0u: all).
 * Calls `each` for every one; it returns false to stop. Returns 0 or -errno.
 */
int la_diag_each(uint32_t states, bool (*each)(const struct la_diag_socket *socket, void *context),
	void *context);

#endif
