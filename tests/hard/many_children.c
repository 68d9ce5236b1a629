/* SPDX-License-Identifier: MIT */
/*
 * More children than the region counts. One that is not counted closes a connection: another one, and the parent, still have it. Then thousands of
 * children, one after another, that end without closing, by _exit and by exit: the region does not grow by them (seen from outside).
 */
#include "processes.h"

enum { CHILDREN = 70, LATER = 1200 };

int main(int count, char **words)
{
	int ends[2], others[2], last[2], i;
	char bytes[8];
	pid_t pids[CHILDREN];

	(void)words;
	begin();
	connection(ends);
	NEEDED(pipe(others) == 0 && pipe(last) == 0);
	for (i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		NEEDED(pids[i] >= 0);
		if (pids[i] > 0)
			continue;
		await(i == CHILDREN - 1 ? last[0] : others[0]);
		if (i == CHILDREN - 2)
			NEEDED(close(ends[1]) == 0);
		if (i == CHILDREN - 1)
			NEEDED(recv(ends[1], bytes, 8, MSG_DONTWAIT) == 6 &&
				send(ends[1], "answer", 6, MSG_NOSIGNAL) == 6);
		_exit(0);
	}
	NEEDED(send(ends[0], "unread", 6, 0) == 6);
	wait_for(ends[1], POLLIN);
	for (i = 0; i < CHILDREN - 1; i++)
		notify(others[1]);
	for (i = 0; i < CHILDREN - 1; i++)
		NEEDED(ended(pids[i]) == 0);
	SAY(close(ends[1]));
	notify(last[1]);
	SAY(peer_reads(ends[0]));
	SAY(ended(pids[CHILDREN - 1]));
	SAY(close(ends[0]));

	for (i = 0; i < LATER; i++) {
		pid_t pid;

		connection(ends);
		pid = fork();
		if (pid == 0 && i < LATER / 2)
			_exit(0);
		if (pid == 0)
			exit(0);
		NEEDED(close(ends[1]) == 0);
		NEEDED(ended(pid) == 0);
		NEEDED(peer_reads(ends[0]) == 0 && close(ends[0]) == 0);
	}
	connection(ends);
	close_unread(ends);
	stop_to_be_seen(count);
	return 0;
}
