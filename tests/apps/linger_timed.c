/* SPDX-License-Identifier: MIT */
/*
 * The sin: SO_LINGER {1,n}. With a peer whose kernel does not acknowledge, close() blocks n seconds
 * (here 1), in O_NONBLOCK mode too, and goes on in the background as an orphan in FIN-WAIT-1.
 */
#include "sin.h"

#include <fcntl.h>

int main(int argc, char **argv)
{
	struct linger timed = {.l_onoff = 1, .l_linger = 1};
	struct timespec before, after;
	int listener, fd;

	(void)argc;
	begin(argv);
	listener = listen_on_loopback(4);
	fd = accept_peer(listener);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &timed, sizeof(timed)) < 0)
		give_up("SO_LINGER");
	peer("deaf", 1);
	step("open", fd, TCP_ESTABLISHED);
	clock_gettime(CLOCK_MONOTONIC, &before);
	close(fd);
	clock_gettime(CLOCK_MONOTONIC, &after);
	printf("close took %ld ms\n", (long)((after.tv_sec - before.tv_sec) * 1000 +
					      (after.tv_nsec - before.tv_nsec) / 1000000));
	step_without_fd("closed");
	peer("deaf", 0);
	peer("read", 0);
	step_without_fd("acknowledged");
	peer("close", 0);
	step_without_fd("peer-closed");
	finish();
}
