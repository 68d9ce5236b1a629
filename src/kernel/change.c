/* SPDX-License-Identifier: MIT */
/* The primitives by which a connection is probed or ended; see kernel.h. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <lastack/kernel.h>
#include <lastack/sys.h>

/* Seconds: a peer that is gone is found out after IDLE + COUNT * INTERVAL. */
enum { KEEPALIVE_IDLE_S = 5, KEEPALIVE_INTERVAL_S = 5, KEEPALIVE_COUNT = 3 };

static int set(int fd, int level, int name, int value)
{
	return (int)la_sys(SYS_setsockopt, fd, level, name, &value, sizeof(value));
}

int la_kernel_probe(int fd)
{
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
	return set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

int la_kernel_shut_down(int fd)
{
	return (int)la_sys(SYS_shutdown, fd, SHUT_RDWR);
}

int la_kernel_reset(int fd)
{
	const struct sockaddr unspecified = {.sa_family = AF_UNSPEC};

	return (int)la_sys(SYS_connect, fd, &unspecified, sizeof(unspecified));
}
