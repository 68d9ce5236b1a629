/* SPDX-License-Identifier: MIT */
/*
 * A connection that somebody else still holds is never shut down, however the other came to hold it. In each case one holder closes while
 * data waits unread, and the other goes on: the peer must get what it says.
 */
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "../shim/transcript.h"
#include "past_the_library.h"

extern char **environ;

static int via[2];

/* Data waits at `fd`, and `fd` is closed; then `holder` says something. */
static void closes_and_goes_on(int peer, int fd, int holder)
{
	char words[8] = "";

	NEEDED(write(peer, "unread", 6) == 6);
	wait_for(fd, POLLIN);
	SAY(close(fd));
	SAY(is_open(peer));
	SAY(write(holder, "on", 2));
	wait_for(peer, POLLIN);
	SAY(read(peer, words, sizeof(words)));
	SAY(close(holder));
	SAY(peer_reads(peer) < 0); /* now it is: all holders are gone, and data was unread */
	SAY(close(peer));
}

static int connect_late(int fd)
{
	int peer;

	NEEDED(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	peer = accept(listener, NULL, NULL);
	NEEDED(peer >= 0);
	return peer;
}

static void give_over(int socket, const int *fds, size_t count, int how)
{
	char byte = 'd';
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	union {
		char bytes[CMSG_SPACE(sizeof(int)) * 4];
		struct cmsghdr alignment;
	} control;
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = control.bytes,
					  .msg_controllen = CMSG_SPACE(sizeof(int)) * count}};
	struct cmsghdr *header;

	memset(&control, 0, sizeof(control));
	/* Each in an SCM_RIGHTS of its own. */
	for (header = CMSG_FIRSTHDR(&message.msg_hdr); header;
		header = CMSG_NXTHDR(&message.msg_hdr, header)) {
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), fds++, sizeof(int));
	}
	if (how == SYS_sendmmsg)
		NEEDED(sendmmsg(socket, &message, 1, 0) == 1);
	else if (how == SYS_sendmsg)
		NEEDED(syscall(SYS_sendmsg, socket, &message.msg_hdr, 0) == 1);
	else
		NEEDED(sendmsg(socket, &message.msg_hdr, 0) == 1);
}

static int take_over(int socket, int *fds, int flags)
{
	char byte;
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 4)];
		struct cmsghdr alignment;
	} control;
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *header;

	NEEDED(recvmsg(socket, &message, flags) == 1);
	header = CMSG_FIRSTHDR(&message);
	NEEDED(header && header->cmsg_type == SCM_RIGHTS);
	memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	return (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

static void a_copy_older_than_the_connection(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), copy = dup(fd);

	closes_and_goes_on(connect_late(fd), fd, copy);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	closes_and_goes_on(connect_late(copy), copy, fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	copy = (int)syscall(SYS_dup, fd);
	closes_and_goes_on(connect_late(fd), fd, copy);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	NEEDED(dup2(fd, 90) == 90);
	closes_and_goes_on(connect_late(fd), fd, 90);
}

/* Disconnected and connected anew, it is the same description. */
static void a_copy_of_what_it_was_before(void)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	int turn;

	for (turn = 0; turn < 2; turn++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), peer = connect_late(fd), copy = dup(fd);

		SAY(connect(fd, &nobody, sizeof(nobody)));
		NEEDED(close(peer) == 0);
		peer = connect_late(fd);
		closes_and_goes_on(peer, turn ? copy : fd, turn ? fd : copy);
	}
}

static void given_before_it_was_connected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), peer, taken;

	give_over(via[0], &fd, 1, 0);
	peer = connect_late(fd);
	NEEDED(take_over(via[1], &taken, 0) == 1);
	closes_and_goes_on(peer, fd, taken);
}

static void forked_before_it_was_connected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), go[2], peer, status;
	char byte, words[8];
	pid_t child;

	NEEDED(pipe(go) == 0);
	child = fork();
	if (child == 0) {
		close(go[1]);
		NEEDED(read(go[0], &byte, 1) == 1);
		_exit(write(fd, "on", 2) != 2);
	}
	peer = connect_late(fd);
	NEEDED(write(peer, "unread", 6) == 6);
	wait_for(fd, POLLIN);
	SAY(close(fd));
	SAY(is_open(peer));
	NEEDED(write(go[1], "", 1) == 1);
	NEEDED(waitpid(child, &status, 0) == child);
	SAY(status);
	SAY(read(peer, words, sizeof(words)));
	close(go[0]), close(go[1]), close(peer);
}

/* Over a socket whose number had been a connection's, closed where no hook sees it. */
static void given_over_a_strange_number(int how)
{
	int old[2], ends[2], pair[2], taken;

	connection(ends);
	connection(old);
	NEEDED(by_hand(SYS_close, old[1], 0, 0, 0, 0, 0) == 0);
	NEEDED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	NEEDED(pair[0] == old[1]);
	give_over(pair[0], &ends[1], 1, how);
	NEEDED(take_over(pair[1], &taken, 0) == 1);
	closes_and_goes_on(ends[0], ends[1], taken);
	close(pair[0]), close(pair[1]), close(old[0]);
}

static void several_in_a_message(void)
{
	int first[2], second[2], peeked[4], taken[4], fds[2];

	connection(first);
	connection(second);
	fds[0] = first[1];
	fds[1] = second[1];
	give_over(via[0], fds, 2, 0);
	SAY(take_over(via[1], peeked, MSG_PEEK));
	SAY(take_over(via[1], taken, MSG_CMSG_CLOEXEC));
	SAY(fcntl(taken[1], F_GETFD));
	/* The receiver first; then the giver. */
	NEEDED(close(peeked[0]) == 0 && close(peeked[1]) == 0);
	closes_and_goes_on(first[0], taken[0], first[1]);
	closes_and_goes_on(second[0], second[1], taken[1]);
}

static void left_open_for_a_child(void)
{
	int ends[2], out[2], status;
	char *arguments[] = {"sh", "-c", NULL, NULL}, command[80], words[8];
	char byte = 0;
	pid_t child;

	connection(ends);
	NEEDED(fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0);
	NEEDED(ioctl(ends[1], FIONCLEX) == 0); /* as Python's set_inheritable does */
	NEEDED(pipe(out) == 0);
	snprintf(command, sizeof(command), "head -c 1 <&%d >/dev/null; printf on >&%d", out[0],
		ends[1]);
	arguments[2] = command;
	NEEDED(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) == 0);
	NEEDED(write(ends[0], "unread", 6) == 6);
	wait_for(ends[1], POLLIN);
	SAY(close(ends[1]));
	SAY(is_open(ends[0]));
	NEEDED(write(out[1], &byte, 1) == 1);
	NEEDED(waitpid(child, &status, 0) == child);
	SAY(status);
	SAY(read(ends[0], words, sizeof(words)));
	close(out[0]), close(out[1]), close(ends[0]);
}

/* More copies than 16 bits can count. */
static int copied_very_often(void)
{
	struct rlimit limit, more = {70000, 70000};
	int ends[2], fd, last = -1;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (more.rlim_max < limit.rlim_max)
		more.rlim_max = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &more) < 0) {
		printf("no limit of 70000 descriptors: %s\n", strerror(errno));
		return 0;
	}
	connection(ends);
	for (fd = 0; fd < 65536; fd++)
		last = dup(ends[1]);
	NEEDED(last > 0);
	closes_and_goes_on(ends[0], ends[1], last);
	return 0;
}

/* A number above the limit can be held, and cannot be the target of a dup2: that must not cost the connection there. */
static void above_the_limit(void)
{
	struct rlimit limit, less;
	int ends[2], high;

	getrlimit(RLIMIT_NOFILE, &limit);
	less = limit;
	less.rlim_cur = 150;
	connection(ends);
	high = fcntl(ends[1], F_DUPFD, 160);
	NEEDED(high == 160 && close(ends[1]) == 0);
	NEEDED(write(ends[0], "unread", 6) == 6);
	wait_for(high, POLLIN);
	NEEDED(setrlimit(RLIMIT_NOFILE, &less) == 0);
	SAY(dup2(STDIN_FILENO, high));
	SAY(dup3(STDIN_FILENO, high, 0));
	SAY(is_open(ends[0]));
	NEEDED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	SAY(dup2(STDIN_FILENO, 1 << 30));
	close(high), close(ends[0]);
}

/* Every case, or only, with the word "often", what needs a high limit. */
int main(int count, char **words)
{
	begin();
	signal(SIGPIPE, SIG_IGN);
	if (count > 1 && !strcmp(words[1], "often"))
		return copied_very_often();
	NEEDED(socketpair(AF_UNIX, SOCK_STREAM, 0, via) == 0);
	a_copy_older_than_the_connection();
	a_copy_of_what_it_was_before();
	given_before_it_was_connected();
	forked_before_it_was_connected();
	given_over_a_strange_number(0);
	given_over_a_strange_number(SYS_sendmsg);
	given_over_a_strange_number(SYS_sendmmsg);
	several_in_a_message();
	left_open_for_a_child();
	above_the_limit();
	return 0;
}
