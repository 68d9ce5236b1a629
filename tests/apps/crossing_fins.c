/* SPDX-License-Identifier: MIT */
/*
 * No sin but an accident: both ends close at the same time. The peer is deaf while its FIN is sent,
 * so its FIN does not acknowledge ours: FIN-WAIT-1, CLOSING, and TIME-WAIT once the peer hears
 * again. The descriptor is held all the way.
 */
#include "sin.h"

int main(int argc, char **argv)
{
	int listener, fd;

	(void)argc;
	begin(argv);
	listener = listen_on_loopback(4);
	fd = accept_peer(listener);
	peer("deaf", 1);
	shutdown(fd, SHUT_WR);
	step("our-fin-sent", fd, TCP_FIN_WAIT1);
	peer("fin", 0);
	step("fins-crossed", fd, TCP_CLOSING);
	read_to_end(fd);
	step("eof-read", fd, TCP_CLOSING);
	peer("deaf", 0);
	peer("read", 0);
	step("our-fin-acknowledged", fd,
		TCP_CLOSE); /* TIME-WAIT: a descriptor cannot tell it from CLOSED */
	close(fd);
	step_without_fd("closed");
	finish();
}
