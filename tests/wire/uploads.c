/* SPDX-License-Identifier: MIT */
/*
 * Clients that upload while the server answers early: is each answer complete?
 *
 *	small		a receive buffer of 8 KiB; it uploads, whatever happens, and then reads to the end
 *	stops		it uploads and reads to the end, but gives up at the first error of sending
 *	late-small	a receive buffer of 8 KiB; it uploads when the answer has begun to come and the server has surely closed
 *	late-stops	it uploads when the whole answer and the server's FIN are there, and gives up at the first error of sending
 *
 * uploads ADDRESS PORT CONNECTIONS AT-ONCE UPLOAD-BYTES ANSWER-BYTES plain|http KIND...
 * By HTTP, uploads are the body of a POST of /upload; late ones follow a GET of /answer that has none. The kinds take turns. Prints "complete=N of CONNECTIONS reset=N" (connections in which an error was met).
 */
#include "../apps/request.h"

#include <pthread.h>

enum { SMALL_BUFFER = 8 << 10, PATIENCE_S = 60, PAUSE_MS = 30, THREADS = 256 };

enum kind { SMALL, STOPS, LATE_SMALL, LATE_STOPS, KINDS };
static const char *const kind_names[KINDS] = {"small", "stops", "late-small", "late-stops"};

static struct sockaddr_storage server;
static socklen_t server_length;
static enum kind kinds[KINDS];
static int kinds_count, connections, taken, complete, met_reset;
static long upload_bytes, answer_bytes;
static const char *upload;
static bool http;

static int connect_as(enum kind kind)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(server.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), small = SMALL_BUFFER;

	if (fd < 0)
		give_up("socket");
	if (kind == SMALL || kind == LATE_SMALL)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&server, server_length) < 0)
		give_up("connect");
	return fd;
}

static bool send_all(int fd, const char *data, long bytes)
{
	while (bytes > 0) {
		ssize_t sent = send(fd, data, (size_t)bytes, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		data += sent;
		bytes -= sent;
	}
	return true;
}

/* The bytes of the body, -1 where it is not what was asked for; *error when the stream did not end as it should. */
static long read_answer(int fd, bool *error)
{
	char buffer[16384];
	int end_of_head = http ? 4 : 0;
	long body = 0;
	ssize_t got;

	while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		for (ssize_t i = 0; i < got; i++) {
			if (end_of_head > 0)
				end_of_head = buffer[i] == "\n\r\n\r"[end_of_head - 1]
						      ? end_of_head - 1
					      : buffer[i] == '\r' ? 3
								  : 4;
			else if (body >= 0 && buffer[i] == pattern_byte(body))
				body++;
			else
				body = -1;
		}
	*error |= got < 0;
	return body;
}

/* One connection: true when the answer was complete. */
static bool ask(enum kind kind, bool *error)
{
	struct pollfd wait = {.events = kind == LATE_STOPS ? POLLRDHUP : POLLIN};
	bool stops = kind == STOPS || kind == LATE_STOPS;
	char head[256];
	long body = -1;

	wait.fd = connect_as(kind);
	if (http && (kind == LATE_SMALL || kind == LATE_STOPS))
		snprintf(head, sizeof(head),
			"GET /answer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	else if (http)
		snprintf(head, sizeof(head),
			"POST /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
			"Content-Length: %ld\r\n\r\n",
			upload_bytes);
	else
		snprintf(head, sizeof(head), "answer %ld\n", answer_bytes);
	*error = !send_all(wait.fd, head, (long)strlen(head));
	if (kind == LATE_SMALL || kind == LATE_STOPS)
		poll(&wait, 1, PATIENCE_S * 1000);
	if (kind == LATE_SMALL)
		poll(NULL, 0, PAUSE_MS);
	*error |= !send_all(wait.fd, upload, upload_bytes);
	if (!*error || !stops)
		body = read_answer(wait.fd, error);
	close(wait.fd);
	return body == answer_bytes;
}

static void *worker(void *argument)
{
	int number;

	while ((number = __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED)) < connections) {
		bool error = false;

		if (ask(kinds[number % kinds_count], &error))
			__atomic_add_fetch(&complete, 1, __ATOMIC_RELAXED);
		if (error)
			__atomic_add_fetch(&met_reset, 1, __ATOMIC_RELAXED);
	}
	return argument;
}

static void parse_address(const char *text, int port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&server;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&server;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		server_length = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		server_length = sizeof(*v6);
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	int at_once;

	if (argc < 9 || argc > 8 + KINDS)
		return 2;
	parse_address(argv[1], atoi(argv[2]));
	connections = atoi(argv[3]);
	at_once = atoi(argv[4]) < THREADS ? atoi(argv[4]) : THREADS;
	upload_bytes = atol(argv[5]);
	answer_bytes = atol(argv[6]);
	http = !strcmp(argv[7], "http");
	for (int i = 8; i < argc; i++)
		for (int kind = 0; kind < KINDS; kind++)
			if (!strcmp(argv[i], kind_names[kind]))
				kinds[kinds_count++] = (enum kind)kind;
	upload = calloc(1, (size_t)upload_bytes);
	if (!kinds_count || !server_length || !upload)
		return 2;
	for (int i = 0; i < at_once; i++)
		if (pthread_create(&threads[i], NULL, worker, NULL) != 0)
			give_up("pthread_create");
	for (int i = 0; i < at_once; i++)
		pthread_join(threads[i], NULL);
	printf("complete=%d of %d reset=%d\n", complete, connections, met_reset);
	return 0;
}
