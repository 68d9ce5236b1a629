/* SPDX-License-Identifier: MIT */
/*
 * A server that takes one client's request and is good for nothing from then on, each time in another way:
 *
 * half_dead deadlock	every thread waits for a mutex that nobody releases
 * half_dead spin	every thread computes, and makes no system call any more
 * half_dead blocked	one thread in accept, one in recv, one in send, for ever
 * half_dead handler	its only thread is in a signal handler that does not return
 * half_dead deaf	all signals are blocked, in every thread
 *
 * Prints "listening PORT", then "half dead". The client's connection is open, and nobody reads it.
 */
#include "request.h"

#include <pthread.h>
#include <signal.h>

enum { THREADS = 3 };

static pthread_mutex_t never_released = PTHREAD_MUTEX_INITIALIZER;
static int listener, silent[2], full[2]; /* connections to ourselves; the first of each is used */

static void *wait_for_mutex(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&never_released);
	return NULL;
}

static void *spin(void *unused)
{
	volatile unsigned long turns = 0;

	(void)unused;
	for (;;)
		turns++;
	return NULL;
}

static void *block_in_recv(void *unused)
{
	char byte;

	(void)unused;
	recv(silent[0], &byte, 1, 0);
	return NULL;
}

static void *block_in_send(void *unused)
{
	size_t bytes = PATTERN_BLOCK;
	const char *block = pattern_at(0, &bytes);

	(void)unused;
	while (send(full[0], block, bytes, MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

static void *sleep_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void never_returns(int signal)
{
	(void)signal;
	sleep_for_ever(NULL);
}

static void connect_to_ourselves(int ends[2])
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (getsockname(listener, (struct sockaddr *)&address, &length) < 0 || ends[1] < 0 ||
		connect(ends[1], (struct sockaddr *)&address, sizeof(address)) < 0)
		give_up("connect");
	ends[0] = accept(listener, NULL, NULL);
	if (ends[0] < 0)
		give_up("accept");
}

static void start(void *(*what)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, what, NULL) != 0)
		give_up("thread");
}

static void die_by_half(const char *way)
{
	sigset_t all;

	if (!strcmp(way, "deadlock")) {
		pthread_mutex_lock(&never_released);
		for (int i = 0; i < THREADS; i++)
			start(wait_for_mutex);
		wait_for_mutex(NULL);
	} else if (!strcmp(way, "spin")) {
		for (int i = 0; i < THREADS; i++)
			start(spin);
		spin(NULL);
	} else if (!strcmp(way, "blocked")) {
		start(block_in_recv);
		start(block_in_send);
		accept(listener, NULL, NULL);
	} else if (!strcmp(way, "handler")) {
		signal(SIGUSR1, never_returns);
		raise(SIGUSR1);
	} else if (!strcmp(way, "deaf")) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, NULL);
		for (int i = 0; i < THREADS; i++)
			start(sleep_for_ever);
		sleep_for_ever(NULL);
	}
	fprintf(stderr, "half_dead: '%s' is no way to be\n", way);
	exit(2);
}

int main(int argc, char **argv)
{
	struct request request;
	int client;

	if (argc != 2)
		die_by_half("nothing");
	alarm(SERVER_SECONDS);
	listener = listen_on_loopback();
	connect_to_ourselves(silent);
	connect_to_ourselves(full);
	client = accept(listener, NULL, NULL);
	if (client < 0 || !read_request(client, &request))
		give_up("request");
	printf("half dead\n");
	fflush(stdout);
	die_by_half(argv[1]);
}
