/* SPDX-License-Identifier: MIT */
/*
 * Threads that accept, close, copy and replace the same few numbers without regard for each other: storms seen|unseen. With "unseen" also by
 * instructions of their own. The clients, a process of their own, only ever react: so what is still held when the storm is over must be
 * as open as when it was accepted. "cut: N" counts the others; then a line for each connection that it holds: "fd=N cookie=C".
 */
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "../shim/transcript.h"
#include "past_the_library.h"

enum { THREADS = 4, TURNS = 6000, LOW = 10, HIGH = 30, CLIENTS = 24, OURS = 100 };

static int unseen;

/* Connects again whenever it is hung up on. */
static void be_the_clients(void)
{
	struct pollfd clients[CLIENTS];
	char bytes[64];
	int i;

	for (i = 0; i < CLIENTS; i++)
		clients[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	for (;;) {
		for (i = 0; i < CLIENTS; i++) {
			if (clients[i].fd >= 0)
				continue;
			clients[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
			connect(clients[i].fd, (struct sockaddr *)&address, sizeof(address));
		}
		poll(clients, CLIENTS, 1000);
		for (i = 0; i < CLIENTS; i++) {
			ssize_t got = clients[i].revents
					      ? recv(clients[i].fd, bytes, sizeof(bytes), 0)
					      : 1;

			if (got > 0 || (got < 0 && errno == EAGAIN))
				continue;
			/* By a reset: the ports are needed again. */
			reset(clients[i].fd);
			clients[i].fd = -1;
		}
	}
}

static void turn(unsigned int *seed)
{
	int one = LOW + rand_r(seed) % (HIGH - LOW), other = LOW + rand_r(seed) % (HIGH - LOW),
	    pair[2];
	char bytes[64];

	switch (rand_r(seed) % (unseen ? 10 : 7)) {
	case 0:
	case 1: accept4(OURS, NULL, NULL, SOCK_NONBLOCK); break;
	case 2: close(one); break;
	case 3: dup2(one, other); break;
	case 4: dup3(one, other, O_CLOEXEC); break;
	case 5: recv(one, bytes, sizeof(bytes), MSG_DONTWAIT); break;
	case 6:
		if (pipe2(pair, O_NONBLOCK) == 0 && rand_r(seed) % 2)
			close(pair[0]);
		break;
	case 7: by_hand(SYS_close, one, 0, 0, 0, 0, 0); break;
	case 8: by_hand(SYS_accept4, OURS, 0, 0, SOCK_NONBLOCK, 0, 0); break;
	case 9: by_hand(SYS_close, other, 0, 0, 0, 0, 0); break;
	}
}

static void *storm(void *seed_of_mine)
{
	unsigned int seed = (unsigned int)(long)seed_of_mine;
	int i, fd;

	for (i = 0; i < TURNS; i++) {
		turn(&seed);
		/* Numbers above the few are closed, so that all of it happens in these. */
		for (fd = HIGH; i % 4 == 0 && fd < HIGH + 12; fd++)
			close(fd);
	}
	return NULL;
}

static void say_what_is_held(void)
{
	int fd, cut = 0;

	for (fd = 3; fd < 64; fd++) {
		struct tcp_info info = {0};
		unsigned long long cookie = 0;
		socklen_t length = sizeof(info);

		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
			continue;
		length = sizeof(cookie);
		getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length);
		cut += info.tcpi_state != TCP_ESTABLISHED;
		printf("fd=%d cookie=%llu state=%d\n", fd, cookie, info.tcpi_state);
	}
	printf("cut: %d\n", cut);
}

static void step(const char *name)
{
	char line[16];

	printf("step %s\n", name);
	if (!fgets(line, sizeof(line), stdin))
		clearerr(stdin);
}

int main(int count, char **words)
{
	pthread_t threads[THREADS];
	long i;

	unseen = count > 1 && !strcmp(words[1], "unseen");
	begin();
	signal(SIGPIPE, SIG_IGN);
	NEEDED(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
	NEEDED(listen(listener, 64) == 0);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_the_clients();
	}
	NEEDED(dup3(listener, OURS, 0) == OURS && close(listener) == 0);
	for (i = 0; i < THREADS; i++)
		NEEDED(pthread_create(&threads[i], NULL, storm, (void *)(i + 1)) == 0);
	for (i = 0; i < THREADS; i++)
		NEEDED(pthread_join(threads[i], NULL) == 0);
	say_what_is_held();
	step("held");
	for (i = 3; i < 64; i++)
		close((int)i);
	step("closed");
	return 0;
}
