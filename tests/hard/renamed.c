/* SPDX-License-Identifier: MIT */
/* dup2 over a connection in whose recv another thread is blocked: the number is the new one's at once, and the old one ends with the recv. */
#include <pthread.h>

#include "../shim/transcript.h"

static pid_t reader;

static void *receives(void *fd)
{
	char bytes[16];

	__atomic_store_n(&reader, gettid(), __ATOMIC_RELEASE);
	return (void *)recv((int)(long)fd, bytes, sizeof(bytes), 0);
}

static void wait_until_blocked(void)
{
	char path[64], text[8] = "";
	int file;

	while (atol(text) != SYS_recvfrom) {
		usleep(1000);
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall",
			__atomic_load_n(&reader, __ATOMIC_ACQUIRE));
		file = open(path, O_RDONLY);
		if (file >= 0 && read(file, text, sizeof(text) - 1) < 0)
			text[0] = '\0';
		close(file);
	}
}

int main(void)
{
	int old[2], new[2];
	char bytes[16];
	pthread_t thread;
	void *got;

	begin();
	connection(old);
	connection(new);
	NEEDED(pthread_create(&thread, NULL, receives, (void *)(long)old[1]) == 0);
	wait_until_blocked();
	SAY(dup2(new[1], old[1]));
	SAY(close(new[1]));
	SAY(write(new[0], "to the new", 10));
	wait_for(old[1], POLLIN);
	SAY(read(old[1], bytes, sizeof(bytes)));
	SAY(is_open(old[0]));
	SAY(write(old[0], "to the old", 10));
	NEEDED(pthread_join(thread, &got) == 0);
	SAY((long)got);
	SAY(peer_reads(old[0]));
	SAY(is_open(new[0]));
	SAY(close(old[1]));
	SAY(peer_reads(new[0]));
	return 0;
}
