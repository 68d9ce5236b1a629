/* SPDX-License-Identifier: MIT */
/*
 * The sin: a program that accepts and never reads. The peer's data and FIN wait in the receive
 * queue: CLOSE-WAIT, and the application does not know.
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
	step("data-unread", fd, TCP_ESTABLISHED);
	peer("fin", 0);
	step("eof-unread", fd, TCP_CLOSE_WAIT);
	finish();
}
