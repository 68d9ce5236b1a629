/* SPDX-License-Identifier: MIT */
/*
 * no_threads HOW [AND]: connections are closed with unread data, then no thread can be made any more (HOW: unshare or setns into a PID namespace for
 * the children); AND with "credentials" they are changed, too. Whoever sends on still finds that his data is taken, or is told that the end has come,
 * and no descriptor is left.
 */
#include <pthread.h>

#include "processes.h"

enum { CONNECTIONS = 10, MORE = 4 << 20 };

static void *wait_for_it(void *gate)
{
	await(*(int *)gate);
	return NULL;
}

/* A user namespace is refused to whoever has threads. */
static void is_refused(void)
{
	int gate[2], ends[2];
	pthread_t other;

	NEEDED(pipe(gate) == 0 && pthread_create(&other, NULL, wait_for_it, &gate[0]) == 0);
	SAY(unshare(CLONE_NEWUSER | CLONE_NEWPID));
	connection(ends);
	close_unread(ends);
	notify(gate[1]);
	NEEDED(pthread_join(other, NULL) == 0);
}

int main(int count, char **words)
{
	static char bytes[65536];
	int ends[CONNECTIONS][2], before, tries = 0, own, i;
	struct timeval bound = {.tv_sec = 20};
	long sent, got;

	NEEDED(count >= 2);
	begin();
	if (strcmp(words[1], "refused") == 0) {
		is_refused();
		return 0;
	}
	before = open_sockets();
	for (i = 0; i < CONNECTIONS; i++) {
		connection(ends[i]);
		NEEDED(send(ends[i][0], "unread", 6, 0) == 6);
		wait_for(ends[i][1], POLLIN);
		NEEDED(close(ends[i][1]) == 0);
	}
	if (strcmp(words[1], "setns") == 0) {
		own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
		NEEDED(own >= 0 && unshare(CLONE_NEWPID) == 0);
		NEEDED(setns(own, CLONE_NEWPID) == 0 && close(own) == 0);
		NEEDED(unshare(CLONE_NEWPID) == 0);
	} else {
		NEEDED(unshare(CLONE_NEWPID) == 0);
	}
	if (count > 2)
		NEEDED(setegid(getegid()) == 0);
	for (i = 0; i < CONNECTIONS; i++) {
		NEEDED(setsockopt(ends[i][0], SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound)) == 0);
		for (sent = 0, got = 1; sent < MORE && got > 0; sent += got)
			got = send(ends[i][0], bytes, sizeof(bytes), MSG_NOSIGNAL);
		NEEDED(got > 0 || errno == ECONNRESET || errno == EPIPE);
		NEEDED(close(ends[i][0]) == 0);
	}
	while (open_sockets() > before && tries++ < 500)
		usleep(10000);
	printf("left: %d\n", open_sockets() - before);
	return 0;
}
