/* SPDX-License-Identifier: MIT */
/*
 * A server with a process for each connection, which answers and ends at once, without a close: forks exit|_exit.
 */
#include "../apps/request.h"

#include <signal.h>

static void answer(int fd)
{
	struct request request;

	if (read_request(fd, &request))
		send_pattern(fd, request.bytes);
}

int main(int argc, char **argv)
{
	int listener;

	if (argc != 2)
		return 2;
	alarm(SERVER_SECONDS);
	signal(SIGCHLD, SIG_IGN);
	listener = listen_on_loopback();
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			give_up("accept");
		if (fork() == 0) {
			answer(fd);
			if (argv[1][0] == '_')
				_exit(0);
			exit(0);
		}
		close(fd);
	}
}
