/* SPDX-License-Identifier: MIT */
/*
 * A server on epoll, level- or edge-triggered by its argument. It closes descriptors that are still
 * registered, as most do (the kernel removes them), with uploads unread, and counts zombies: events
 * that arrive with the pointer of a connection that it has closed.
 */
#include "request.h"

#include <sys/epoll.h>

struct connection {
	int fd;
	bool closed, has_request, peer_finished;
	struct request request;
	char line[REQUEST_LINE];
	size_t line_length;
	long sent;
};

static int epoll_fd, served, zombies;
static unsigned int trigger;

static void end_connection(struct connection *c)
{
	close(c->fd);
	c->closed = true; /* never freed: a zombie event still finds it */
	served++;
}

/* Reads the line, and beyond it only where the request says so. False: nothing more to do now. */
static bool read_some(struct connection *c)
{
	char buffer[4096];
	ssize_t got;

	if (!c->has_request) {
		got = read(c->fd, c->line + c->line_length, 1);
		if (got <= 0) {
			if (got == 0 || errno != EAGAIN)
				end_connection(c);
			return false;
		}
		if (c->line[c->line_length] != '\n' && ++c->line_length + 1 < sizeof(c->line))
			return true;
		c->line[c->line_length] = '\0';
		c->has_request = parse_request(c->line, &c->request);
		if (!c->has_request)
			end_connection(c);
		return c->has_request;
	}
	if (c->request.kind == REQUEST_ANSWER || c->peer_finished)
		return false;
	got = read(c->fd, buffer, sizeof(buffer));
	if (got == 0)
		c->peer_finished = true;
	return got > 0;
}

static void write_some(struct connection *c)
{
	if (!c->has_request || c->closed)
		return;
	if (c->request.kind != REQUEST_ANSWER && !c->peer_finished)
		return;
	if (c->request.kind == REQUEST_FORGET) {
		/* Forgotten: out of the set, so that level-triggered does not spin. */
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
		served += c->sent == 0;
		c->sent = 1;
		return;
	}
	while (c->sent < c->request.bytes) {
		size_t bytes = (size_t)(c->request.bytes - c->sent);
		const char *block = pattern_at(c->sent, &bytes);
		ssize_t sent = send(c->fd, block, bytes, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			break;
		c->sent += sent;
	}
	end_connection(c);
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));
		struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | trigger};

		if (!c)
			give_up("calloc");
		c->fd = fd;
		event.data.ptr = c;
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			give_up("EPOLL_CTL_ADD");
	}
}

/* An end of input ends the server. */
static void obey(void)
{
	char line[64];

	if (!fgets(line, sizeof(line), stdin))
		exit(0);
	printf("served=%d open=%d zombies=%d\n", served, open_connections(), zombies);
	fflush(stdout);
}

static void watch(int fd, void *pointer)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = pointer};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		give_up("EPOLL_CTL_ADD");
}

int main(int argc, char **argv)
{
	static int is_listener, is_input;
	int listener;

	if (argc != 2 || (strcmp(argv[1], "level") != 0 && strcmp(argv[1], "edge") != 0)) {
		fprintf(stderr, "usage: epoll_server level|edge\n");
		return 2;
	}
	trigger = argv[1][0] == 'e' ? EPOLLET : 0;
	alarm(SERVER_SECONDS);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on_loopback();
	fcntl(listener, F_SETFL, O_NONBLOCK);
	watch(listener, &is_listener);
	watch(0, &is_input);
	for (;;) {
		struct epoll_event events[16];
		int count = epoll_wait(epoll_fd, events, 16, -1);

		for (int i = 0; i < count; i++) {
			struct connection *c = events[i].data.ptr;

			if (events[i].data.ptr == &is_listener) {
				accept_all(listener);
			} else if (events[i].data.ptr == &is_input) {
				obey();
			} else if (c->closed) {
				printf("zombie event 0x%x for closed fd %d\n", events[i].events,
					c->fd);
				zombies++;
			} else {
				while (!c->closed && read_some(c))
					;
				write_some(c);
			}
		}
	}
}
