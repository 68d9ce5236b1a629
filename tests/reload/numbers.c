/* SPDX-License-Identifier: MIT */
/*
 * A program of one thread that relies on the lowest free number, as shells and old servers do: it makes a connection, then frees standard input and
 * opens a file there, and takes the next number by dup, over and over, until the file named by its argument is gone. Prints how often it
 * looked, and how often a number was not the lowest: "looked 123456, wrong 0".
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SECONDS = 150, LOOKS_AT_A_TIME = 200 };

static int connected(int ends[2])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0 ||
		getsockname(listener, (struct sockaddr *)&address, &length) < 0 ||
		connect(ends[0], (struct sockaddr *)&address, length) < 0)
		return -1;
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
	return ends[1];
}

int main(int argc, char **argv)
{
	long looked = 0, wrong = 0;
	int ends[2], next, i;

	alarm(SECONDS);
	if (argc != 2 || connected(ends) < 0)
		return 2;
	next = dup(0);
	close(next);
	printf("listening 0\n");
	fflush(stdout);
	while (access(argv[1], F_OK) == 0)
		for (i = 0; i < LOOKS_AT_A_TIME; i++, looked += 2) {
			int first, second;

			close(0);
			first = open("/dev/null", O_RDONLY);
			second = dup(ends[0]);
			wrong += (first != 0) + (second != next);
			if (first != 0)
				dup2(first, 0);
			if (first > 0)
				close(first);
			close(second);
		}
	printf("looked %ld, wrong %ld\n", looked, wrong);
	return 0;
}
