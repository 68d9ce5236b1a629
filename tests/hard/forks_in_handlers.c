/* SPDX-License-Identifier: MIT */
/*
 * A signal handler that forks, at any instruction of a close, a read and an accept, and in the middle of another fork. Its child either ends at once, or
 * returns from the handler, ends what was interrupted, and goes on: "unread:" lines are then a connection of its own.
 */
#include "processes.h"

#if defined(__x86_64__)
#include <ucontext.h>

enum { TRAP_FLAG = 0x100, POINTS = 16 };

/* The processor raises SIGTRAP after each instruction, from here to step_end(). */
#define step_begin()                                                                             \
	__asm__ volatile(                                                                        \
		"leaq -128(%%rsp), %%rsp; pushfq; orq $0x100, (%%rsp); popfq; leaq 128(%%rsp), " \
		"%%rsp" ::                                                                       \
			: "memory", "cc")
#define step_end()                                                                                 \
	__asm__ volatile(                                                                          \
		"leaq -128(%%rsp), %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; leaq 128(%%rsp), " \
		"%%rsp" ::                                                                         \
			: "memory", "cc")

static long steps, fork_at;
static pid_t forked = -1; /* 0: this is the child */
static bool child_returns;

static void on_step(int number, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;
	int saved = errno;

	(void)number;
	(void)info;
	if (++steps != fork_at)
		return;
	interrupted->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	forked = fork();
	if (forked == 0 && !child_returns)
		_exit(0);
	errno = saved;
}

/* The call, interrupted by a fork at its `at`th instruction (0: never). Returns how many it had. */
static long stepped(int way, int fd, long at, long *result)
{
	char byte;

	steps = 0;
	fork_at = at;
	forked = -1;
	step_begin();
	switch (way) {
	case 0: *result = close(fd); break;
	case 1: *result = read(fd, &byte, 1); break;
	default: *result = accept(fd, NULL, NULL); break;
	}
	step_end();
	return steps;
}

/* What a child that has returned still can do: all of it. */
static _Noreturn void go_on(int way, long result)
{
	struct sockaddr_in name;
	int ends[2];

	alarm(20);
	NEEDED(way == 2 ? result >= 0 : result == 0);
	connect_to(listen_anew(&name), &name, ends);
	NEEDED(carries(ends));
	close_unread(ends);
	_exit(0);
}

static int connect_one(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	NEEDED(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

/* Both may accept; what is left goes. */
static void accept_rest(void)
{
	int fd;

	NEEDED(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		close(fd);
	NEEDED(fcntl(listener, F_SETFL, 0) == 0);
}

static long one(int way, long at)
{
	int ends[2] = {-1, -1}, second = -1;
	long result, count, got;

	if (way < 2)
		connection(ends);
	if (way == 0) {
		NEEDED(send(ends[0], "unread", 6, 0) == 6);
		wait_for(ends[1], POLLIN);
	} else if (way == 1) {
		NEEDED(shutdown(ends[0], SHUT_WR) == 0);
		wait_for(ends[1], POLLIN);
	} else {
		ends[0] = connect_one();
		second = connect_one();
		wait_for(listener, POLLIN);
	}
	count = stepped(way, way == 2 ? listener : ends[1], at, &result);
	if (forked == 0)
		go_on(way, result);
	NEEDED(way == 2 ? result >= 0 : result == 0);
	if (forked > 0)
		NEEDED(ended(forked) == 0);
	if (way == 2)
		accept_rest(), ends[1] = (int)result, close(second);
	if (way > 0)
		NEEDED(close(ends[1]) == 0);
	got = peer_reads(ends[0]);
	NEEDED(way == 0 ? got == 0 || got == -ECONNRESET : way == 1 ? got == 0 : true);
	close(ends[0]);
	return count;
}

static void at_any_instruction(void)
{
	static const char *const names[] = {"close", "read", "accept"};
	struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
	int way, point;

	NEEDED(sigaction(SIGTRAP, &action, NULL) == 0);
	for (way = 0; way < 3; way++) {
		long count = one(way, 0);

		for (point = 0; point < POINTS; point++) {
			child_returns = point % 2;
			one(way, 1 + count * point / POINTS);
		}
		printf("%s: interrupted\n", names[way]);
	}
}
#else
static void at_any_instruction(void)
{
}
#endif

static void fork_here(int number)
{
	int saved = errno;
	pid_t pid = fork();

	(void)number;
	if (pid == 0)
		_exit(0);
	NEEDED(pid > 0 && ended(pid) == 0);
	errno = saved;
}

static void in_the_middle_of_a_fork(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct sigaction action = {.sa_handler = fork_here, .sa_flags = SA_RESTART};
	timer_t timer;
	int i, ends[2];

	connection(ends);
	NEEDED(sigaction(SIGUSR1, &action, NULL) == 0);
	NEEDED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	for (i = 0; i < 200; i++) {
		struct itimerspec once = {.it_value.tv_nsec = 1000 + i * 2000};
		pid_t pid;

		NEEDED(timer_settime(timer, 0, &once, NULL) == 0);
		pid = fork();
		if (pid == 0)
			_exit(0);
		NEEDED(pid > 0 && ended(pid) == 0);
	}
	NEEDED(timer_delete(timer) == 0);
	close_unread(ends); /* no child is left that could hold it */
}

int main(int count, char **words)
{
	int ends[2], kept[2];

	(void)words;
	begin();
	connection(kept);
	connection(ends);
	close_unread(ends); /* the helper, if there is one, runs from here on */
	at_any_instruction();
	in_the_middle_of_a_fork();
	SAY(carries(kept));
	connection(ends);
	close_unread(ends);
	stop_to_be_seen(count);
	return 0;
}
