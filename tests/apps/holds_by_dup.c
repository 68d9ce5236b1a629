/* SPDX-License-Identifier: MIT */
/*
 * The sin: a forgotten dup. The program closes its descriptor and believes that the connection has
 * ended, but a second one holds it: nothing is sent, the connection works on. It ends with the last
 * descriptor.
 */
#include "sin.h"

int main(int argc, char **argv)
{
	int listener, fd, forgotten;
	char byte;

	(void)argc;
	begin(argv);
	listener = listen_on_loopback(4);
	fd = accept_peer(listener);
	forgotten = dup(fd);
	step("duplicated", fd, TCP_ESTABLISHED);
	close(fd);
	step("one-closed", forgotten, TCP_ESTABLISHED);
	peer("send", 1);
	if (read(forgotten, &byte, 1) != 1 || write(forgotten, "still here", 10) != 10)
		give_up("the connection that the dup holds");
	step("still-works", forgotten, TCP_ESTABLISHED);
	peer("fin", 0);
	read_to_end(forgotten);
	step("peer-finished", forgotten, TCP_CLOSE_WAIT);
	close(forgotten);
	printf("the peer read %ld bytes, then: %s\n", peer("read", 0),
		errno ? strerror(errno) : "end of stream");
	step_without_fd("both-closed");
	finish();
}
