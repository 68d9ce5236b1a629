/* SPDX-License-Identifier: MIT */
/*
 * A thread that takes a descriptor table of its own and closes all that is in it: the other threads keep theirs, and every connection. Then the only
 * thread of a process does the same: that is a close like any other.
 */
#include <pthread.h>

#include "processes.h"

enum { WAYS = 5 };

static int held[3][2];

static void leave(int way)
{
	switch (way) {
	case 0: NEEDED(close_range(3, ~0u, CLOSE_RANGE_UNSHARE) == 0); return;
	case 1: NEEDED(close_range(3, ~0u, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) == 0); break;
	case 2: NEEDED(syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_UNSHARE) == 0); return;
	case 3: NEEDED(syscall(SYS_unshare, CLONE_FILES) == 0); break;
	default: NEEDED(unshare(CLONE_FILES) == 0);
	}
	if (way == 4)
		NEEDED(dup2(1, held[0][1]) == held[0][1] && dup2(1, held[1][1]) == held[1][1]);
	closefrom(3);
}

static void use_one_more(void)
{
	struct sockaddr_in name;
	int own = listen_anew(&name), ends[2];

	connect_to(own, &name, ends);
	NEEDED(carries(ends));
	NEEDED(close(ends[1]) == 0 && peer_reads(ends[0]) == 0 && close(ends[0]) == 0 &&
		close(own) == 0);
}

/* What it does from then on is its own business, and so is what a child of it does. */
static void *leaves(void *way)
{
	pid_t pid;

	leave((int)(intptr_t)way);
	use_one_more();
	pid = fork();
	if (pid == 0) {
		use_one_more();
		_exit(0);
	}
	NEEDED(ended(pid) == 0);
	closefrom(3);
	return NULL;
}

static void *idle(void *go)
{
	await(*(int *)go);
	return NULL;
}

static void one_of_several(int way)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 3; i++) {
		connection(held[i]);
		NEEDED(send(held[i][0], "unread", 6, 0) == 6);
		wait_for(held[i][1], POLLIN);
	}
	NEEDED(pthread_create(&thread, NULL, leaves, (void *)(intptr_t)way) == 0);
	NEEDED(pthread_join(thread, NULL) == 0);
	for (i = 0; i < 3; i++) {
		char bytes[8];

		SAY(is_open(held[i][0]));
		SAY(recv(held[i][1], bytes, sizeof(bytes), 0));
		SAY(carries(held[i]));
		if (way == WAYS - 1)
			continue; /* these stay, to be seen */
		SAY(close(held[i][1]));
		SAY(peer_reads(held[i][0]));
		SAY(close(held[i][0]));
	}
}

/* With a helper that drains something at that time. */
static void the_only_one(int way)
{
	int ends[2], gone[2];

	fflush(stdout);
	if (fork() != 0) {
		NEEDED(wait(NULL) > 0);
		return;
	}
	connection(ends);
	close_unread(ends);
	connection(gone);
	if (way == 0) {
		NEEDED(close_range((unsigned int)gone[1], (unsigned int)gone[1],
			       CLOSE_RANGE_UNSHARE) == 0);
	} else {
		NEEDED(unshare(CLONE_FILES) == 0 && close(gone[1]) == 0);
	}
	SAY(peer_reads(gone[0]));
	connection(ends);
	SAY(carries(ends));
	close_unread(ends);
	exit(0);
}

int main(int count, char **words)
{
	int way, go[2], ends[2];
	pthread_t thread;

	(void)words;
	begin();
	NEEDED(pipe(go) == 0);
	the_only_one(0);
	the_only_one(1);
	NEEDED(pthread_create(&thread, NULL, idle, &go[0]) == 0);
	for (way = 0; way < WAYS; way++)
		one_of_several(way);
	connection(ends);
	SAY(carries(ends));
	close_unread(ends);
	stop_to_be_seen(count);
	notify(go[1]);
	NEEDED(pthread_join(thread, NULL) == 0);
	return 0;
}
