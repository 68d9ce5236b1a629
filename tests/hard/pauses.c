/* SPDX-License-Identifier: MIT */
/*
 * Threads that change their credentials at the same time, again and again, so that whatever lastack runs beside them ends and begins; meanwhile
 * connections are closed with unread data. Once all threads are done, nothing of these connections is left within 5 s.
 */
#include <pthread.h>

#include "processes.h"

enum { ROUNDS = 200, CHANGERS = 3, CHANGES = 30, CONNECTIONS = 8 };

static void *change(void *argument)
{
	int i;

	for (i = 0; i < CHANGES; i++)
		NEEDED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	return argument;
}

static bool comes_down_to(int sockets)
{
	int tries;

	for (tries = 0; tries < 500; tries++) {
		if (open_sockets() <= sockets)
			return true;
		usleep(10000);
	}
	return false;
}

int main(void)
{
	int ends[CONNECTIONS][2], before, round, i;
	pthread_t changers[CHANGERS];

	begin();
	before = open_sockets();
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < CONNECTIONS; i++) {
			connection(ends[i]);
			NEEDED(send(ends[i][0], "unread", 6, 0) == 6);
			wait_for(ends[i][1], POLLIN);
		}
		for (i = 0; i < CHANGERS; i++)
			NEEDED(pthread_create(&changers[i], NULL, change, NULL) == 0);
		for (i = 0; i < CONNECTIONS; i++)
			NEEDED(close(ends[i][1]) == 0);
		for (i = 0; i < CHANGERS; i++)
			NEEDED(pthread_join(changers[i], NULL) == 0);
		for (i = 0; i < CONNECTIONS; i++)
			NEEDED(close(ends[i][0]) == 0);
		NEEDED(comes_down_to(before));
	}
	printf("rounds %d\n", round);
	connection(ends[0]);
	close_unread(ends[0]);
	return 0;
}
