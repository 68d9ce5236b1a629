/* SPDX-License-Identifier: MIT */
/*
 * A client that shows whether responses get lost: an 8 KiB receive buffer, a request and an upload
 * of 1 MiB (errors while sending are ignored: the answer may already be there), and only then it
 * reads, on to the end of the stream.
 *
 * uploading_client PORT CONNECTIONS AT-ONCE BYTES plain|http
 * Prints "complete=N of CONNECTIONS, reset=N": responses with exactly BYTES bytes of body, and
 * connections that met an RST. Exit status 0 when all are complete.
 */
#include "request.h"

#include <pthread.h>

/*
 * On loopback a whole upload fits into the default send buffer and the client could read on at
 * once; a small one makes it take its time, as a network does.
 */
enum { UPLOAD_BYTES = 1 << 20, RECEIVE_BUFFER_BYTES = 8 << 10, SEND_BUFFER_BYTES = 64 << 10 };

static int port, connections, taken, complete, reset;
static long wanted_bytes;
static bool http;

static int connect_with_small_buffer(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval patience = {.tv_sec = 15};
	int receive_bytes = RECEIVE_BUFFER_BYTES, send_bytes = SEND_BUFFER_BYTES;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
		connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		give_up("connect");
	return fd;
}

static bool send_all(int fd, const char *data, long bytes)
{
	for (long at = 0; at < bytes;) {
		ssize_t sent = send(fd, data + at, (size_t)(bytes - at), MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		at += sent;
	}
	return true;
}

/* One connection; the bytes of the body, -1 where the pattern is broken. */
static long ask(bool *was_reset)
{
	static const char upload[UPLOAD_BYTES];
	char head[256], buffer[4096];
	long body = 0;
	int fd = connect_with_small_buffer(), end_of_head = http ? 4 : 0;
	ssize_t got;

	if (http)
		snprintf(head, sizeof(head),
			"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n",
			UPLOAD_BYTES);
	else
		snprintf(head, sizeof(head), "answer %ld\n", wanted_bytes);
	*was_reset =
		!send_all(fd, head, (long)strlen(head)) || !send_all(fd, upload, sizeof(upload));
	while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		for (ssize_t i = 0; i < got; i++) {
			if (end_of_head > 0)
				/* "\r\n\r\n": each byte in turn, or from the start again */
				end_of_head = buffer[i] == "\n\r\n\r"[end_of_head - 1]
						      ? end_of_head - 1
					      : buffer[i] == '\r' ? 3
								  : 4;
			else if (body >= 0 && buffer[i] == pattern_byte(body))
				body++;
			else
				body = -1;
		}
	*was_reset |= got < 0;
	close(fd);
	return body;
}

static void *worker(void *argument)
{
	while (__atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED) <= connections) {
		bool was_reset;

		if (ask(&was_reset) == wanted_bytes)
			__atomic_add_fetch(&complete, 1, __ATOMIC_RELAXED);
		if (was_reset)
			__atomic_add_fetch(&reset, 1, __ATOMIC_RELAXED);
	}
	return argument;
}

int main(int argc, char **argv)
{
	pthread_t threads[64];
	int at_once;

	if (argc != 6) {
		fprintf(stderr,
			"usage: uploading_client PORT CONNECTIONS AT-ONCE BYTES plain|http\n");
		return 2;
	}
	port = atoi(argv[1]);
	connections = atoi(argv[2]);
	at_once = atoi(argv[3]) < 64 ? atoi(argv[3]) : 64;
	wanted_bytes = atol(argv[4]);
	http = !strcmp(argv[5], "http");
	alarm(SERVER_SECONDS);
	for (int i = 0; i < at_once; i++)
		if (pthread_create(&threads[i], NULL, worker, NULL) != 0)
			give_up("pthread_create");
	for (int i = 0; i < at_once; i++)
		pthread_join(threads[i], NULL);
	printf("complete=%d of %d, reset=%d\n", complete, connections, reset);
	return complete == connections ? 0 : 1;
}
