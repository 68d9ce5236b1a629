/* SPDX-License-Identifier: MIT */
/*
 * A server that forks for each connection. The parent closes its descriptor at once: that is not
 * the end of the connection, the child holds it. Children serve one request (request.h) and exit
 * without closing what they forgot.
 */
#include "request.h"

#include <signal.h>
#include <sys/wait.h>

int main(void)
{
	int listener;

	alarm(SERVER_SECONDS);
	listener = listen_on_loopback();
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct pollfd wait[] = {
			{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
		int fd;

		if (poll(wait, 2, -1) < 0)
			give_up("poll");
		if (wait[1].revents)
			return 0;
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			give_up("accept");
		switch (fork()) {
		case -1: give_up("fork"); break;
		case 0:
			alarm(SERVER_SECONDS);
			close(listener);
			serve(fd);
			exit(0);
		default: close(fd);
		}
	}
}
