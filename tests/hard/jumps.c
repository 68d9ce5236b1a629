/* SPDX-License-Identifier: MIT */
/*
 * A signal handler that jumps out of hooked calls at any instruction, thousands of times, from the very first connection on. What was
 * open then is closed afterwards, as a server would that gives up a request. At the end closes are still graceful, and a few
 * connections stay for the test to count.
 *
 * jumps CALL TIMES: accept, recv, connect or close.
 */
#include <time.h>

#include "hard.h"

enum { KEPT = 8, CHECKED = 16 };

static sigjmp_buf out;
static volatile sig_atomic_t may_jump, jumped;

static void jump(int signal)
{
	(void)signal;
	if (!may_jump)
		return;
	may_jump = 0;
	jumped = jumped + 1;
	siglongjmp(out, 1);
}

static timer_t timer;

static void make_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};

	NEEDED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
}

/* Again and again after so many microseconds; 0: never. */
static void interrupt_every(long us)
{
	struct itimerspec interval = {{0, us * 1000}, {0, us * 1000}};

	NEEDED(timer_settime(timer, 0, &interval, NULL) == 0);
}

static void one_accept(void)
{
	static const char request[64];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), taken;

	connect(fd, (struct sockaddr *)&address, sizeof(address));
	wait_for(fd, POLLOUT);
	send(fd, request, sizeof(request), MSG_NOSIGNAL);
	may_jump = 1;
	taken = accept(listener, NULL, NULL);
	close(taken);
	for (;;)
		accept(listener, NULL, NULL); /* blocks until the handler jumps */
}

static void one_recv(void)
{
	char byte;
	int ends[2];

	connection(ends);
	may_jump = 1;
	shutdown(ends[0], SHUT_WR);
	while (recv(ends[1], &byte, 1, 0) == 0)
		;
}

static void one_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	may_jump = 1;
	connect(fd, (struct sockaddr *)&address, sizeof(address));
	for (;;)
		pause();
}

static void one_close(void)
{
	int ends[4][2], i;

	for (i = 0; i < 4; i++)
		unread_connection(ends[i]);
	may_jump = 1;
	for (i = 0; i < 4; i++)
		close(ends[i][1]);
	for (;;)
		close(dup(ends[0][0]));
}

/* What a jump has left open, here and in the backlog. */
static void clean_up(void)
{
	int i;

	for (i = 3; i < 64; i++)
		if (i != listener)
			close(i);
	NEEDED(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
	while ((i = accept(listener, NULL, NULL)) >= 0)
		close(i);
	NEEDED(fcntl(listener, F_SETFL, 0) == 0);
}

static void finish(void)
{
	int ends[KEPT][2], i, graceful = 0;

	interrupt_every(0);
	clean_up();
	for (i = 0; i < CHECKED; i++)
		graceful += strcmp(ending(), "graceful") == 0;
	printf("graceful %d of %d\n", graceful, CHECKED);
	for (i = 0; i < KEPT; i++)
		connection(ends[i]);
	printf("listening %d\n", ntohs(address.sin_port));
	getchar();
}

int main(int count, char **arguments)
{
	static const struct {
		const char *name;
		void (*once)(void);
	} calls[] = {{"accept", one_accept}, {"recv", one_recv}, {"connect", one_connect},
		{"close", one_close}};
	static void (*once)(void);
	static long times, spare;
	size_t i;

	for (i = 0; i < 4 && count == 3; i++)
		if (strcmp(arguments[1], calls[i].name) == 0)
			once = calls[i].once;
	begin();
	NEEDED(once && listen(listener, 128) == 0);
	times = atol(arguments[2]);
	NEEDED(signal(SIGUSR1, jump) != SIG_ERR);
	make_timer();
	sigsetjmp(out, 1);
	if (jumped < times) {
		interrupt_every(0);
		clean_up();
		/* 150 to 250 us: never in step with what it interrupts */
		interrupt_every(150 + spare++ % 101);
		once();
	}
	finish();
	return 0;
}
