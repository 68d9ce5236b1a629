/* SPDX-License-Identifier: MIT */
/* socket, connect, accept, listen, shutdown, setsockopt, epoll_ctl, and the same by syscall(2). */
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/un.h>

#include "transcript.h"

static void sockets(void)
{
	int fd;

	SAY(socket(AF_INET, 99, 0));
	SAY(socket(-1, SOCK_STREAM, 0));
	SAY(fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
	SAY(fcntl(fd, F_GETFD));
	SAY(close(fd));
	SAY(fd = socket(AF_INET, SOCK_DGRAM, 0));
	SAY(listen(fd, 1));
	SAY(shutdown(fd, SHUT_RDWR));
	SAY(close(fd));
	SAY(fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
	SAY(listen(fd, 1)); /* takes a port by itself */
	SAY(close(fd));
	SAY(listen(-1, 1));
	SAY(listen(STDIN_FILENO, 1));
}

static void connects(void)
{
	struct sockaddr_in nobody = address;
	struct sockaddr nothing = {.sa_family = AF_UNSPEC};
	struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
	char *volatile nowhere = (char *)8;
	int fd, taken = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t length = sizeof(nobody);

	/* A port that is bound and does not listen refuses. */
	nobody.sin_port = 0;
	NEEDED(bind(taken, (struct sockaddr *)&nobody, sizeof(nobody)) == 0);
	NEEDED(getsockname(taken, (struct sockaddr *)&nobody, &length) == 0);
	NEEDED((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	SAY(connect(-1, (struct sockaddr *)&address, sizeof(address)));
	SAY(connect(STDIN_FILENO, (struct sockaddr *)&address, sizeof(address)));
	SAY(connect(fd, (struct sockaddr *)&address, 3));
	SAY(connect(fd, (struct sockaddr *)nowhere, sizeof(address)));
	SAY(connect(fd, (struct sockaddr *)&path, sizeof(path)));
	SAY(connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)));
	SAY(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	SAY(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	SAY(connect(fd, &nothing, sizeof(nothing)));
	SAY(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	SAY(close(fd));
	NEEDED((fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0);
	SAY(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	wait_for(fd, POLLOUT);
	SAY(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	SAY(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	SAY(close(fd));
	NEEDED((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	SAY(syscall(SYS_connect, fd, &address, sizeof(address)));
	SAY(syscall(SYS_close, fd));
	SAY(close(taken));
	for (taken = 0; taken < 4; taken++)
		SAY(close(accept(listener, NULL, NULL)));
}

static void accepts(void)
{
	struct sockaddr_in peer, name;
	socklen_t length = sizeof(peer), room = sizeof(name);
	int fd, got;

	NEEDED(fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK) == 0);
	SAY(accept(listener, NULL, NULL));
	SAY(accept(-1, NULL, NULL));
	SAY(accept(STDIN_FILENO, NULL, NULL));
	SAY(accept4(listener, NULL, NULL, 0x7f));
	NEEDED((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	SAY(accept(fd, NULL, NULL));
	NEEDED(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	wait_for(listener, POLLIN);
	SAY(got = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC));
	SAY(fcntl(got, F_GETFD));
	NEEDED(getsockname(fd, (struct sockaddr *)&name, &room) == 0);
	SAY(length == sizeof(peer) && peer.sin_port == name.sin_port);
	SAY(accept(got, NULL, NULL));
	SAY(close(got));
	SAY(peer_reads(fd));
	SAY(close(fd));
	NEEDED((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	NEEDED(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	wait_for(listener, POLLIN);
	SAY(got = (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_NONBLOCK));
	SAY(fcntl(got, F_GETFL));
	SAY(close(got));
	SAY(close(fd));
	NEEDED(fcntl(listener, F_SETFL, O_RDWR) == 0);
}

static void shutdowns(void)
{
	int ends[2], how;

	SAY(shutdown(-1, SHUT_WR));
	SAY(shutdown(STDIN_FILENO, SHUT_WR));
	for (how = SHUT_RD; how <= SHUT_RDWR; how++) {
		connection(ends);
		SAY(shutdown(ends[1], 7));
		SAY(shutdown(ends[1], how));
		SAY(shutdown(ends[1], how));
		SAY(close(ends[1]));
		SAY(peer_reads(ends[0]));
		SAY(shutdown(ends[0], SHUT_WR));
		SAY(close(ends[0]));
	}
	connection(ends);
	SAY(syscall(SYS_shutdown, ends[1], SHUT_WR));
	SAY(syscall(SYS_shutdown, ends[1], 7));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[1]) + close(ends[0]));
}

static void options(void)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0}, timed = {.l_onoff = 1, .l_linger = 2};
	char *volatile nowhere = (char *)8;
	int ends[2], on = 1;

	connection(ends);
	SAY(setsockopt(-1, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	SAY(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, 3));
	SAY(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, nowhere, sizeof(linger)));
	SAY(setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	SAY(setsockopt(ends[1], SOL_SOCKET, 9999, &on, sizeof(on)));
	SAY(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &timed, sizeof(timed)));
	SAY(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	SAY(close(ends[1]));
	SAY(peer_reads(ends[0])); /* an asked-for reset stays one */
	SAY(close(ends[0]));
	connection(ends);
	SAY(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &timed, sizeof(timed)));
	SAY(close(ends[1]));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

static void epolls(void)
{
	struct epoll_event event = {.events = EPOLLIN}, got;
	int ends[2], set = epoll_create1(EPOLL_CLOEXEC);

	connection(ends);
	SAY(epoll_ctl(set, EPOLL_CTL_ADD, ends[1], &event));
	SAY(epoll_ctl(set, EPOLL_CTL_ADD, ends[1], &event));
	SAY(epoll_ctl(set, EPOLL_CTL_MOD, ends[1], &event));
	SAY(epoll_ctl(set, EPOLL_CTL_DEL, ends[0], &event));
	SAY(epoll_ctl(-1, EPOLL_CTL_ADD, ends[1], &event));
	SAY(epoll_ctl(set, 99, ends[1], &event));
	SAY(write(ends[0], "x", 1));
	SAY(epoll_wait(set, &got, 1, 1000));
	SAY(close(ends[1])); /* with unread data: no event may come of it afterwards */
	SAY(epoll_wait(set, &got, 1, 100));
	SAY(close(ends[0]));
	SAY(epoll_wait(set, &got, 1, 100));
	SAY(close(set));
}

int main(void)
{
	begin();
	sockets();
	connects();
	accepts();
	shutdowns();
	options();
	epolls();
	SAY(socket(AF_INET, SOCK_STREAM, 0));
	return 0;
}
