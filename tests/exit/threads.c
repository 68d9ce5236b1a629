/* SPDX-License-Identifier: MIT */
/*
 * A thread for each connection, which answers and then waits for ever; main waits for them. SIGTERM has its default action.
 *
 * threads CONNECTIONS [writing]     "served" once all have been answered; writing: each goes on to write, a byte a millisecond
 */
#include "../apps/request.h"

#include <pthread.h>

static int served, wanted;
static bool writes;

static void *answer(void *argument)
{
	int fd = (int)(long)argument;
	struct request request;

	if (!read_request(fd, &request))
		give_up("request");
	for (long at = 0; at < request.bytes;) {
		size_t bytes = (size_t)(request.bytes - at);
		const char *block = pattern_at(at, &bytes);
		ssize_t sent = write(fd, block, bytes);

		if (sent < 0)
			give_up("write");
		at += sent;
	}
	if (__atomic_add_fetch(&served, 1, __ATOMIC_SEQ_CST) == wanted) {
		puts("served");
		fflush(stdout);
	}
	for (;;) {
		poll(NULL, 0, writes ? 1 : -1);
		if (writes && write(fd, "x", 1) < 0 && errno != EPIPE)
			give_up("write");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int listener;

	if (argc < 2)
		return 2;
	wanted = atoi(argv[1]);
	writes = argc > 2;
	alarm(SERVER_SECONDS);
	listener = listen_on_loopback();
	for (int i = 0; i < wanted; i++) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0 || pthread_create(&thread, NULL, answer, (void *)(long)fd) != 0)
			give_up("accept");
	}
	return pthread_join(thread, NULL);
}
