/* SPDX-License-Identifier: MIT */
/*
 * Writing to connections that a policy has ended (tests/proof/sigpipe.bats): which error comes, how many SIGPIPE. A server of a bound runs it; the peers
 * are here too.
 *
 * quiet ways           each way to write, twice each on a connection of its own that was ended: "way: ERROR ERROR, signals N"
 * quiet default        two writes with the default action of SIGPIPE; then it says "alive", and waits for a line
 * quiet nothing        writes of no bytes
 * quiet unbuffered     a stream without buffer: the C library writes inside fputs, without a hook
 */
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "half_closed.h"

ssize_t __write(int fd, const void *data, size_t bytes);
ssize_t __send(int fd, const void *data, size_t bytes, int flags);

static int file = -1, ends_of_pipe[2];
static char late[] = "late";
static struct iovec part = {.iov_base = late, .iov_len = 4};
static struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};

static long by_splice(int fd, bool raw)
{
	NEEDED(write(ends_of_pipe[1], late, 4) == 4);
	return raw ? syscall(SYS_splice, ends_of_pipe[0], NULL, fd, NULL, 4L, 0L)
		   : splice(ends_of_pipe[0], NULL, fd, NULL, 4, 0);
}

static long by_stream(int fd, bool close_it)
{
	FILE *stream = fdopen(close_it ? dup(fd) : fd, "w");

	NEEDED(stream && fputs(late, stream) >= 0);
	return close_it ? fclose(stream) : fflush(stream);
}

static long by_reopening(int fd)
{
	FILE *stream = fdopen(dup(fd), "w");

	NEEDED(stream && fputs(late, stream) >= 0);
	stream = freopen("/dev/null", "w", stream);
	NEEDED(stream && fclose(stream) == 0);
	/* It does not tell. */
	return send(fd, late, 4, MSG_NOSIGNAL);
}

#define WAY(name, call)                \
	static long try_##name(int fd) \
	{                              \
		off_t from = 0;        \
		(void)from;            \
		return (long)(call);   \
	}
#define WAYS                                                                     \
	WAY(write, write(fd, late, 4))                                           \
	WAY(__write, __write(fd, late, 4))                                       \
	WAY(writev, writev(fd, &part, 1))                                        \
	WAY(pwritev2, pwritev2(fd, &part, 1, -1, 0))                             \
	WAY(pwritev64v2, pwritev64v2(fd, &part, 1, -1, 0))                       \
	WAY(send, send(fd, late, 4, 0))                                          \
	WAY(__send, __send(fd, late, 4, 0))                                      \
	WAY(sendto, sendto(fd, late, 4, 0, NULL, 0))                             \
	WAY(sendmsg, sendmsg(fd, &message.msg_hdr, 0))                           \
	WAY(sendmmsg, sendmmsg(fd, &message, 1, 0))                              \
	WAY(sendfile, sendfile(fd, file, &from, 4))                              \
	WAY(sendfile64, sendfile64(fd, file, &from, 4))                          \
	WAY(splice, by_splice(fd, false))                                        \
	WAY(fflush, by_stream(fd, false))                                        \
	WAY(fclose, by_stream(fd, true))                                         \
	WAY(freopen, by_reopening(fd))                                           \
	WAY(syscall_write, syscall(SYS_write, fd, late, 4L))                     \
	WAY(syscall_writev, syscall(SYS_writev, fd, &part, 1L))                  \
	WAY(syscall_pwritev2, syscall(SYS_pwritev2, fd, &part, 1L, -1L, 0L, 0L)) \
	WAY(syscall_sendto, syscall(SYS_sendto, fd, late, 4L, 0L, NULL, 0L))     \
	WAY(syscall_sendmsg, syscall(SYS_sendmsg, fd, &message.msg_hdr, 0L))     \
	WAY(syscall_sendmmsg, syscall(SYS_sendmmsg, fd, &message, 1L, 0L))       \
	WAY(syscall_sendfile, syscall(SYS_sendfile, fd, file, &from, 4L))        \
	WAY(syscall_splice, by_splice(fd, true))
WAYS
#undef WAY
	static const struct {
	const char *name;
	long (*call)(int fd);
} ways[] = {
#define WAY(name, call) {#name, try_##name},
	WAYS
#undef WAY
};
enum { COUNT = sizeof(ways) / sizeof(ways[0]) };

static const char *result_of(long result)
{
	return result < 0 ? strerrorname_np(errno) : "written";
}

static void each_way(void)
{
	int fds[COUNT], peers[COUNT], i;

	for (i = 0; i < COUNT; i++)
		fds[i] = half_closed(&peers[i]);
	for (i = 0; i < COUNT; i++)
		wait_for_the_end(fds[i]);
	for (i = 0; i < COUNT; i++) {
		signals = 0;
		printf("%s: ", ways[i].name);
		printf("%s ", result_of(ways[i].call(fds[i])));
		printf("%s, ", result_of(ways[i].call(fds[i])));
		printf("signals %d\n", (int)signals);
	}
}

/* Writes of no bytes: whatever they return, they raise nothing, and writev does nothing. */
static void no_bytes(void)
{
	int peer, fd = half_closed(&peer);
	struct iovec none = {.iov_base = late, .iov_len = 0}, *volatile nowhere = NULL;
	volatile int nothing = 0;

	wait_for_the_end(fd);
	SAY(writev(fd, &none, 1));
	SAY(writev(fd, &none, nothing));
	SAY(writev(fd, &none, nothing - 1));
	SAY(writev(fd, &none, nothing + 1025));
	SAY(writev(fd, nowhere, nothing + 1));
	SAY(write(fd, late, (size_t)nothing));
	SAY(signals);
}

int main(int count_of, char **arguments)
{
	const char *what = count_of > 1 ? arguments[1] : "ways";
	int fd, peer;

	begin();
	NEEDED((file = memfd_create("late", 0)) >= 0 && write(file, late, 4) == 4);
	NEEDED(pipe(ends_of_pipe) == 0);
	if (!strcmp(what, "default")) {
		fd = half_closed(&peer);
		wait_for_the_end(fd);
		printf("%s\n", result_of(write(fd, late, 4)));
		printf("%s\n", result_of(write(fd, late, 4)));
		puts("alive");
		fgetc(stdin);
		return 0;
	}
	count_signals();
	if (!strcmp(what, "unbuffered")) {
		FILE *stream;

		fd = half_closed(&peer);
		NEEDED((stream = fdopen(fd, "w")) && setvbuf(stream, NULL, _IONBF, 0) == 0);
		wait_for_the_end(fd);
		printf("%s, ", result_of(fputs(late, stream)));
		printf("signals %d\n", (int)signals);
		return 0;
	}
	if (!strcmp(what, "ways"))
		each_way();
	else
		no_bytes();
	return 0;
}
