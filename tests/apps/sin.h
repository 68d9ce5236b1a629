/* SPDX-License-Identifier: MIT */
/*
 * Common to the programs of this folder that do one thing wrong: a listener on loopback, a peer,
 * and steps.
 *
 * The peer is a process of its own, made before any connection, by executing this program again
 * without LD_PRELOAD: it holds no descriptor of the server's and is always plain TCP. It obeys one
 * command a line (peer() below) and answers each.
 *
 * A step prints one line on standard output
 *	step NAME fd=3 cookie=1a unread=0 kernel=CLOSE-WAIT local=127.0.0.1:4711 peer=127.0.0.1:4712
 * and waits for a line (or the end) of standard input, so that whoever started the program can look
 * around meanwhile. Every program ends by itself after 60 s.
 */
#ifndef SIN_H
#define SIN_H

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

enum { STEP_PATIENCE_MS = 3000, PEER_BUFFER_BYTES = 65536 };

static FILE *peer_commands, *peer_answers;

static inline _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

/* A listener on a port that the kernel chose. */
static inline int listen_on_loopback(int backlog)
{
	struct sockaddr_in address = loopback(0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, backlog) < 0)
		give_up("listen");
	return fd;
}

static inline int port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		give_up("getsockname");
	return ntohs(address.sin_port);
}

static inline void close_by_reset(int fd)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
		give_up("SO_LINGER");
	close(fd);
}

/* ---- the peer -------------------------------------------------------------------------------- */

/* A deaf socket drops every arriving segment before TCP sees it: no ACK goes back. It can send. */
static inline void set_deaf(int fd, bool deaf)
{
	struct sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog program = {.len = 1, .filter = drop};
	int unused = 0;

	if (deaf && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		give_up("SO_ATTACH_FILTER");
	if (!deaf && setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) < 0)
		give_up("SO_DETACH_FILTER");
}

static inline int connect_to(int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		give_up("connect");
	return fd;
}

static inline void peer_main(void)
{
	static char buffer[PEER_BUFFER_BYTES];
	char command[16];
	long number, bytes;
	int fd = -1;

	alarm(60);
	while (scanf("%15s %ld", command, &number) == 2) {
		long answer = 0;

		errno = 0;
		if (!strcmp(command, "connect")) {
			fd = connect_to((int)number);
		} else if (!strcmp(command, "send")) {
			answer = send(fd, buffer, (size_t)number, MSG_NOSIGNAL);
		} else if (!strcmp(command, "fin")) {
			answer = shutdown(fd, SHUT_WR);
		} else if (!strcmp(command, "read")) { /* to the end of the stream: bytes read */
			while ((bytes = read(fd, buffer, sizeof(buffer))) > 0)
				answer += bytes;
		} else if (!strcmp(command, "deaf")) {
			set_deaf(fd, number != 0);
		} else if (!strcmp(command, "reset")) {
			close_by_reset(fd);
		} else if (!strcmp(command, "close")) {
			answer = close(fd);
		} else {
			exit(2);
		}
		printf("%ld %d\n", answer, errno);
		fflush(stdout);
	}
	exit(0);
}

/*
 * connect PORT | send BYTES | fin 0 | read 0 | deaf 1 | deaf 0 | reset 0 | close 0. Returns what
 * the peer's call returned; errno is the peer's, 0 where all went well.
 */
static inline long peer(const char *command, long number)
{
	long answer;
	int error;

	fprintf(peer_commands, "%s %ld\n", command, number);
	fflush(peer_commands);
	if (fscanf(peer_answers, "%ld %d", &answer, &error) != 2) {
		fprintf(stderr, "the peer ended at '%s %ld'\n", command, number);
		exit(1);
	}
	errno = error;
	return answer;
}

static inline void start_peer(void)
{
	int commands[2], answers[2];

	if (pipe(commands) < 0 || pipe(answers) < 0)
		give_up("pipe");
	switch (fork()) {
	case -1: give_up("fork"); break;
	case 0:
		dup2(commands[0], 0);
		dup2(answers[1], 1);
		close(commands[0]);
		close(commands[1]);
		close(answers[0]);
		close(answers[1]);
		unsetenv("LD_PRELOAD");
		execl("/proc/self/exe", "peer", (char *)NULL);
		_exit(127);
	default:
		close(commands[0]);
		close(answers[1]);
		peer_commands = fdopen(commands[1], "w");
		peer_answers = fdopen(answers[0], "r");
	}
}

/* First line of main(). */
static inline void begin(char **argv)
{
	if (!strcmp(argv[0], "peer"))
		peer_main();
	alarm(60);
	start_peer();
}

/* The peer connects, this end accepts. */
static inline int accept_peer(int listener)
{
	int fd;

	peer("connect", port_of(listener));
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		give_up("accept");
	return fd;
}

/* Read all that comes, to the peer's FIN. */
static inline void read_to_end(int fd)
{
	char buffer[4096];

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static inline const char *kernel_state_name(int state)
{
	static const char *const names[] = {
		[TCP_ESTABLISHED] = "ESTABLISHED",
		[TCP_SYN_SENT] = "SYN-SENT",
		[TCP_SYN_RECV] = "SYN-RECEIVED",
		[TCP_FIN_WAIT1] = "FIN-WAIT-1",
		[TCP_FIN_WAIT2] = "FIN-WAIT-2",
		[TCP_TIME_WAIT] = "TIME-WAIT",
		[TCP_CLOSE] = "CLOSED",
		[TCP_CLOSE_WAIT] = "CLOSE-WAIT",
		[TCP_LAST_ACK] = "LAST-ACK",
		[TCP_LISTEN] = "LISTEN",
		[TCP_CLOSING] = "CLOSING",
	};

	return state > 0 && state < (int)(sizeof(names) / sizeof(names[0])) ? names[state] : "?";
}

static inline int kernel_state(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
		give_up("TCP_INFO");
	return info.tcpi_state;
}

struct identity {
	uint64_t cookie;
	char local[32], peer[32];
};

static struct identity last_identity; /* of the connection of the last step() */

static inline void print_address(char text[32], const struct sockaddr_in *address)
{
	snprintf(text, 32, "%s:%u", inet_ntoa(address->sin_addr), ntohs(address->sin_port));
}

/* Asked for while the connection lives: afterwards the kernel has forgotten the names. */
static inline struct identity identify(int fd)
{
	struct identity who = {0};
	struct sockaddr_in address;
	socklen_t length = sizeof(who.cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &who.cookie, &length) < 0)
		give_up("SO_COOKIE");
	length = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &length) == 0)
		print_address(who.local, &address);
	length = sizeof(address);
	if (getpeername(fd, (struct sockaddr *)&address, &length) == 0)
		print_address(who.peer, &address);
	return who;
}

static inline void say_step(const char *name, int fd, int unread, const char *state)
{
	char line[64];

	printf("step %s fd=%d cookie=%" PRIx64 " unread=%d kernel=%s local=%s peer=%s\n", name, fd,
		last_identity.cookie, unread, state, last_identity.local, last_identity.peer);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		clearerr(stdin);
}

/* Wait (bounded) until the kernel has this connection in `state`, say so, wait for a line. */
static inline void step(const char *name, int fd, int state)
{
	struct identity who = identify(fd);
	int unread = 0;

	if (who.cookie != last_identity.cookie || !last_identity.peer[0])
		last_identity = who;
	for (int waited = 0; kernel_state(fd) != state && waited < STEP_PATIENCE_MS; waited++)
		poll(NULL, 0, 1);
	ioctl(fd, FIONREAD, &unread);
	say_step(name, fd, unread, kernel_state_name(kernel_state(fd)));
}

/* The same for the connection of the last step, whose descriptor is closed: only ss knows more. */
static inline void step_without_fd(const char *name)
{
	say_step(name, -1, 0, "-");
}

static inline void finish(void)
{
	printf("end\n");
	fflush(stdout);
	fclose(peer_commands);
	exit(0);
}

#endif
