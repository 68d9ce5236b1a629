/* SPDX-License-Identifier: MIT */
/*
 * The little protocol that the servers of this folder speak. A client sends one line:
 *	answer N	N bytes, then close, whatever else the client sends: an upload stays unread
 *	after-eof N	read to the client's FIN, then N bytes, then close
 *	forget 0	read to the client's FIN, then forget the descriptor: the leak
 * The N bytes are pattern_byte(0), pattern_byte(1), ... so that a hole or a repetition is seen.
 *
 * Servers print "listening PORT" and obey lines of standard input: "count" prints what they have
 * seen, its end ends them.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_LINE = 64, PATTERN_BLOCK = 23 * 1024, SERVER_SECONDS = 60 };

enum request_kind { REQUEST_ANSWER, REQUEST_AFTER_EOF, REQUEST_FORGET };

struct request {
	enum request_kind kind;
	long bytes;
};

static inline _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline char pattern_byte(long position)
{
	return (char)('a' + position % 23);
}

/* Where the answer goes on at `position`; *bytes is cut to what the block holds from there. */
static inline const char *pattern_at(long position, size_t *bytes)
{
	static char block[PATTERN_BLOCK * 2];
	static bool ready;

	if (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE)) {
		for (long i = 0; i < (long)sizeof(block); i++)
			block[i] = pattern_byte(i);
		__atomic_store_n(&ready, true, __ATOMIC_RELEASE);
	}
	if (*bytes > PATTERN_BLOCK)
		*bytes = PATTERN_BLOCK;
	return block + position % 23;
}

static inline bool parse_request(const char *line, struct request *request)
{
	static const char *const names[] = {"answer", "after-eof", "forget"};
	char name[16];

	if (sscanf(line, "%15s %ld", name, &request->bytes) != 2)
		return false;
	for (int i = 0; i < 3; i++) {
		request->kind = (enum request_kind)i;
		if (!strcmp(name, names[i]))
			return true;
	}
	return false;
}

/* For blocking servers. Byte by byte, so that not a byte of the upload behind the line is read. */
static inline bool read_request(int fd, struct request *request)
{
	char line[REQUEST_LINE];
	size_t length = 0;

	while (length + 1 < sizeof(line) && read(fd, line + length, 1) == 1 && line[length] != '\n')
		length++;
	line[length] = '\0';
	return parse_request(line, request);
}

/* So many bytes of the answer, or as many as the peer takes. */
static inline void send_pattern(int fd, long bytes)
{
	for (long at = 0; at < bytes;) {
		size_t part = (size_t)(bytes - at);
		const char *block = pattern_at(at, &part);
		ssize_t sent = send(fd, block, part, MSG_NOSIGNAL);

		if (sent < 0)
			break;
		at += sent;
	}
}

/* For blocking servers: everything up to the close. */
static inline void serve(int fd)
{
	struct request request;
	char buffer[4096];

	if (!read_request(fd, &request)) {
		close(fd);
		return;
	}
	if (request.kind != REQUEST_ANSWER)
		while (read(fd, buffer, sizeof(buffer)) > 0)
			;
	if (request.kind == REQUEST_FORGET)
		return;
	send_pattern(fd, request.bytes);
	close(fd);
}

static inline int listen_on_loopback(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 128) < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		give_up("listen");
	printf("listening %d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* Descriptors that are sockets, the listener apart. */
static inline int open_connections(void)
{
	int open = 0, type, listening;
	socklen_t length;

	for (int fd = 3; fd < 4096; fd++) {
		length = sizeof(type);
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &type, &length) < 0 || type != AF_INET)
			continue;
		length = sizeof(listening);
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 &&
			!listening)
			open++;
	}
	return open;
}

#endif
