/* SPDX-License-Identifier: MIT */
/*
 * A server of the oldest kind: one blocking thread for each connection. It closes with uploads
 * unread, and forgets connections when it is asked to (request.h).
 */
#include "request.h"

#include <pthread.h>

static int served;

static void *connection(void *argument)
{
	serve((int)(long)argument);
	__atomic_add_fetch(&served, 1, __ATOMIC_RELAXED);
	return NULL;
}

int main(void)
{
	int listener;
	char line[64];

	alarm(SERVER_SECONDS);
	listener = listen_on_loopback();
	for (;;) {
		struct pollfd wait[] = {
			{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
		pthread_t thread;
		int fd;

		if (poll(wait, 2, -1) < 0)
			give_up("poll");
		if (wait[1].revents) {
			if (!fgets(line, sizeof(line), stdin))
				return 0;
			printf("served=%d open=%d\n", __atomic_load_n(&served, __ATOMIC_RELAXED),
				open_connections());
			fflush(stdout);
		}
		if (!wait[0].revents)
			continue;
		fd = accept(listener, NULL, NULL);
		if (fd < 0 || pthread_create(&thread, NULL, connection, (void *)(long)fd) != 0)
			give_up("a thread for a connection");
		pthread_detach(thread);
	}
}
