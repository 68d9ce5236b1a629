/* SPDX-License-Identifier: MIT */
/*
 * A program that calls functions and writes down what each returned, and errno. Run with and without lastack, the two transcripts
 * must be the same.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Success must leave errno alone. */
#define UNTOUCHED 1234

#define SAY(call)                                                                 \
	do {                                                                      \
		long said;                                                        \
		errno = UNTOUCHED;                                                \
		said = (long)(call);                                              \
		printf("%d: %s = %ld, errno %d\n", __LINE__, #call, said, errno); \
	} while (0)

/* For pointers: only whether there is one. */
#define SAY_POINTER(call) SAY((call) != NULL)

#define NEEDED(condition)                                             \
	do {                                                          \
		if (!(condition)) {                                   \
			printf("%d: %s: %m\n", __LINE__, #condition); \
			exit(3);                                      \
		}                                                     \
	} while (0)

static int listener = -1;
static struct sockaddr_in address;

/* Every program is over after this many seconds. */
static inline void begin(void)
{
	socklen_t length = sizeof(address);

	alarm(60);
	setvbuf(stdout, NULL, _IOLBF, 0);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	NEEDED(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	NEEDED(listen(listener, 16) == 0);
	NEEDED(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
}

/* A connection; `ends[0]` connected, `ends[1]` was accepted. */
static inline void connection(int ends[2])
{
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	NEEDED(ends[0] >= 0);
	NEEDED(connect(ends[0], (struct sockaddr *)&address, sizeof(address)) == 0);
	ends[1] = accept(listener, NULL, NULL);
	NEEDED(ends[1] >= 0);
}

/* What the peer of something that was closed reads: 0 an orderly end, -ECONNRESET a reset; -EAGAIN when it stays open. */
static inline long peer_reads(int fd)
{
	char bytes[4096];
	struct timeval bound = {.tv_sec = 20};
	ssize_t got, total = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
	while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		total += got;
	return got < 0 ? -errno : total;
}

/* Until the kernel says so: on a busy machine loopback takes its time. */
static inline void wait_for(int fd, short events)
{
	struct pollfd one = {.fd = fd, .events = events};

	NEEDED(poll(&one, 1, 20000) == 1);
}

/* Still open, seen without waiting. */
static inline int is_open(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return got > 0 || (got < 0 && errno == EAGAIN);
}

static inline void reset(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	NEEDED(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	NEEDED(close(fd) == 0);
}

#endif
