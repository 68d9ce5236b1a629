/* SPDX-License-Identifier: MIT */
/*
 * Runs out of descriptors: runs_out CALL. The limit is 64; six connections were closed with unread data, and their peers stay. Then CALL is
 * made until it fails. Prints how many descriptors it got, and why no more.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "../shim/transcript.h"

enum { LIMIT = 64, LINGERING = 6 };

static int via[2], pair[2];
static sigset_t no_signals;

/* A message with one descriptor; the receiver may find no number for it. */
static int receives(void)
{
	char byte = 'd';
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr alignment;
	} control = {{0}};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = 0;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	NEEDED(sendmsg(via[0], &message, 0) == 1);
	memset(&control, 0, sizeof(control));
	NEEDED(recvmsg(via[1], &message, 0) == 1);
	errno = message.msg_flags & MSG_CTRUNC ? EMFILE : 0;
	return errno ? -1 : 0;
}

static int one_more(const char *call)
{
#define IS(name, expression)     \
	if (!strcmp(call, name)) \
	return (expression)
	IS("accept", accept(listener, NULL, NULL));
	IS("accept4", accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	IS("socket", socket(AF_INET, SOCK_STREAM, 0));
	IS("dup", dup(0));
	IS("fcntl", fcntl(0, F_DUPFD, 3));
	IS("fcntl-high", fcntl(0, F_DUPFD_CLOEXEC, LIMIT - 8));
	IS("syscall-dup", (int)syscall(SYS_dup, 0));
	IS("syscall-socket", (int)syscall(SYS_socket, AF_UNIX, SOCK_DGRAM, 0));
	IS("syscall-openat", (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY));
	IS("open", open("/dev/null", O_RDONLY));
	IS("openat", openat(AT_FDCWD, "/dev/null", O_RDONLY));
	IS("fopen", fopen("/dev/null", "r") ? 0 : -1);
	IS("opendir", opendir("/") ? 0 : -1);
	IS("pipe", pipe(pair));
	IS("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	IS("eventfd", eventfd(0, 0));
	IS("epoll_create", epoll_create1(0));
	IS("timerfd", timerfd_create(CLOCK_MONOTONIC, 0));
	IS("signalfd", signalfd(-1, &no_signals, 0));
	IS("inotify", inotify_init());
	IS("memfd", memfd_create("x", 0));
	IS("recvmsg", receives());
	NEEDED(!"such a call");
	return -1;
}

int main(int count, char **words)
{
	struct rlimit limit = {LIMIT, LIMIT};
	int got = 0, fd, i, ready[2];
	char byte = 0;

	NEEDED(count == 2);
	begin();
	NEEDED(listen(listener, LIMIT + 16) == 0);
	NEEDED(socketpair(AF_UNIX, SOCK_STREAM, 0, via) == 0 && pipe(ready) == 0);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (i = 0; i < LIMIT + 8; i++) {
			fd = socket(AF_INET, SOCK_STREAM, 0);
			NEEDED(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
			NEEDED(write(fd, "unread", 6) == 6);
		}
		NEEDED(write(ready[1], &byte, 1) == 1);
		pause();
	}
	NEEDED(read(ready[0], &byte, 1) == 1);
	NEEDED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (i = 0; i < LINGERING; i++) {
		fd = accept(listener, NULL, NULL);
		wait_for(fd, POLLIN);
		NEEDED(close(fd) == 0);
	}
	while (one_more(words[1]) >= 0)
		got++;
	printf("%s: %d, %s\n", words[1], got, strerror(errno));
	return 0;
}
