/* SPDX-License-Identifier: MIT */
/*
 * Threads that are cancelled at any instruction of a close. Either the connection is closed, or it is not and is still known: the next close
 * of it, with a request that nobody has read, is graceful.
 *
 * cancelled_close TIMES
 */
#include <sched.h>

#include "hard.h"

static int ends[2];
static _Atomic int go;

static void *run(void *unused)
{
	int old;

	(void)unused;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	go = 1;
	while (go != 2)
		sched_yield();
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	close(ends[1]);
	return NULL;
}

int main(int count, char **arguments)
{
	int times = count > 1 ? atoi(arguments[1]) : 1000, i, left = 0, graceful = 0;
	volatile int spin;
	pthread_t thread;

	begin();
	for (i = 0; i < times; i++) {
		connection(ends);
		go = 0;
		NEEDED(pthread_create(&thread, NULL, run, NULL) == 0);
		while (!go)
			sched_yield();
		go = 2;
		for (spin = i * 7 % 3000; spin > 0; spin--)
			;
		pthread_cancel(thread);
		NEEDED(pthread_join(thread, NULL) == 0);
		if (fcntl(ends[1], F_GETFD) >= 0) {
			left++;
			NEEDED(send(ends[0], "request", 7, 0) == 7);
			wait_for(ends[1], POLLIN);
			NEEDED(close(ends[1]) == 0);
			graceful += peer_reads(ends[0]) == 0;
		}
		close(ends[0]);
	}
	fprintf(stderr, "%d of %d were left open\n", left, times);
	printf("not graceful: %d\n", left - graceful);
	return 0;
}
