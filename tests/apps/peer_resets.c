/* SPDX-License-Identifier: MIT */
/*
 * The peer's sin: an RST, once in every state in which this end can hold a descriptor. A deaf peer
 * keeps our FIN unacknowledged.
 */
#include "sin.h"

static const struct {
	const char *before, *after;
	int state;
	bool peer_fin_first, deaf, our_fin, peer_fin_last;
} ways[] = {
	{"established", "established-reset", TCP_ESTABLISHED, false, false, false, false},
	{"close-wait", "close-wait-reset", TCP_CLOSE_WAIT, true, false, false, false},
	{"fin-wait-1", "fin-wait-1-reset", TCP_FIN_WAIT1, false, true, true, false},
	{"fin-wait-2", "fin-wait-2-reset", TCP_FIN_WAIT2, false, false, true, false},
	{"closing", "closing-reset", TCP_CLOSING, false, true, true, true},
	{"last-ack", "last-ack-reset", TCP_LAST_ACK, true, true, true, false},
};

int main(int argc, char **argv)
{
	int listener, fd;

	(void)argc;
	begin(argv);
	listener = listen_on_loopback(4);
	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		fd = accept_peer(listener);
		if (ways[i].peer_fin_first) {
			peer("fin", 0);
			read_to_end(fd);
		}
		if (ways[i].deaf)
			peer("deaf", 1);
		if (ways[i].our_fin)
			shutdown(fd, SHUT_WR);
		if (ways[i].peer_fin_last)
			peer("fin", 0);
		step(ways[i].before, fd, ways[i].state);
		peer("reset", 0);
		step(ways[i].after, fd, TCP_CLOSE);
		close(fd);
	}
	finish();
}
