/* SPDX-License-Identifier: MIT */
/* Descriptors that travel by SCM_RIGHTS, both ways; and a peek, which takes a copy each time. */
#include <sys/uio.h>

#include "transcript.h"

static int via[2];

union control {
	char bytes[CMSG_SPACE(4 * sizeof(int))];
	struct cmsghdr alignment;
};

static void prepare(struct msghdr *message, struct iovec *part, char *byte, union control *control)
{
	memset(message, 0, sizeof(*message));
	part->iov_base = byte;
	part->iov_len = 1;
	message->msg_iov = part;
	message->msg_iovlen = 1;
	message->msg_control = control->bytes;
	message->msg_controllen = sizeof(control->bytes);
}

static void fill(struct msghdr *message, const int *fds, size_t count)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);

	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(control), fds, count * sizeof(int));
	message->msg_controllen = CMSG_SPACE(count * sizeof(int));
}

static long give(const int *fds, size_t count)
{
	struct msghdr message;
	struct iovec part;
	union control control = {{0}};
	char byte = 'd';

	prepare(&message, &part, &byte, &control);
	fill(&message, fds, count);
	return sendmsg(via[0], &message, 0);
}

static long give_many(int fd)
{
	struct mmsghdr messages[2];
	struct iovec parts[2];
	union control controls[2];
	char byte = 'm';
	int i;

	memset(controls, 0, sizeof(controls));
	for (i = 0; i < 2; i++) {
		prepare(&messages[i].msg_hdr, &parts[i], &byte, &controls[i]);
		fill(&messages[i].msg_hdr, &fd, 1);
	}
	return sendmmsg(via[0], messages, 2, 0);
}

static int taken[4];

/* How many came; their numbers in `taken`. */
static long take(int flags)
{
	struct msghdr message;
	struct iovec part;
	union control control = {{0}};
	struct cmsghdr *header;
	char byte;

	prepare(&message, &part, &byte, &control);
	if (recvmsg(via[1], &message, flags) < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return 0;
	memcpy(taken, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	return (long)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

static void to_ourselves(void)
{
	int ends[2], bad = 999;

	connection(ends);
	SAY(give(&bad, 1));
	SAY(take(MSG_DONTWAIT));
	SAY(give(&ends[1], 1));
	SAY(close(ends[1]));
	SAY(is_open(ends[0])); /* it is on its way */
	SAY(take(0));
	SAY(taken[0]);
	SAY(write(taken[0], "x", 1));
	SAY(close(taken[0]));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

static void several_and_a_peek(void)
{
	int ends[2], mixed[3];

	connection(ends);
	mixed[0] = STDIN_FILENO;
	mixed[1] = ends[1];
	mixed[2] = listener;
	SAY(give(mixed, 3));
	SAY(take(MSG_PEEK));
	SAY(taken[1]);
	SAY(close(taken[0]) + close(taken[1]) + close(taken[2]));
	SAY(take(MSG_CMSG_CLOEXEC));
	SAY(fcntl(taken[1], F_GETFD));
	SAY(close(ends[1]));
	SAY(is_open(ends[0]));
	SAY(close(taken[0]) + close(taken[1]) + close(taken[2]));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

static void by_sendmmsg(void)
{
	int ends[2];

	connection(ends);
	SAY(give_many(ends[1]));
	SAY(close(ends[1]));
	SAY(take(0));
	SAY(close(taken[0]));
	SAY(is_open(ends[0]));
	SAY(take(0));
	SAY(close(taken[0]));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

/* The receiver answers after the giver has closed: nothing may be shut down. */
static void to_a_child(void)
{
	int ends[2], status;
	pid_t child = fork();

	if (child == 0) {
		NEEDED(close(listener) == 0 && close(via[0]) == 0);
		NEEDED(take(0) == 1);
		usleep(100000);
		NEEDED(write(taken[0], "from the child", 14) == 14);
		_exit(close(taken[0]));
	}
	connection(ends);
	SAY(give(&ends[1], 1));
	SAY(close(ends[1]));
	SAY(peer_reads(ends[0]));
	NEEDED(waitpid(child, &status, 0) == child);
	SAY(status);
	SAY(close(ends[0]));
}

/* Control data that the kernel refuses: nothing behind its end may be looked at, and there is nothing behind ours. */
static void refused(void)
{
	static const size_t lengths[] = {0, 3, CMSG_LEN(0) - 1, 1u << 20, (size_t)-1};
	int ends[2];
	size_t i;

	connection(ends);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct msghdr message;
		struct iovec part;
		union control control = {{0}};
		char byte = 'r';

		prepare(&message, &part, &byte, &control);
		fill(&message, &ends[1], 1);
		CMSG_FIRSTHDR(&message)->cmsg_len = lengths[i];
		SAY(sendmsg(via[0], &message, 0));
		SAY(syscall(SYS_sendmsg, via[0], &message, 0));
	}
	SAY(close(ends[1]));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

int main(void)
{
	begin();
	NEEDED(socketpair(AF_UNIX, SOCK_STREAM, 0, via) == 0);
	to_ourselves();
	several_and_a_peek();
	by_sendmmsg();
	refused();
	to_a_child();
	SAY(sendmsg(via[0], (struct msghdr *)NULL, 0));
	SAY(sendmsg(-1, &(struct msghdr){0}, 0));
	SAY(sendmmsg(via[0], NULL, 1, 0));
	SAY(recvmsg(-1, &(struct msghdr){0}, 0));
	SAY(socket(AF_INET, SOCK_STREAM, 0));
	return 0;
}
