/* SPDX-License-Identifier: MIT */
/* Threads that are cancelled while they block in a hooked call: the clean-up runs, and nothing else has happened. */
#include <pthread.h>

#include "transcript.h"

enum way { READ, RECV, RECVMSG, ACCEPT, CLOSE, CONNECT, WAYS };
static const char *const names[] = {"read", "recv", "recvmsg", "accept", "close", "connect"};

static int ends[2], full;
static volatile int cleaned, asked;
static pthread_barrier_t started;

static void clean_up(void *value)
{
	cleaned += *(int *)value;
}

static void *block(void *value)
{
	enum way way = *(enum way *)value;
	int one = 1, old;
	char byte;
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	volatile ssize_t got = 0;

	pthread_cleanup_push(clean_up, &one);
	if (way == CLOSE) /* the request is there before the call: close must not happen */
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	pthread_barrier_wait(&started);
	switch (way) {
	case READ: got = read(ends[1], &byte, 1); break;
	case RECV: got = recv(ends[1], &byte, 1, 0); break;
	case RECVMSG: got = recvmsg(ends[1], &message, 0); break;
	case ACCEPT: got = accept(listener, NULL, NULL); break;
	case CONNECT: got = connect(full, (struct sockaddr *)&address, sizeof(address)); break;
	case CLOSE:
		while (!asked)
			usleep(1000);
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
		got = close(ends[1]);
		break;
	default: break;
	}
	pthread_cleanup_pop(0);
	return (void *)got;
}

static void cancel(enum way way)
{
	pthread_t thread;
	void *result;

	cleaned = asked = 0;
	NEEDED(pthread_create(&thread, NULL, block, &way) == 0);
	pthread_barrier_wait(&started);
	usleep(100000);
	NEEDED(pthread_cancel(thread) == 0);
	asked = 1;
	NEEDED(pthread_join(thread, &result) == 0);
	printf("%s: cancelled %d, cleaned up %d\n", names[way], result == PTHREAD_CANCELED,
		cleaned);
}

/* A listener whose backlog is full answers no SYN: connect blocks. */
static void fill_the_backlog(void)
{
	int i;

	NEEDED(listen(listener, 0) == 0);
	for (i = 0; i < 4; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		NEEDED(fd >= 0);
		connect(fd, (struct sockaddr *)&address, sizeof(address));
	}
	usleep(50000);
	full = socket(AF_INET, SOCK_STREAM, 0);
}

int main(void)
{
	begin();
	pthread_barrier_init(&started, NULL, 2);
	connection(ends);
	cancel(READ);
	cancel(RECV);
	cancel(RECVMSG);
	cancel(ACCEPT);
	SAY(is_open(ends[0]));
	cancel(CLOSE);
	SAY(is_open(ends[0]));
	SAY(fcntl(ends[1], F_GETFD));
	SAY(close(ends[1]));
	SAY(peer_reads(ends[0]));
	fill_the_backlog();
	cancel(CONNECT);
	SAY(fcntl(full, F_GETFD));
	SAY(close(full));
	return 0;
}
