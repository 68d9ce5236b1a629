/* SPDX-License-Identifier: MIT */
/*
 * Whose number it is (tests/proof/sigpipe.bats): connections that a policy has ended, their copies, and what gets their number later. "kept
 * quiet" are writes that raise no SIGPIPE; to what only has the number of such a one, it comes as ever.
 */
#include <stdbool.h>

#include "half_closed.h"

static void say(const char *what, int fd)
{
	int i;

	signals = 0;
	for (i = 0; i < 3; i++)
		NEEDED(write(fd, "late", 4) == -1 && (errno == EPIPE || errno == ECONNRESET));
	printf("%s: %s\n", what, signals ? "signals" : "kept quiet");
}

/* Our end of a connection that the peer has reset. */
static int reset_by_peer(void)
{
	int ends[2];

	connection(ends);
	reset(ends[0]);
	wait_for_the_end(ends[1]);
	return ends[1];
}

static void of_a_child(int fd)
{
	pid_t child = fork();
	int status;

	NEEDED(child >= 0);
	if (child == 0) {
		say("in a child", fd);
		exit(0);
	}
	NEEDED(waitpid(child, &status, 0) == child && status == 0);
}

static void give(int to, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {.iov_base = room, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room)};
	struct cmsghdr *control = CMSG_FIRSTHDR(&message);

	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(control), &fd, sizeof(int));
	NEEDED(sendmsg(to, &message, 0) == 1);
}

/* A number that came by SCM_RIGHTS, and happens to be one that was ended. */
static int received(int fd, int number)
{
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {.iov_base = room, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room)};
	int pair[2], got;

	NEEDED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	give(pair[0], fd);
	NEEDED(close(number) == 0 && recvmsg(pair[1], &message, 0) == 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	NEEDED(got == number);
	return got;
}

int main(int count, char **arguments)
{
	/* By a FIN, or by an RST, as the policy has it. */
	bool resets = count > 1 && !strcmp(arguments[1], "reset");
	int ended[3], copy, later, other, peer, i;

	begin();
	count_signals();
	for (i = 0; i < 3; i++)
		ended[i] = half_closed(&peer);
	NEEDED((copy = dup(ended[0])) >= 0);
	for (i = 0; i < 3; i++)
		wait_for_the_end(ended[i]);

	say("the number", ended[0]);
	say("a copy of before", copy);
	NEEDED((later = dup(ended[0])) >= 0);
	say("a copy of later", later);
	NEEDED((other = fcntl(later, F_DUPFD_CLOEXEC, 100)) >= 0);
	say("a copy of the copy", other);
	NEEDED(dup2(ended[0], other) == other);
	say("dup2 onto that", other);
	of_a_child(ended[0]);

	NEEDED(dup2(reset_by_peer(), other) == other);
	say("another one by dup2", other);
	NEEDED(close(copy) == 0);
	NEEDED((other = reset_by_peer()) == copy || dup2(other, copy) == copy);
	say("another one by reuse", copy);
	say("another one that was given", received(reset_by_peer(), later));
	say("the number still", ended[0]);

	if (resets) {
		NEEDED(connect(ended[1], (struct sockaddr *)&address, sizeof(address)) == 0);
		NEEDED((peer = accept(listener, NULL, NULL)) >= 0);
		NEEDED(write(ended[1], "here", 4) == 4);
		reset(peer);
		wait_for_the_end(ended[1]);
		say("a new connection of the same socket", ended[1]);
	}
	of_a_child(ended[2]);
	return 0;
}
