/* SPDX-License-Identifier: MIT */
/*
 * Forks while another thread is blocked in a sendmsg that could give a descriptor away. The child has no such thread: "child: N" is what
 * the peer of a connection reads that the child closes with unread data. And the parent's, once the thread is through: "parent: N".
 */
#include <pthread.h>

#include "../shim/transcript.h"

static int via[2];

static void *sends_for_long(void *nothing)
{
	static char much[1 << 20];
	struct iovec part = {.iov_base = much, .iov_len = sizeof(much)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	NEEDED(sendmsg(via[0], &message, 0) == sizeof(much));
	return nothing;
}

static long closes_unread(void)
{
	int ends[2];
	long end;

	connection(ends);
	NEEDED(write(ends[0], "unread", 6) == 6);
	wait_for(ends[1], POLLIN);
	NEEDED(close(ends[1]) == 0);
	end = peer_reads(ends[0]);
	close(ends[0]);
	return end;
}

int main(void)
{
	pthread_t thread;
	char bytes[4096];
	int status;
	pid_t child;

	begin();
	NEEDED(socketpair(AF_UNIX, SOCK_STREAM, 0, via) == 0);
	NEEDED(pthread_create(&thread, NULL, sends_for_long, NULL) == 0);
	wait_for(via[1], POLLIN);
	while (poll(&(struct pollfd){.fd = via[0], .events = POLLOUT}, 1, 0) == 1)
		; /* until it is full, so that the thread is in the call */
	child = fork();
	if (child == 0) {
		printf("child: %ld\n", closes_unread());
		exit(0);
	}
	NEEDED(waitpid(child, &status, 0) == child && status == 0);
	while (recv(via[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0 ||
		pthread_tryjoin_np(thread, NULL))
		;
	printf("parent: %ld\n", closes_unread());
	return 0;
}
