/* SPDX-License-Identifier: MIT */
/*
 * Hundreds of forks, while other threads open and close connections without pause. Each child inherits a connection, answers on it after the
 * parent has closed its own, and is heard. Lines "unread:" are of children that close a connection of their own.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "processes.h"

enum { THREADS = 3, FORKS = 200 };

static atomic_bool stopping;

static void *opens_and_closes(void *unused)
{
	struct sockaddr_in name;
	int own_listener = listen_anew(&name), ends[2], copy, round;

	for (round = 0; !atomic_load(&stopping); round++) {
		connect_to(own_listener, &name, ends);
		NEEDED(carries(ends));
		copy = dup(ends[1]);
		NEEDED(copy >= 0 && close(ends[1]) == 0);
		ends[1] = copy;
		NEEDED(carries(ends));
		if (round % 2) {
			NEEDED(send(ends[0], "unread", 6, 0) == 6);
			wait_for(ends[1], POLLIN);
		}
		NEEDED(close(ends[1]) == 0);
		NEEDED(close(ends[0]) == 0);
	}
	close(own_listener);
	return unused;
}

/* All that time in a call that may give descriptors away: of the parent, not of its children. */
static void *sends(void *pair)
{
	static char bytes[1 << 20];
	struct iovec part = {bytes, sizeof(bytes)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	NEEDED(sendmsg(((int *)pair)[0], &message, 0) == sizeof(bytes));
	return NULL;
}

static void receive(int fd, size_t bytes)
{
	char buffer[4096];
	ssize_t got;

	for (; bytes; bytes -= (size_t)got) {
		got = read(fd, buffer, bytes < sizeof(buffer) ? bytes : sizeof(buffer));
		NEEDED(got > 0);
	}
}

static _Noreturn void child(int number, const int ends[2], int go)
{
	int own[2];
	struct sockaddr_in name;

	alarm(30);
	close(ends[0]);
	await(go);
	NEEDED(send(ends[1], "answer", 6, MSG_NOSIGNAL) == 6);
	if (number % 10 == 0) {
		connect_to(listen_anew(&name), &name, own);
		NEEDED(carries(own));
		close_unread(own);
	}
	if (number % 3 == 0)
		NEEDED(close(ends[1]) == 0);
	if (number % 2 == 0)
		_exit(number % 100);
	exit(number % 100);
}

static void fork_one(int number)
{
	int ends[2], go[2];
	pid_t pid;

	connection(ends);
	NEEDED(pipe(go) == 0);
	pid = fork();
	NEEDED(pid >= 0);
	if (pid == 0)
		child(number, ends, go[0]);
	NEEDED(close(ends[1]) == 0);
	notify(go[1]);
	NEEDED(peer_reads(ends[0]) == 6);
	NEEDED(WEXITSTATUS(ended(pid)) == number % 100);
	NEEDED(close(ends[0]) == 0 && close(go[0]) == 0 && close(go[1]) == 0);
}

int main(int count, char **words)
{
	pthread_t threads[THREADS], sender;
	int pair[2], ends[2], kept[2], closed_here[2], i;
	pid_t staying;

	(void)words;
	begin();
	connection(kept);
	for (i = 0; i < THREADS; i++)
		NEEDED(pthread_create(&threads[i], NULL, opens_and_closes, NULL) == 0);
	for (i = 0; i < FORKS; i++) {
		if (i == FORKS / 2) {
			NEEDED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
			NEEDED(pthread_create(&sender, NULL, sends, pair) == 0);
			receive(pair[1], 1);
		}
		fork_one(i);
	}
	connection(closed_here);
	fflush(stdout);
	staying = fork();
	if (staying == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	NEEDED(close(closed_here[1]) == 0);
	atomic_store(&stopping, true);
	for (i = 0; i < THREADS; i++)
		NEEDED(pthread_join(threads[i], NULL) == 0);
	receive(pair[1], (1 << 20) - 1);
	NEEDED(pthread_join(sender, NULL) == 0);
	SAY(carries(kept));
	/* Opened with no fork under way, so ours alone. */
	connection(ends);
	close_unread(ends);
	stop_to_be_seen(count);
	NEEDED(kill(staying, SIGKILL) == 0);
	SAY(ended(staying) == SIGKILL);
	SAY(peer_reads(closed_here[0]));
	return 0;
}
