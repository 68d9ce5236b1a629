/* SPDX-License-Identifier: MIT */
/*
 * The sin: a program that is told of the peer's FIN (read returns 0) and forgets the descriptor:
 * CLOSE-WAIT for ever.
 */
#include "sin.h"

int main(int argc, char **argv)
{
	int listener, fd;

	(void)argc;
	begin(argv);
	listener = listen_on_loopback(4);
	fd = accept_peer(listener);
	peer("send", 5);
	step("open", fd, TCP_ESTABLISHED);
	peer("close", 0);
	read_to_end(fd);
	step("eof-read", fd, TCP_CLOSE_WAIT);
	finish();
}
