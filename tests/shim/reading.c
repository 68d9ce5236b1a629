/* SPDX-License-Identifier: MIT */
/* Every way to read: data, no bytes, the end, nothing yet, a reset, no socket. Fortified, read and recv are the _chk forms. */
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "transcript.h"

/* The compiler must know the buffers' sizes and must not know the lengths: then it emits the checked forms. */
static volatile size_t full = 16, nothing;
static char buffer[16];
static int into[2];

static long by_message(int fd, size_t length, int flags)
{
	struct iovec part = {.iov_base = buffer, .iov_len = length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	return recvmsg(fd, &message, flags);
}

static long by_messages(int fd, size_t length, int flags)
{
	struct iovec part = {.iov_base = buffer, .iov_len = length};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};

	return recvmmsg(fd, &message, 1, flags, NULL);
}

static long by_parts(int fd, size_t length)
{
	struct iovec parts[2] = {{buffer, length / 2}, {buffer + 8, length / 2}};

	return readv(fd, parts, 2);
}

static long by_offset(int fd, size_t length, off_t offset, bool large)
{
	struct iovec part = {.iov_base = buffer, .iov_len = length};

	return large ? preadv64v2(fd, &part, 1, offset, 0) : preadv2(fd, &part, 1, offset, 0);
}

static void each(int fd, size_t length, int flags)
{
	struct sockaddr_in from;
	socklen_t room = sizeof(from);

	SAY(read(fd, buffer, length));
	SAY(by_parts(fd, length));
	SAY(by_offset(fd, length, -1, false));
	SAY(by_offset(fd, length, -1, true));
	SAY(by_offset(fd, length, 0, false));
	SAY(recv(fd, buffer, length, flags));
	SAY(recvfrom(fd, buffer, length, flags, NULL, NULL));
	SAY(recvfrom(fd, buffer, length, flags, (struct sockaddr *)&from, &room));
	SAY(by_message(fd, length, flags));
	SAY(by_messages(fd, length, flags));
	SAY(splice(fd, NULL, into[1], NULL, length, SPLICE_F_NONBLOCK));
	SAY(syscall(SYS_read, fd, buffer, length));
	SAY(syscall(SYS_recvfrom, fd, buffer, length, flags, NULL, NULL));
}

static void connections(void)
{
	int ends[2], i;

	connection(ends);
	for (i = 0; i < 24; i++)
		NEEDED(write(ends[0], "0123456789abcdef", 16) == 16);
	while (ioctl(ends[1], FIONREAD, &i) == 0 && i < 24 * 16)
		usleep(1000);
	each(ends[1], full, 0);
	each(ends[1], nothing, 0);
	SAY(recv(ends[1], buffer, full, MSG_PEEK));
	while (recv(ends[1], buffer, full, MSG_DONTWAIT) > 0)
		;
	NEEDED(fcntl(ends[1], F_SETFL, O_RDWR | O_NONBLOCK) == 0);
	each(ends[1], full, MSG_DONTWAIT);
	each(ends[1], full, 0x40000000);
	NEEDED(shutdown(ends[0], SHUT_WR) == 0);
	wait_for(ends[1], POLLRDHUP);
	each(ends[1], full, 0);
	each(ends[1], full, MSG_PEEK);
	SAY(write(ends[1], "an answer", 9));
	SAY(shutdown(ends[1], SHUT_RD));
	each(ends[1], full, 0);
	SAY(close(ends[1]));
	each(ends[1], full, 0);
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

static void a_reset(void)
{
	int ends[2], call;

	for (call = 0; call < 4; call++) {
		connection(ends);
		reset(ends[0]);
		wait_for(ends[1], POLLERR);
		if (call == 0)
			SAY(read(ends[1], buffer, full));
		else if (call == 1)
			SAY(recv(ends[1], buffer, full, 0));
		else if (call == 2)
			SAY(by_message(ends[1], full, 0));
		else
			SAY(syscall(SYS_read, ends[1], buffer, full));
		SAY(read(ends[1], buffer, full)); /* the error is told once */
		SAY(close(ends[1]));
	}
}

static void bad_arguments(void)
{
	int ends[2];
	char *volatile nowhere = (char *)8;
	volatile size_t length = 16;
	volatile int negative = -1;

	connection(ends);
	NEEDED(write(ends[0], "data", 4) == 4);
	SAY(read(ends[1], nowhere, length));
	SAY(readv(ends[1], (struct iovec *)nowhere, 1));
	SAY(readv(ends[1], NULL, negative));
	SAY(recvmsg(ends[1], (struct msghdr *)nowhere, 0));
	SAY(read(ends[1], buffer, full));
	each(-1, full, 0);
	each(listener, full, MSG_DONTWAIT);
	SAY(close(ends[1]));
	SAY(close(ends[0]));
}

static void other_descriptors(void)
{
	int ends[2];

	NEEDED(pipe2(ends, O_NONBLOCK) == 0);
	NEEDED(write(ends[1], "0123456789abcdef0123456789abcdef", 32) == 32);
	each(ends[0], full, 0);
	NEEDED(close(ends[1]) == 0);
	each(ends[0], full, 0);
	NEEDED(close(ends[0]) == 0);
	NEEDED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	NEEDED(write(ends[0], "0123456789abcdef0123456789abcdef", 32) == 32);
	SAY(recv(ends[1], buffer, full, 0));
	SAY(by_message(ends[1], full, 0));
	NEEDED(close(ends[0]) == 0);
	each(ends[1], full, 0);
	NEEDED(close(ends[1]) == 0);
}

int main(void)
{
	begin();
	NEEDED(pipe2(into, O_NONBLOCK) == 0);
	connections();
	a_reset();
	bad_arguments();
	other_descriptors();
	return 0;
}
