/* SPDX-License-Identifier: MIT */
/* A connection in the highest number that there can be, of a million at most: "highest: N". Then the same at a limit of 8. */
#include <sys/resource.h>

#include "../shim/transcript.h"

static void lives_in(int number)
{
	struct linger off = {0};
	int ends[2];
	char bytes[16];

	connection(ends);
	SAY(dup2(ends[1], number));
	SAY(close(ends[1]));
	SAY(setsockopt(number, SOL_SOCKET, SO_LINGER, &off, sizeof(off)));
	SAY(write(ends[0], "up there", 8));
	wait_for(number, POLLIN);
	SAY(read(number, bytes, sizeof(bytes)));
	SAY(fcntl(number, F_DUPFD, 0));
	SAY(close(number));
	SAY(is_open(ends[0]));
	SAY(close(ends[1])); /* the copy: the lowest number again */
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
	SAY(close(number));
	SAY(dup2(0, number));
	SAY(close(number));
}

int main(void)
{
	const rlim_t wanted[] = {1000000000, 1048576};
	struct rlimit limit;
	size_t i;

	begin();
	getrlimit(RLIMIT_NOFILE, &limit);
	for (i = 0; i < 2; i++) {
		struct rlimit more = {
			wanted[i], wanted[i] > limit.rlim_max ? wanted[i] : limit.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			break;
	}
	if (i == 2) {
		limit.rlim_cur = limit.rlim_max;
		NEEDED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_max = limit.rlim_cur > 1000001 ? 1000001 : limit.rlim_cur;
	printf("highest: %d\n", (int)limit.rlim_max - 1);
	lives_in((int)limit.rlim_max - 1);
	limit.rlim_cur = 8;
	NEEDED(getrlimit(RLIMIT_NOFILE, &(struct rlimit){0}) == 0 &&
		setrlimit(RLIMIT_NOFILE, &limit) == 0);
	lives_in(7);
	return 0;
}
