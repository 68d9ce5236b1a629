/* SPDX-License-Identifier: MIT */
/*
 * Does very much of one thing: grows connections|threads|children COUNT. "step warm" after a tenth of it, "step end" after all; at each it
 * waits for a line, so that somebody can measure what it has become. Every eighth connection is closed with unread data. Between, it says
 * which numbers it got, which is the same each time, and what is open at the end.
 */
#include <dirent.h>
#include <pthread.h>

#include "../shim/transcript.h"

static int first_numbers[2] = {-1, -1}, strange_numbers;

static void expect_numbers(const int ends[2])
{
	if (first_numbers[0] < 0)
		memcpy(first_numbers, ends, sizeof(first_numbers));
	strange_numbers += memcmp(first_numbers, ends, sizeof(first_numbers)) != 0;
}

/* The client ends it by a reset, so that no TIME-WAIT uses up the ports. */
static void one_connection(int number)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	int ends[2];

	connection(ends);
	expect_numbers(ends);
	NEEDED(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
	if (number % 8 == 0) {
		NEEDED(write(ends[0], "unread", 6) == 6);
		wait_for(ends[1], POLLIN);
	}
	NEEDED(close(ends[1]) == 0);
	NEEDED(close(ends[0]) == 0);
}

static void *in_a_thread(void *number)
{
	one_connection((int)(long)number);
	return NULL;
}

static void one_thread(int number)
{
	pthread_t thread;

	NEEDED(pthread_create(&thread, NULL, in_a_thread, (void *)(long)number) == 0);
	NEEDED(pthread_join(thread, NULL) == 0);
}

/* The child inherits a connection, and is the last to close it. */
static void one_child(int number)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	int ends[2], status;
	char byte;
	pid_t child;

	connection(ends);
	expect_numbers(ends);
	child = fork();
	if (child == 0) {
		NEEDED(read(ends[1], &byte, 1) == 1);
		NEEDED(write(ends[1], "c", 1) == 1);
		if (number % 2)
			close(ends[1]);
		_exit(0);
	}
	NEEDED(child > 0 && close(ends[1]) == 0);
	NEEDED(write(ends[0], "p", 1) == 1);
	NEEDED(read(ends[0], &byte, 1) == 1);
	NEEDED(waitpid(child, &status, 0) == child && status == 0);
	NEEDED(peer_reads(ends[0]) == 0);
	NEEDED(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
	NEEDED(close(ends[0]) == 0);
}

static void step(const char *name)
{
	char line[16];

	printf("numbers %d %d, others %d times\n", first_numbers[0], first_numbers[1],
		strange_numbers);
	printf("step %s\n", name);
	if (!fgets(line, sizeof(line), stdin))
		clearerr(stdin);
}

static void say_what_is_open(void)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	closedir(folder);
	printf("open %d\n", count - 1);
	fflush(stdout);
}

/* What is last closed with unread data, after all that, is closed by the policy: nobody is left who might hold it. */
static void say_how_it_closes(void)
{
	int ends[2];

	connection(ends);
	NEEDED(write(ends[0], "unread", 6) == 6);
	wait_for(ends[1], POLLIN);
	NEEDED(close(ends[1]) == 0);
	printf("closed: %ld\n", peer_reads(ends[0]));
	close(ends[0]);
}

int main(int count, char **words)
{
	void (*one)(int number);
	int times, i;

	NEEDED(count == 3);
	one = !strcmp(words[1], "threads")    ? one_thread
	      : !strcmp(words[1], "children") ? one_child
					      : one_connection;
	times = atoi(words[2]);
	begin();
	alarm(110);
	say_what_is_open();
	/* As many closed connections as are kept to be shown. */
	for (i = 0; i < 3000; i++)
		one_connection(i);
	for (i = 0; i < times; i++) {
		if (i == times / 10)
			step("warm");
		one(i);
	}
	step("end");
	say_how_it_closes();
	step("over");
	say_what_is_open();
	return 0;
}
