/* SPDX-License-Identifier: MIT */
/*
 * The sin: shutdown(SHUT_RDWR) as if it were a close. The peer has not finished: its next data is
 * answered with an RST, and the descriptor holds a dead connection.
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
	shutdown(fd, SHUT_RDWR);
	step("shut-down", fd, TCP_FIN_WAIT2);
	peer("send", 10);
	step("data-arrived", fd, TCP_CLOSE);
	close(fd);
	step_without_fd("closed");
	finish();
}
