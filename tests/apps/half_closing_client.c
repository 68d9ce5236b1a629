/* SPDX-License-Identifier: MIT */
/*
 * A client as `nc -N`: it sends its request, shuts down its writing side, and takes SECONDS to
 * receive the BYTES of the answer, a tenth of a second's worth at a time. It has every right to.
 *
 * half_closing_client PORT BYTES SECONDS [HTTP-PATH]
 * SECONDS "stall": read nothing for 30 s, the client that a bound is for. BYTES 0: be forgotten. Prints "received N of
 * BYTES" and how it ended.
 */
#include "request.h"

#include <time.h>

enum { RECEIVE_BUFFER_BYTES = 64 << 10 };

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int connect_slowly(int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), bytes = RECEIVE_BUFFER_BYTES;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0 ||
		connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		give_up("connect");
	return fd;
}

int main(int argc, char **argv)
{
	static char buffer[1 << 16];
	char head[256];
	long wanted, received = 0;
	double seconds, started;
	ssize_t got = 1;
	int fd;

	if (argc < 4 || argc > 5) {
		fprintf(stderr,
			"usage: half_closing_client PORT BYTES SECONDS|stall [HTTP-PATH]\n");
		return 2;
	}
	wanted = atol(argv[2]);
	seconds = strcmp(argv[3], "stall") != 0 ? atof(argv[3]) : 0;
	alarm(SERVER_SECONDS);
	fd = connect_slowly(atoi(argv[1]));
	if (argc == 5)
		snprintf(head, sizeof(head), "GET %s HTTP/1.0\r\n\r\n", argv[4]);
	else
		snprintf(head, sizeof(head), "%s %ld\n", wanted > 0 ? "after-eof" : "forget",
			wanted);
	if (send(fd, head, strlen(head), MSG_NOSIGNAL) < 0 || shutdown(fd, SHUT_WR) < 0)
		give_up("request");
	if (!strcmp(argv[3], "stall")) {
		/* Reads nothing, yet learns when it is over: POLLERR from an RST, POLLRDHUP from a FIN. */
		struct pollfd over = {.fd = fd, .events = POLLRDHUP};

		printf("stalled\n");
		fflush(stdout);
		poll(&over, 1, 30000);
		seconds = 0;
	}
	started = now_s();
	while (got > 0) {
		/* Never ahead of time: a pause of a tenth of a second where it is. */
		double due = seconds * (double)received / (double)wanted;

		if (now_s() - started < due)
			poll(NULL, 0, 100);
		for (long turn = 0;
			turn < (seconds > 0 ? (long)((double)wanted / seconds / 10) : 1) && got > 0;
			turn += got) {
			got = recv(fd, buffer, sizeof(buffer), 0);
			received += got > 0 ? got : 0;
		}
	}
	printf("received %ld of %ld in %.1f s, then %s\n", received, wanted, now_s() - started,
		got < 0 ? strerror(errno) : "end of stream");
	return got == 0 && received >= wanted ? 0 : 1;
}
