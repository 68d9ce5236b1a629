/* SPDX-License-Identifier: MIT */
/*
 * A server that answers and ends at once, with what its clients upload unread (the requests are those of tests/apps/request.h):
 *
 * ends CONNECTIONS WAY      status 7 where the way leaves it the choice; "served" once all are answered
 *	return, exit, _exit, _Exit, quick_exit, exit_group (by syscall), thread (exit by another than main's)
 *	raise (SIGTERM to itself), pause (waits for a signal), abort
 *	close (closes first), stream (the answers are still in streams), atexit (a handler of atexit answers), destructor (one that
 *	a destructor calls), library (one that a library's destructor calls, plugins/late.c), timed (SO_LINGER {1,9}), reset (SO_LINGER {1,0}), child (forks a child that holds all, and ends), second (two
 *	threads exit), alarm (an alarm is due 100 ms after the exit)
 */
#include "../apps/request.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { CONNECTIONS = 64, STREAM_BYTES = 1 << 20 };
static int fds[CONNECTIONS], count;
static struct request requests[CONNECTIONS];
static const char *way = "return";

static bool is(const char *word)
{
	return strcmp(way, word) == 0;
}

static void answer(int i)
{
	FILE *stream = is("stream") ? fdopen(fds[i], "w") : NULL;

	if (stream)
		setvbuf(stream, malloc(STREAM_BYTES), _IOFBF, STREAM_BYTES);
	for (long at = 0; at < requests[i].bytes;) {
		size_t bytes = (size_t)(requests[i].bytes - at);
		const char *block = pattern_at(at, &bytes);
		ssize_t sent = stream ? (ssize_t)fwrite(block, 1, bytes, stream)
				      : send(fds[i], block, bytes, MSG_NOSIGNAL);

		if (sent <= 0)
			give_up("answer");
		at += sent;
	}
}

static void answer_all(void)
{
	for (int i = 0; i < count; i++)
		answer(i);
}

__attribute__((destructor)) static void last_words(void)
{
	if (is("destructor"))
		answer_all();
}

static void load_library(const char *self)
{
	char path[4096];
	void (**words)(void);
	void *library;

	snprintf(path, sizeof(path), "%.*splugins/late.so", (int)(strrchr(self, '/') + 1 - self),
		self);
	library = dlopen(path, RTLD_NOW);
	words = library ? dlsym(library, "late_words") : NULL;
	if (!words)
		give_up("late.so");
	*words = answer_all;
}

static void set_linger(int seconds)
{
	struct linger linger = {1, seconds};

	for (int i = 0; i < count; i++)
		if (setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
			give_up("SO_LINGER");
}

static void *exits(void *argument)
{
	exit(7);
	return argument;
}

static void hold_in_a_child(void)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		give_up("pipe");
	if (fork() == 0) {
		close(ready[0]);
		close(ready[1]);
		usleep(300000);
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 0)
		give_up("child");
}

static void end(void)
{
	pthread_t thread;

	if (is("exit"))
		exit(7);
	if (is("_exit"))
		_exit(7);
	if (is("_Exit"))
		_Exit(7);
	if (is("quick_exit"))
		quick_exit(7);
	if (is("exit_group"))
		syscall(SYS_exit_group, 7);
	if (is("raise"))
		raise(SIGTERM);
	if (is("abort"))
		abort();
	if (is("pause")) {
		signal(SIGTERM, SIG_IGN);
		signal(SIGTERM, SIG_DFL);
		for (;;)
			pause();
	}
	if (is("close"))
		for (int i = 0; i < count; i++)
			close(fds[i]);
	if (is("timed"))
		set_linger(9);
	if (is("reset"))
		set_linger(0);
	if (is("child"))
		hold_in_a_child();
	if (is("alarm"))
		ualarm(100000, 0);
	if (is("thread") || is("second")) {
		if (pthread_create(&thread, NULL, exits, NULL) != 0)
			give_up("pthread_create");
		if (is("thread"))
			pthread_join(thread, NULL);
		usleep(200000);
	}
}

int main(int argc, char **argv)
{
	int listener, wanted;

	if (argc != 3)
		return 2;
	wanted = atoi(argv[1]) < CONNECTIONS ? atoi(argv[1]) : CONNECTIONS;
	way = argv[2];
	if (!is("alarm"))
		alarm(SERVER_SECONDS);
	listener = listen_on_loopback();
	if (is("atexit"))
		atexit(answer_all);
	if (is("library"))
		load_library(argv[0]);
	while (count < wanted) {
		fds[count] = accept(listener, NULL, NULL);
		if (fds[count] < 0 || !read_request(fds[count], &requests[count]))
			give_up("accept");
		count++;
	}
	if (!is("atexit") && !is("destructor") && !is("library"))
		answer_all();
	puts("served");
	fflush(stdout);
	end();
	return 7;
}
