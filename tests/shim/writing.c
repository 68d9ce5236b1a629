/* SPDX-License-Identifier: MIT */
/* Every way to write: data, no bytes, no room, to a peer that has reset, to a closed pipe, to a file, to no socket. */
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "half_closed.h"

ssize_t __write(int fd, const void *data, size_t bytes);
ssize_t __send(int fd, const void *data, size_t bytes, int flags);

static char data[] = "0123456789abcdef";
static int file = -1, from[2];

static long by_message(int fd, size_t length, int flags)
{
	struct iovec part = {.iov_base = data, .iov_len = length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	return sendmsg(fd, &message, flags);
}

static long by_messages(int fd, size_t length, int flags)
{
	struct iovec part = {.iov_base = data, .iov_len = length};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};

	return sendmmsg(fd, &message, 1, flags);
}

static long by_parts(int fd, size_t length)
{
	struct iovec parts[2] = {{data, length / 2}, {data + 8, length / 2}};

	return writev(fd, parts, 2);
}

static long by_offset(int fd, size_t length, off_t offset, bool large)
{
	struct iovec part = {.iov_base = data, .iov_len = length};

	return large ? pwritev64v2(fd, &part, 1, offset, 0) : pwritev2(fd, &part, 1, offset, 0);
}

static long by_file(int fd, size_t length, bool large)
{
	off_t at = 0;

	return large ? sendfile64(fd, file, &at, length) : sendfile(fd, file, &at, length);
}

static long by_pipe(int fd, size_t length)
{
	char rest[32];
	long result;

	NEEDED(write(from[1], data, 16) == 16);
	result = splice(from[0], NULL, fd, NULL, length, SPLICE_F_NONBLOCK);
	NEEDED(result == 16 || read(from[0], rest, sizeof(rest)) > 0);
	return result;
}

static long by_stream(int fd, size_t length)
{
	int copy = dup(fd);
	FILE *stream = copy < 0 ? NULL : fdopen(copy, "w");
	long result;

	if (!stream)
		return -2;
	fwrite(data, 1, length, stream);
	result = fflush(stream);
	fclose(stream);
	return result;
}

static void each(int fd, size_t length, int flags)
{
	SAY(write(fd, data, length));
	SAY(__write(fd, data, length));
	SAY(by_parts(fd, length));
	SAY(by_offset(fd, length, -1, false));
	SAY(by_offset(fd, length, -1, true));
	SAY(by_offset(fd, length, 0, false));
	SAY(send(fd, data, length, flags));
	SAY(__send(fd, data, length, flags));
	SAY(sendto(fd, data, length, flags, NULL, 0));
	SAY(sendto(fd, data, length, flags, (struct sockaddr *)&address, sizeof(address)));
	SAY(by_message(fd, length, flags));
	SAY(by_messages(fd, length, flags));
	SAY(by_file(fd, length, false));
	SAY(by_file(fd, length, true));
	SAY(by_pipe(fd, length));
	SAY(by_stream(fd, length));
	SAY(syscall(SYS_write, fd, data, length));
	SAY(syscall(SYS_sendto, fd, data, length, flags, NULL, 0));
	SAY(syscall(SYS_writev, fd, NULL, 0L));
	SAY(signals);
	signals = 0;
}

static void connections(void)
{
	char bytes[4096], whole[4096];
	int ends[2], i;
	ssize_t got, sum = 0;

	connection(ends);
	each(ends[1], 16, 0);
	each(ends[1], 0, 0);
	NEEDED(shutdown(ends[1], SHUT_WR) == 0);
	while ((got = recv(ends[0], bytes + sum, sizeof(bytes) - (size_t)sum, 0)) > 0)
		sum += got;
	printf("arrived %zd\n", sum);
	for (i = 0; i < sum; i++)
		whole[i] = data[i % 16];
	SAY(memcmp(bytes, whole, (size_t)sum));
	each(ends[1], 16, 0); /* its own doing */
	each(ends[1], 16, MSG_NOSIGNAL);
	SAY(close(ends[1]));
	SAY(close(ends[0]));
	connection(ends);
	reset(ends[0]);
	wait_for_the_end(ends[1]);
	each(ends[1], 16, 0);
	SAY(close(ends[1]));
}

int main(void)
{
	int ends[2], null = open("/dev/null", O_WRONLY);

	begin();
	count_signals();
	NEEDED((file = memfd_create("data", 0)) >= 0 && write(file, data, 16) == 16);
	NEEDED(pipe(from) == 0 && pipe(ends) == 0 && null >= 0);
	connections();
	each(null, 16, 0);
	each(ends[1], 16, 0);
	SAY(close(ends[0]));
	each(ends[1], 16, 0);
	each(-1, 16, 0);
	each(400, 16, 0);
	SAY(fflush(NULL));
	return 0;
}
