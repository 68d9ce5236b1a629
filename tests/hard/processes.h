/* SPDX-License-Identifier: MIT */
/*
 * Common to the programs of processes.bats and sandbox.bats. Each writes a transcript (tests/shim/transcript.h), which is the same with lastack and
 * without, except for lines that begin with "unread:": they tell what the peer of a connection got that was closed with unread data. That is a
 * reset (-104), and with lastack and a graceful close an orderly end (0): the connection was known, and known to be ours alone.
 */
#ifndef HARD_PROCESSES_H
#define HARD_PROCESSES_H

#include <linux/close_range.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#include "../shim/transcript.h"

extern char **environ;

/* Close `ends[1]` while data waits in it. */
static inline void close_unread(int ends[2])
{
	NEEDED(send(ends[0], "unread", 6, 0) == 6);
	wait_for(ends[1], POLLIN);
	NEEDED(close(ends[1]) == 0);
	printf("unread: the peer reads %ld\n", peer_reads(ends[0]));
	NEEDED(close(ends[0]) == 0);
}

/* Does it carry a byte in both directions? */
static inline bool carries(const int ends[2])
{
	char byte = 0;
	int way;

	for (way = 0; way < 2; way++) {
		if (send(ends[way], "x", 1, MSG_NOSIGNAL) != 1)
			return false;
		wait_for(ends[!way], POLLIN);
		if (recv(ends[!way], &byte, 1, 0) != 1 || byte != 'x')
			return false;
	}
	return true;
}

static inline int ended(pid_t pid)
{
	int status = -1;

	NEEDED(waitpid(pid, &status, 0) == pid);
	return status;
}

/* begin() has one listener; who is not alone needs its own, so that it accepts what it connects. */
static inline int listen_anew(struct sockaddr_in *name)
{
	socklen_t length = sizeof(*name);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*name = address;
	name->sin_port = 0;
	NEEDED(bind(fd, (struct sockaddr *)name, sizeof(*name)) == 0 && listen(fd, 16) == 0);
	NEEDED(getsockname(fd, (struct sockaddr *)name, &length) == 0);
	return fd;
}

static inline void connect_to(int own_listener, const struct sockaddr_in *name, int ends[2])
{
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	NEEDED(connect(ends[0], (const struct sockaddr *)name, sizeof(*name)) == 0);
	ends[1] = accept(own_listener, NULL, NULL);
	NEEDED(ends[1] >= 0);
}

static inline int open_sockets(void)
{
	struct stat status;
	int fd, count = 0;

	for (fd = 0; fd < 65536; fd++)
		count += fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
	return count;
}

/* A connection of this process's own, closed with unread data; soon nothing of it is left here. */
static inline void use_own_connection(void)
{
	struct sockaddr_in name;
	int before = open_sockets(), own = listen_anew(&name), ends[2], tries = 0;

	connect_to(own, &name, ends);
	NEEDED(carries(ends));
	close_unread(ends);
	NEEDED(close(own) == 0);
	while (open_sockets() > before && tries++ < 500)
		usleep(10000);
	NEEDED(open_sockets() <= before);
}

/* For pipes between our processes: a byte, within the time of begin(). */
static inline void await(int fd)
{
	char byte;

	NEEDED(read(fd, &byte, 1) == 1);
}

static inline void notify(int fd)
{
	NEEDED(write(fd, "x", 1) == 1);
}

/* With an argument: say so and wait for a line, so that whoever started us can look around. */
static inline void stop_to_be_seen(int count)
{
	char byte;

	if (count < 2)
		return;
	printf("ready\n");
	fflush(stdout);
	while (read(0, &byte, 1) == 1 && byte != '\n')
		;
}

#endif
