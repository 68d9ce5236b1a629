/* SPDX-License-Identifier: MIT */
/*
 * The sin: SO_LINGER {1,0}, so that close() sends an RST: once with the peer still there, once
 * after the peer's FIN.
 */
#include "sin.h"

int main(int argc, char **argv)
{
	int listener, fd;

	(void)argc;
	begin(argv);
	listener = listen_on_loopback(4);
	fd = accept_peer(listener);
	step("open", fd, TCP_ESTABLISHED);
	close_by_reset(fd);
	step_without_fd("reset-when-open");
	peer("read", 0);
	printf("the peer: %s\n", errno ? strerror(errno) : "end of stream");
	peer("close", 0);

	fd = accept_peer(listener);
	peer("fin", 0);
	read_to_end(fd);
	step("half-closed", fd, TCP_CLOSE_WAIT);
	close_by_reset(fd);
	step_without_fd("reset-when-half-closed");
	peer("read", 0);
	printf("the peer: %s\n", errno ? strerror(errno) : "end of stream");
	finish();
}
