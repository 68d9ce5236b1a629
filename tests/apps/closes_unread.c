/* SPDX-License-Identifier: MIT */
/*
 * The sin: an answer is written and the connection closed while the peer's request still waits
 * unread. The kernel sends an RST at once, and what the peer has not yet taken of the answer is
 * lost.
 */
#include "sin.h"

int main(int argc, char **argv)
{
	int listener, fd;
	long got;

	(void)argc;
	begin(argv);
	listener = listen_on_loopback(4);
	fd = accept_peer(listener);
	peer("send", 1000);
	step("request-unread", fd, TCP_ESTABLISHED);
	if (write(fd, "no", 2) != 2)
		give_up("write");
	close(fd);
	step_without_fd("closed");
	got = peer("read", 0);
	printf("the peer read %ld bytes, then: %s\n", got,
		errno ? strerror(errno) : "end of stream");
	finish();
}
