/* SPDX-License-Identifier: MIT */
/* close, dup, dup2, dup3, fcntl, and the same by syscall(2). */
#include "transcript.h"

static void closes(void)
{
	int ends[2];

	SAY(close(-1));
	SAY(close(1000));
	SAY(close(0x3fffffff));
	connection(ends);
	SAY(close(ends[1]));
	SAY(close(ends[1]));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
	connection(ends);
	SAY(syscall(SYS_close, ends[1]));
	SAY(syscall(SYS_close, ends[1]));
	SAY(syscall(SYS_close, -1));
	SAY(peer_reads(ends[0]));
	SAY(syscall(SYS_close, ends[0]));
	/* Unread data: a reset, or under graceful-close not. Only ours is compared, not the peer's. */
	connection(ends);
	NEEDED(write(ends[0], "unread", 6) == 6);
	SAY(close(ends[1]));
	SAY(close(ends[0]));
}

static void dups(void)
{
	int ends[2], copy;

	SAY(dup(-1));
	connection(ends);
	SAY(copy = dup(ends[1]));
	SAY(close(ends[1]));
	SAY(is_open(ends[0]));
	SAY(write(copy, "x", 1));
	SAY(close(copy));
	SAY(peer_reads(ends[0]));
	SAY(dup(ends[1]));
	SAY(close(ends[0]));
}

static void dup2s(void)
{
	int ends[2], other[2];

	connection(ends);
	connection(other);
	SAY(dup2(ends[1], ends[1]));
	SAY(dup2(-1, ends[1]));
	SAY(dup2(999, ends[1]));
	SAY(dup2(ends[1], -1));
	SAY(dup2(999, 999));
	SAY(dup2(ends[1], 0x3fffffff));
	SAY(is_open(ends[0]));
	SAY(dup2(ends[1], other[1]));
	SAY(peer_reads(other[0]));
	SAY(close(ends[1]));
	SAY(is_open(ends[0]));
	/* Not a socket over one: what the JDK does. */
	SAY(dup2(STDIN_FILENO, other[1]));
	SAY(peer_reads(ends[0]));
	SAY(close(other[1]));
	SAY(close(ends[0]));
	SAY(close(other[0]));
}

static void dup3s(void)
{
	int ends[2];

	connection(ends);
	SAY(dup3(ends[1], ends[1], 0));
	SAY(dup3(ends[1], 50, 1));
	SAY(dup3(-1, 50, 0));
	SAY(dup3(ends[1], 50, O_CLOEXEC));
	SAY(fcntl(50, F_GETFD));
	SAY(close(ends[1]));
	SAY(is_open(ends[0]));
	SAY(syscall(SYS_dup3, 50, 50, 0));
	SAY(syscall(SYS_dup3, 50, 51, 0));
	SAY(close(50));
	SAY(is_open(ends[0]));
#ifdef SYS_dup2
	SAY(syscall(SYS_dup2, 51, 51));
	SAY(syscall(SYS_dup2, 51, 52));
	SAY(syscall(SYS_dup2, 999, 52));
	SAY(syscall(SYS_close, 52));
#endif
	SAY(is_open(ends[0]));
	SAY(syscall(SYS_dup, 51));
	SAY(close(51));
	SAY(close(ends[1]));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

static void fcntls(void)
{
	char line[16];
	int ends[2];

	connection(ends);
	SAY(fcntl(-1, F_GETFD));
	SAY(fcntl(ends[1], F_GETFD));
	SAY(fcntl(ends[1], F_SETFD, FD_CLOEXEC));
	SAY(fcntl(ends[1], F_GETFD));
	SAY(fcntl(ends[1], F_GETFL));
	SAY(fcntl(ends[1], F_SETFL, O_RDWR | O_NONBLOCK));
	SAY(fcntl(ends[1], F_GETFL));
	SAY(fcntl(ends[1], 9999, 0));
	SAY(fcntl(ends[1], F_DUPFD, 60));
	SAY(fcntl(60, F_GETFD));
	SAY(fcntl(ends[1], F_DUPFD_CLOEXEC, 61));
	SAY(fcntl(61, F_GETFD));
	SAY(fcntl(ends[1], F_DUPFD, -1));
	SAY(syscall(SYS_fcntl, ends[1], F_DUPFD_CLOEXEC, 62));
	SAY(syscall(SYS_fcntl, 62, F_SETFD, 0));
	SAY(syscall(SYS_fcntl, 62, F_GETFD));
	SAY(fcntl64(ends[1], F_DUPFD, 63));
	SAY(fcntl64(63, F_SETFD, FD_CLOEXEC));
	SAY(fcntl64(63, F_GETFD));
	SAY(fcntl64(-1, F_GETFL));
	SAY(close(ends[1]));
	SAY(close(60));
	SAY(close(61));
	SAY(is_open(ends[0]));
	NEEDED(write(ends[0], "unread", 6) == 6);
	wait_for(62, POLLIN);
	SAY(close(62));
	SAY(is_open(ends[0]));
	SAY(read(63, line, sizeof(line)));
	SAY(close(63));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

/* What daemons do first. In a child, because nothing can be said afterwards. */
static void close_everything(void)
{
	int ends[2], status;
	pid_t child;

	connection(ends);
	child = fork();
	if (child == 0) {
		int closed = 0, fd;

		for (fd = 0; fd < 1024; fd++)
			closed += close(fd) == 0;
		for (fd = 0; fd < 1024; fd++)
			if (close(fd) == 0 || errno != EBADF)
				_exit(100);
		_exit(closed);
	}
	NEEDED(waitpid(child, &status, 0) == child);
	SAY(status >> 8); /* with our own descriptors among them there would be more */
	SAY(is_open(ends[0]));
	SAY(close(ends[1]));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

int main(void)
{
	begin();
	closes();
	dups();
	dup2s();
	dup3s();
	fcntls();
	close_everything();
	SAY(socket(AF_INET, SOCK_STREAM, 0)); /* the same numbers are free */
	return 0;
}
