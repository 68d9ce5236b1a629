/* SPDX-License-Identifier: MIT */
/*
 * A server that answers early: it reads a line ("answer N"), writes N bytes and closes, whatever is still on its way.
 *
 * early PORT plain. Or early PORT http BYTES: the line is of a request of HTTP, BYTES the size of each answer; then it is read to the end,
 * for it is nginx who asks, and whose answer counts.
 *
 * On all addresses, IPv4 and IPv6. Its send buffer holds a whole answer: it never waits for a client that does not read.
 */
#include "../apps/request.h"

#include <pthread.h>

enum { THREADS = 64, SNDBUF_BYTES = 512 << 10, LISTEN_BACKLOG = 1024 };

static int listener;
static long http_bytes;

static void serve_http(int fd)
{
	char line[128], buffer[16384];

	if (read(fd, buffer, sizeof(buffer)) > 0) {
		snprintf(line, sizeof(line),
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %ld\r\n\r\n",
			http_bytes);
		if (send(fd, line, strlen(line), MSG_NOSIGNAL) > 0)
			send_pattern(fd, http_bytes);
		while (read(fd, buffer, sizeof(buffer)) > 0)
			;
	}
	close(fd);
}

static void *worker(void *argument)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			http_bytes ? serve_http(fd) : serve(fd);
	}
	return argument;
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	int sndbuf = SNDBUF_BYTES, on = 1;
	pthread_t thread;

	if (argc < 3)
		return 2;
	http_bytes = argc > 3 ? atol(argv[3]) : 0;
	address.sin6_port = htons((uint16_t)atoi(argv[1]));
	listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 ||
		setsockopt(listener, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)) < 0 ||
		setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(listener, LISTEN_BACKLOG) < 0)
		give_up("listen");
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, worker, NULL) != 0)
			give_up("pthread_create");
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
