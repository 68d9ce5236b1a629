/* SPDX-License-Identifier: MIT */
/*
 * What of SIGPIPE is the application's own (tests/proof/sigpipe.bats), while a policy ends connections, or is about to.
 *
 *   full FILE WHOSE   the peer reads nothing and the send buffer is full; when FILE is there, WHOSE end comes ("peer": a reset; "own": our shutdown).
 *                     Then it writes: the transcript is the same without lastack
 *   blocked           a thread is blocked in writing when the policy acts
 *   cancelled FILE    threads are cancelled while they are blocked in writing
 *   pending           a SIGPIPE that waits already stays
 *   storm             SIGPIPE sent by somebody else while calls are kept quiet: each arrives
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "half_closed.h"

static int file = -1, ends_of_pipe[2];

static const char *result_of(long result)
{
	return result < 0 ? strerrorname_np(errno) : "written";
}

static long send_file(int fd)
{
	off_t from = 0;

	return sendfile(fd, file, &from, 4);
}

static int full(int *peer)
{
	static char bytes[65536];
	int fd = half_closed(peer), size = 16384, tries;

	/* Neither buffer grows by itself. */
	NEEDED(setsockopt(*peer, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
	NEEDED(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);

	/* Also what finds room later: a second without any. */
	for (tries = 0; tries < 10; tries++) {
		while (send(fd, bytes, tries ? 1 : sizeof(bytes), MSG_DONTWAIT) > 0)
			tries = 0;
		usleep(100000);
	}
	NEEDED(errno == EAGAIN);
	puts("full");
	return fd;
}

static void wait_for_file(const char *path)
{
	int tries;

	for (tries = 0; tries < 3000 && access(path, F_OK) != 0; tries++)
		usleep(10000);
	NEEDED(access(path, F_OK) == 0);
}

static void say_signals(const char *what, long result)
{
	printf("%s: %s, signals %d, code %d, from here %d\n", what, result_of(result), (int)signals,
		(int)last_code, (int)from_here);
	signals = 0;
}

static void own(const char *path, const char *whose)
{
	int peer, fd = full(&peer);

	wait_for_file(path);
	if (!strcmp(whose, "peer")) {
		reset(peer);
		wait_for_the_end(fd);
	} else {
		SAY(shutdown(fd, SHUT_WR));
	}
	say_signals("write", write(fd, "late", 4));
	say_signals("send", send(fd, "late", 4, 0));
	say_signals("send without signal", send(fd, "late", 4, MSG_NOSIGNAL));
	say_signals("sendfile", send_file(fd));
	say_signals("syscall", syscall(SYS_write, fd, "late", 4L));
	say_signals("read", read(fd, &peer, 4));
}

static void blocked(void)
{
	int peer, fd = full(&peer);

	say_signals("blocked", write(fd, "late", 4));
	say_signals("after", write(fd, "late", 4));
}

static void clean_up(void *value)
{
	sigset_t set;

	(void)value;
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	printf("cleaned up, SIGPIPE blocked %d\n", sigismember(&set, SIGPIPE));
}

static int stuck, by_splice;

static void *block(void *value)
{
	volatile long result;

	pthread_cleanup_push(clean_up, NULL);
	result = by_splice ? splice(ends_of_pipe[0], NULL, stuck, NULL, 4, 0)
			   : write(stuck, "late", 4);
	printf("not blocked: %s\n", result_of(result));
	pthread_cleanup_pop(0);
	return value;
}

static void cancelled(const char *path)
{
	int peer;
	pthread_t thread;
	void *result;

	stuck = full(&peer);
	wait_for_file(path);
	NEEDED(write(ends_of_pipe[1], "late", 4) == 4);
	for (by_splice = 0; by_splice < 2; by_splice++) {
		NEEDED(pthread_create(&thread, NULL, block, NULL) == 0);
		usleep(100000);
		NEEDED(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
		printf("cancelled %d\n", result == PTHREAD_CANCELED);
	}
}

static int block_sigpipe(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	return pthread_sigmask(how, &set, NULL);
}

static int is_pending(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGPIPE);
}

static void pending(void)
{
	int peer, fd = half_closed(&peer);

	wait_for_the_end(fd);
	NEEDED(block_sigpipe(SIG_BLOCK) == 0);
	say_signals("sendfile", send_file(fd));
	SAY(is_pending());
	SAY(kill(getpid(), SIGPIPE));
	say_signals("sendfile", send_file(fd));
	SAY(is_pending());
	NEEDED(block_sigpipe(SIG_UNBLOCK) == 0);
	SAY(signals > 0);
	signals = 0;
	/* One that the kernel has sent for something else, which its next would join. */
	NEEDED(block_sigpipe(SIG_BLOCK) == 0 && close(ends_of_pipe[0]) == 0);
	NEEDED(write(ends_of_pipe[1], "late", 4) == -1 && errno == EPIPE);
	say_signals("sendfile", send_file(fd));
	SAY(is_pending());
	NEEDED(block_sigpipe(SIG_UNBLOCK) == 0);
	SAY(signals);
}

enum { KILLS = 2000 };
static volatile int over;

static void *kill_often(void *value)
{
	int i, tries;

	block_sigpipe(SIG_BLOCK);
	for (i = 0; i < KILLS; i++) {
		int before = signals;

		kill(getpid(), SIGPIPE);
		for (tries = 0; tries < 5000 && signals == before; tries++)
			usleep(tries ? 1000 : 0);
	}
	over = 1;
	return value;
}

static void storm(void)
{
	int peer, fd = half_closed(&peer);
	long calls = 0, wrong = 0;
	pthread_t thread;

	wait_for_the_end(fd);
	NEEDED(pthread_create(&thread, NULL, kill_often, NULL) == 0);
	while (!over) {
		calls++;
		wrong += send_file(fd) != -1 || errno != EPIPE;
	}
	NEEDED(pthread_join(thread, NULL) == 0);
	printf("enough calls %d, wrong %ld, signals %d\n", calls > KILLS, wrong, (int)signals);
}

int main(int count, char **arguments)
{
	const char *what = count > 1 ? arguments[1] : "";

	begin();
	NEEDED((file = memfd_create("late", 0)) >= 0 && write(file, "late", 4) == 4 &&
		pipe(ends_of_pipe) == 0);
	count_signals();
	if (!strcmp(what, "full") && count == 4)
		own(arguments[2], arguments[3]);
	else if (!strcmp(what, "blocked"))
		blocked();
	else if (!strcmp(what, "cancelled") && count == 3)
		cancelled(arguments[2]);
	else if (!strcmp(what, "pending"))
		pending();
	else if (!strcmp(what, "storm"))
		storm();
	return 0;
}
