/* SPDX-License-Identifier: MIT */
/*
 * A server whose peers have half-closed: for programs that a bound is to end, and that count their SIGPIPE.
 */
#ifndef HALF_CLOSED_H
#define HALF_CLOSED_H

#include "transcript.h"

static volatile sig_atomic_t signals, last_code, from_here;

static inline void count_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	signals++;
	last_code = info->si_code;
	from_here = info->si_pid == getpid() && info->si_uid == getuid();
}

static inline void count_signals(void)
{
	struct sigaction action = {.sa_sigaction = count_signal, .sa_flags = SA_SIGINFO};

	NEEDED(sigaction(SIGPIPE, &action, NULL) == 0);
}

/* The peer has half-closed, and waits. Our end. */
static inline int half_closed(int *peer)
{
	int ends[2];

	connection(ends);
	NEEDED(shutdown(ends[0], SHUT_WR) == 0);
	*peer = ends[0];
	return ends[1];
}

/* By whomever. */
static inline void wait_for_the_end(int fd)
{
	struct pollfd one = {.fd = fd};

	NEEDED(poll(&one, 1, 30000) == 1 && (one.revents & POLLHUP));
}

#endif
