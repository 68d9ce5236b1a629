/* SPDX-License-Identifier: MIT */
/*
 * The sin: a listener whose program does not call accept(). The connection is complete, gets data
 * and the peer's FIN, and stands in CLOSE-WAIT in the backlog: no descriptor holds it. Later it is
 * accepted after all, and closed by the book.
 */
#include "sin.h"

int main(int argc, char **argv)
{
	int listener, fd;

	(void)argc;
	begin(argv);
	listener = listen_on_loopback(4);
	peer("connect", port_of(listener));
	peer("send", 10);
	peer("fin", 0);
	snprintf(last_identity.local, sizeof(last_identity.local), "127.0.0.1:%d",
		port_of(listener));
	step_without_fd("in-backlog");
	fd = accept(listener, NULL, NULL);
	step("accepted", fd, TCP_CLOSE_WAIT);
	read_to_end(fd);
	step("read", fd, TCP_CLOSE_WAIT);
	close(fd);
	peer("read", 0);
	step_without_fd("closed");
	finish();
}
