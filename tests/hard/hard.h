/* SPDX-License-Identifier: MIT */
/*
 * What the programs of this folder share: connections to themselves, how a close ended as its peer saw it, and when a thread is really
 * blocked in a call.
 */
#ifndef HARD_H
#define HARD_H

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <sys/ioctl.h>

#include "../shim/transcript.h"

static inline pid_t my_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

/* Until this thread sleeps in system call `number`, as the kernel says. */
static inline void wait_until_blocked(pid_t tid, long number)
{
	char path[64], text[64];
	int tries;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	for (tries = 0; tries < 10000; tries++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		if (fd >= 0)
			close(fd);
		if (got > 0) {
			text[got] = '\0';
			if (text[0] != 'r' && strtol(text, NULL, 10) == number)
				return;
		}
		usleep(1000);
	}
	printf("thread %d never blocked in system call %ld\n", tid, number);
	exit(3);
}

enum { ANSWER = 10, REQUEST = 5000 };

/* A connection whose request nobody has read, and whose answer has gone out: a plain close resets it. */
static inline void unread_connection(int ends[2])
{
	static const char bytes[REQUEST];
	int unread = 0;

	connection(ends);
	NEEDED(send(ends[0], bytes, REQUEST, 0) == REQUEST);
	wait_for(ends[1], POLLIN);
	while (ioctl(ends[1], FIONREAD, &unread) == 0 && unread < REQUEST)
		usleep(1000);
	NEEDED(send(ends[1], bytes, ANSWER, 0) == ANSWER);
}

/* How the peer of such a connection sees its end. */
static inline const char *ending_at(int peer)
{
	long got = peer_reads(peer);

	close(peer);
	return got == ANSWER ? "graceful" : got == -ECONNRESET ? "reset" : "open";
}

static inline const char *ending(void)
{
	int ends[2];

	unread_connection(ends);
	NEEDED(close(ends[1]) == 0);
	return ending_at(ends[0]);
}

/* A pair of local sockets that takes not one message more. */
static inline void full_pair(int pair[2])
{
	static const char bytes[4096];

	NEEDED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	while (send(pair[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	NEEDED(errno == EAGAIN);
	while (send(pair[0], bytes, 1, MSG_DONTWAIT) > 0)
		;
}

#endif
