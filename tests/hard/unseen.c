/* SPDX-License-Identifier: MIT */
/*
 * A number changes its owner behind everybody's back: unseen HOW WHAT.
 *
 * Connection A stands in CLOSE-WAIT, and so does C, a little later. A's number is closed by HOW: "hand" (an instruction of our own), "ring"
 * (io_uring) or "library". Then WHAT gets the number: nothing, pipe, file, udp, unix, tcp (accepted as usual), stranger (accepted by HOW),
 * copy (of C, by a dup3 of our own, without a close before), twin (first a copy of C as usual, then a stranger), waiting (a stranger in CLOSE-WAIT, too, who waits for an answer). At each step it says what
 * it holds, and waits for a line of standard input.
 */
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "../shim/transcript.h"
#include "past_the_library.h"

static struct ring ring;
static const char *how;

static void close_unseen(int fd)
{
	if (!strcmp(how, "hand"))
		NEEDED(by_hand(SYS_close, fd, 0, 0, 0, 0, 0) == 0);
	else if (!strcmp(how, "ring"))
		NEEDED(by_ring(&ring, IORING_OP_CLOSE, fd, NULL, 0) == 0);
	else
		NEEDED(close(fd) == 0);
}

static int accept_unseen(void)
{
	if (!strcmp(how, "ring"))
		return by_ring(&ring, IORING_OP_ACCEPT, listener, NULL, 0);
	return (int)by_hand(SYS_accept4, listener, 0, 0, 0, 0, 0);
}

static int connect_client(void)
{
	int fd;

	if (strcmp(how, "ring") != 0) {
		fd = (int)by_hand(SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0, 0);
		NEEDED(by_hand(SYS_connect, fd, (long)&address, sizeof(address), 0, 0, 0) == 0);
		return fd;
	}
	fd = (int)by_hand(SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0, 0);
	NEEDED(by_ring(&ring, IORING_OP_CONNECT, fd, &address, sizeof(address)) == 0);
	return fd;
}

/* `other[0]`: the end that is not in `number`. */
static void open_in(int number, const char *what, int waiting_client, int other[1])
{
	struct sockaddr_in mine = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(mine);
	int ends[2] = {-1, -1};

	other[0] = -1;
	if (!strcmp(what, "pipe")) {
		NEEDED(pipe(ends) == 0);
		other[0] = ends[1];
	} else if (!strcmp(what, "unix")) {
		NEEDED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
		other[0] = ends[1];
	} else if (!strcmp(what, "file")) {
		ends[0] = open("/proc/self/exe", O_RDONLY);
	} else if (!strcmp(what, "udp")) {
		ends[0] = (int)by_hand(SYS_socket, AF_INET, SOCK_DGRAM, 0, 0, 0, 0);
		NEEDED(bind(ends[0], (struct sockaddr *)&mine, length) == 0);
		NEEDED(getsockname(ends[0], (struct sockaddr *)&mine, &length) == 0);
		NEEDED((other[0] = socket(AF_INET, SOCK_DGRAM, 0)) >= 0);
		NEEDED(connect(other[0], (struct sockaddr *)&mine, length) == 0);
	} else if (!strcmp(what, "tcp") || !strcmp(what, "stranger") || !strcmp(what, "twin") ||
		   !strcmp(what, "waiting")) {
		ends[0] = !strcmp(what, "tcp") ? accept(listener, NULL, NULL) : accept_unseen();
		other[0] = waiting_client;
		if (!strcmp(what, "waiting"))
			NEEDED(shutdown(waiting_client, SHUT_WR) == 0);
	} else {
		return;
	}
	NEEDED(ends[0] == number);
}

static unsigned long long cookie_of(int fd)
{
	unsigned long long cookie = 0;
	socklen_t length = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length);
	return cookie;
}

static void step(const char *name)
{
	char line[16];

	printf("step %s\n", name);
	if (!fgets(line, sizeof(line), stdin))
		clearerr(stdin);
}

static void works(int number, int other, bool waits)
{
	char byte = 'b';

	if (other < 0)
		return;
	if (waits) {
		SAY(write(number, &byte, 1));
		wait_for(other, POLLIN);
		SAY(read(other, &byte, 1));
		return;
	}
	SAY(write(other, &byte, 1));
	wait_for(number, POLLIN);
	SAY(read(number, &byte, 1));
	/* What waits unread at the close that follows. */
	SAY(write(other, "unread", 6));
	wait_for(number, POLLIN);
}

int main(int count, char **words)
{
	int a[2], c[2], other[1], client, error;
	const char *what;

	NEEDED(count == 3);
	how = words[1];
	what = words[2];
	begin();
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(how, "ring") && (error = ring_open(&ring)) < 0) {
		printf("no ring: %s\n", strerror(-error));
		return 0;
	}
	connection(a);
	connection(c);
	client = connect_client();
	printf("A fd=%d cookie=%llu\nC fd=%d cookie=%llu\n", a[1], cookie_of(a[1]), c[1],
		cookie_of(c[1]));
	step("ready");
	NEEDED(shutdown(a[0], SHUT_WR) == 0);
	wait_for(a[1], POLLIN);
	step("standing");
	if (!strcmp(what, "twin"))
		NEEDED(dup2(c[1], a[1]) == a[1]);
	if (!strcmp(what, "copy"))
		NEEDED(by_hand(SYS_dup3, c[1], a[1], 0, 0, 0, 0) == a[1]);
	else
		close_unseen(a[1]);
	SAY(peer_reads(a[0]));
	open_in(a[1], what, client, other);
	if (strcmp(what, "copy") != 0)
		NEEDED(shutdown(c[0], SHUT_WR) == 0);
	printf("B fd=%d cookie=%llu\n", a[1], cookie_of(a[1]));
	step("replaced");
	works(a[1], other[0], !strcmp(what, "waiting"));
	SAY(close(a[1]));
	step("closed");
	/* 0: an orderly end; -ECONNRESET: what waited was thrown away. */
	if (other[0] >= 0 && other[0] == client)
		SAY(peer_reads(client));
	if (!strcmp(what, "copy"))
		SAY(is_open(c[0]));
	return 0;
}
