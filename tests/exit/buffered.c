/* SPDX-License-Identifier: MIT */
/*
 * Ends with something left in a stream of the C library.
 *   pipe        in standard output, once nobody reads that any more
 *   file PATH   in a file, with an upload unread on a connection whose peer does not close
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void leave_in_pipe(void)
{
	struct pollfd reader = {.fd = STDOUT_FILENO};

	setvbuf(stdout, NULL, _IOFBF, 4096);
	fputs("left\n", stdout);
	while (poll(&reader, 1, -1) < 1 || !(reader.revents & POLLERR))
		;
}

static void leave_in_file(const char *path)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), peer = socket(AF_INET, SOCK_STREAM, 0);
	FILE *file = fopen(path, "we");
	int ready[2];
	char none;

	if (!file || pipe(ready) || bind(listener, (struct sockaddr *)&address, length) ||
		listen(listener, 1) ||
		getsockname(listener, (struct sockaddr *)&address, &length) ||
		connect(peer, (struct sockaddr *)&address, length) ||
		accept(listener, NULL, NULL) < 0 || write(peer, "unread", 6) != 6)
		exit(1);
	/* Who holds the peer is somebody else, who never closes. */
	if (fork() == 0) {
		for (int fd = 0; fd < 64; fd++)
			if (fd != peer)
				close(fd);
		sleep(20);
		_exit(0);
	}
	close(peer);
	close(ready[1]);
	if (read(ready[0], &none, 1) != 0) /* it has closed all the rest */
		exit(1);
	fputs("left in the file\n", file);
}

int main(int argc, char **argv)
{
	if (argc == 2)
		leave_in_pipe();
	else if (argc == 3)
		leave_in_file(argv[2]);
	return 0;
}
