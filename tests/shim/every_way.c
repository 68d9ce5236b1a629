/* SPDX-License-Identifier: MIT */
/*
 * Every way to read the end of a connection, and every way to close one.
 *
 * every_way read: one connection each, whose peer has sent its FIN; reads the end, keeps the descriptor, and says "read WAY". Then "done", and
 * waits for a line of input.
 * every_way close: one connection each, with data unread; closes it and says what the peer reads: "close WAY: end" or "close WAY: ECONNRESET".
 */
#include <stdbool.h>
#include <sys/uio.h>

#include "transcript.h"

ssize_t __read(int fd, void *buffer, size_t bytes);
ssize_t __recv(int fd, void *buffer, size_t bytes, int flags);
ssize_t __read_chk(int fd, void *buffer, size_t bytes, size_t room);
ssize_t __recv_chk(int fd, void *buffer, size_t bytes, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t bytes, size_t room, int flags,
	struct sockaddr *from, socklen_t *length);
int __close(int fd);
int __dup2(int from, int to);
int _IO_fclose(FILE *stream);

static char bytes[16];
static struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
static struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
static int into[2], ends[2];
static bool closing;

/* A connection whose peer has sent its FIN, or data that waits unread. */
static __attribute__((noinline)) int ready(void)
{
	connection(ends);
	if (closing)
		NEEDED(write(ends[0], "unread", 6) == 6);
	else
		NEEDED(shutdown(ends[0], SHUT_WR) == 0);
	wait_for(ends[1], closing ? POLLIN : POLLRDHUP);
	return ends[1];
}

/* A function of its own each, so that the stacks of who opened and who was told are too. */
#define WAY(name, call)           \
	static long name(void)    \
	{                         \
		int fd = ready(); \
		long said = call; \
		return said;      \
	}
#define READS                                                                                    \
	WAY(by_read, read(fd, bytes, sizeof(bytes)))                                             \
	WAY(by___read, __read(fd, bytes, sizeof(bytes)))                                         \
	WAY(by___read_chk, __read_chk(fd, bytes, sizeof(bytes), sizeof(bytes)))                  \
	WAY(by_readv, readv(fd, &part, 1))                                                       \
	WAY(by_preadv2, preadv2(fd, &part, 1, -1, 0))                                            \
	WAY(by_preadv64v2, preadv64v2(fd, &part, 1, -1, 0))                                      \
	WAY(by_recv, recv(fd, bytes, sizeof(bytes), 0))                                          \
	WAY(by___recv, __recv(fd, bytes, sizeof(bytes), 0))                                      \
	WAY(by___recv_chk, __recv_chk(fd, bytes, sizeof(bytes), sizeof(bytes), 0))               \
	WAY(by_recvfrom, recvfrom(fd, bytes, sizeof(bytes), 0, NULL, NULL))                      \
	WAY(by___recvfrom_chk,                                                                   \
		__recvfrom_chk(fd, bytes, sizeof(bytes), sizeof(bytes), 0, NULL, NULL))          \
	WAY(by_recvmsg, recvmsg(fd, &message.msg_hdr, 0))                                        \
	WAY(by_recvmmsg, recvmmsg(fd, &message, 1, 0, NULL) == 1 ? (long)message.msg_len : -1)   \
	WAY(by_splice, splice(fd, NULL, into[1], NULL, sizeof(bytes), 0))                        \
	WAY(by_syscall_read, syscall(SYS_read, fd, bytes, sizeof(bytes)))                        \
	WAY(by_syscall_readv, syscall(SYS_readv, fd, &part, 1))                                  \
	WAY(by_syscall_recvfrom, syscall(SYS_recvfrom, fd, bytes, sizeof(bytes), 0, NULL, NULL)) \
	WAY(by_syscall_splice, syscall(SYS_splice, fd, NULL, into[1], NULL, sizeof(bytes), 0))   \
	WAY(by_syscall_recvmsg, syscall(SYS_recvmsg, fd, &message.msg_hdr, 0))                   \
	WAY(by_syscall_recvmmsg,                                                                 \
		syscall(SYS_recvmmsg, fd, &message, 1, 0, NULL) == 1 ? (long)message.msg_len : -1)

static FILE *stream_of(int fd)
{
	FILE *stream = fdopen(fd, "r+");

	NEEDED(stream);
	return stream;
}

#define CLOSES                                                                  \
	WAY(by_close, close(fd))                                                \
	WAY(by___close, __close(fd))                                            \
	WAY(by_close_range, close_range((unsigned int)fd, (unsigned int)fd, 0)) \
	WAY(by_closefrom, (closefrom(fd), 0))                                   \
	WAY(by_fclose, fclose(stream_of(fd)))                                   \
	WAY(by__IO_fclose, _IO_fclose(stream_of(fd)))                           \
	WAY(by_dup2, dup2(STDIN_FILENO, fd))                                    \
	WAY(by___dup2, __dup2(STDIN_FILENO, fd))                                \
	WAY(by_dup3, dup3(STDIN_FILENO, fd, 0))                                 \
	WAY(by_syscall_close, syscall(SYS_close, fd))                           \
	WAY(by_syscall_close_range, syscall(SYS_close_range, fd, fd, 0))        \
	WAY(by_syscall_dup3, syscall(SYS_dup3, STDIN_FILENO, fd, 0))

READS
CLOSES

#undef WAY
#define WAY(name, call) {#name, name},
static const struct {
	const char *name;
	long (*act)(void);
} reads[] = {READS}, closes[] = {CLOSES};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(int count, char **words)
{
	size_t i;

	begin();
	NEEDED(count == 2 && pipe(into) == 0);
	closing = strcmp(words[1], "close") == 0;
	for (i = 0; !closing && i < COUNT(reads); i++) {
		NEEDED(reads[i].act() == 0);
		printf("read %s\n", reads[i].name + 3);
	}
	for (i = 0; closing && i < COUNT(closes); i++) {
		NEEDED(closes[i].act() >= 0);
		printf("close %s: %s\n", closes[i].name + 3,
			peer_reads(ends[0]) == 0 ? "end" : strerrorname_np(errno));
		close(ends[0]);
		close(ends[1]);
	}
	printf("done\n");
	NEEDED(read(STDIN_FILENO, bytes, 1) >= 0);
	return 0;
}
