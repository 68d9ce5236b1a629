/* SPDX-License-Identifier: MIT */
/*
 * EMFILE that says nothing of descriptors: the user may have no more inotify instances (run it where that is a few). Connections that were closed with
 * unread data before stay as they are: their peers are still taken their data.
 */
#include <sys/inotify.h>

#include "processes.h"

enum { CONNECTIONS = 6 };

int main(void)
{
	int ends[CONNECTIONS][2], before, i;

	begin();
	while (inotify_init1(IN_CLOEXEC) >= 0)
		;
	NEEDED(errno == EMFILE);
	for (i = 0; i < CONNECTIONS; i++) {
		connection(ends[i]);
		NEEDED(send(ends[i][0], "unread", 6, 0) == 6);
		wait_for(ends[i][1], POLLIN);
		NEEDED(close(ends[i][1]) == 0);
	}
	before = open_sockets();
	SAY(inotify_init());
	SAY(inotify_init1(IN_CLOEXEC));
	SAY(syscall(SYS_inotify_init1, IN_CLOEXEC));
	printf("ended: %d\n", before - open_sockets());
	return 0;
}
