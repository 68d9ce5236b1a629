/* SPDX-License-Identifier: MIT */
/*
 * The end of a process whose threads are blocked in, and busy in, hooked calls; and the ends of threads whose destructors still close sockets.
 *
 * exits exit|_exit|quick_exit: with status 7, after exit handlers that close and open sockets, and library destructors behind ours.
 * exits threads TIMES: so many threads, each of which opens a connection and closes it in its last destructor's last round.
 */
#include <limits.h>

#include "hard.h"

enum { BUSY = 3 };

static int kept[2];
static pthread_key_t key;

static void *busy(void *unused)
{
	char byte;
	int ends[2];

	(void)unused;
	for (;;) {
		ends[0] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(ends[0], (struct sockaddr *)&address, sizeof(address)) == 0) {
			ends[1] = accept(listener, NULL, NULL);
			send(ends[0], &byte, 1, MSG_NOSIGNAL);
			close(ends[1]);
			recv(ends[0], &byte, 1, MSG_DONTWAIT);
		}
		close(ends[0]);
	}
	return NULL;
}

static void *blocked(void *unused)
{
	char byte;

	(void)unused;
	return (void *)(long)recv(kept[1], &byte, 1, 0);
}

static void at_the_end(void)
{
	int ends[2] = {socket(AF_INET, SOCK_STREAM, 0), dup(kept[0])};

	connect(ends[0], (struct sockaddr *)&address, sizeof(address));
	close(ends[0]);
	close(ends[1]);
}

__attribute__((destructor)) static void last(void)
{
	at_the_end();
	close(kept[0]);
}

/* Rounds are counted in the value: the last is the one in which it is not set again. */
static void thread_ends(void *value)
{
	long *round = value;
	int ends[2];

	if (++round[0] < PTHREAD_DESTRUCTOR_ITERATIONS) {
		pthread_setspecific(key, round);
		return;
	}
	connection(ends);
	NEEDED(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void *short_life(void *unused)
{
	static __thread long round[1];

	pthread_setspecific(key, round);
	return unused;
}

static void threads(int times)
{
	pthread_t thread;
	int i;

	NEEDED(pthread_key_create(&key, thread_ends) == 0);
	for (i = 0; i < times; i++) {
		NEEDED(pthread_create(&thread, NULL, short_life, NULL) == 0);
		NEEDED(pthread_join(thread, NULL) == 0);
	}
	connection(kept);
	printf("listening %d\n", ntohs(address.sin_port));
	getchar();
	exit(0);
}

int main(int count, char **arguments)
{
	const char *how = count > 1 ? arguments[1] : "exit";
	pthread_t thread;
	int i;

	begin();
	if (strcmp(how, "threads") == 0)
		threads(atoi(arguments[2]));
	connection(kept);
	atexit(at_the_end);
	at_quick_exit(at_the_end);
	NEEDED(pthread_create(&thread, NULL, blocked, NULL) == 0);
	for (i = 0; i < BUSY; i++)
		NEEDED(pthread_create(&thread, NULL, busy, NULL) == 0);
	usleep(2000);
	if (strcmp(how, "_exit") == 0)
		_exit(7);
	if (strcmp(how, "quick_exit") == 0)
		quick_exit(7);
	exit(7);
}
