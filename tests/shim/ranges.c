/* SPDX-License-Identifier: MIT */
/* close_range and closefrom. */
#include <linux/close_range.h>

#include "transcript.h"

/* Put both ends at known numbers, so that there are holes between them. */
static void connection_at(int ends[2], int first, int second)
{
	int given[2];

	connection(given);
	NEEDED(dup2(given[0], first) == first && dup2(given[1], second) == second);
	NEEDED(close(given[0]) == 0 && close(given[1]) == 0);
	ends[0] = first;
	ends[1] = second;
}

static void errors(void)
{
	SAY(close_range(50, 40, 0));
	SAY(close_range(50, 60, 128));
	SAY(close_range(50, 60, ~0));
	SAY(syscall(SYS_close_range, 50, 40, 0));
	SAY(close_range(5000, 6000, 0)); /* nothing there */
	SAY(close_range(~0u, ~0u, 0));
	SAY(close_range(0x3fffffff, ~0u, 0));
}

static void holes(void)
{
	int ends[2], other[2];

	connection_at(ends, 40, 50);
	connection_at(other, 41, 57);
	NEEDED(dup2(STDIN_FILENO, 53) == 53);
	SAY(close_range(45, 60, 0));
	SAY(fcntl(50, F_GETFD));
	SAY(fcntl(53, F_GETFD));
	SAY(fcntl(57, F_GETFD));
	SAY(peer_reads(40));
	SAY(peer_reads(41));
	SAY(close_range(40, ~0u, 0));
	SAY(close(40));
	SAY(close(41));
	connection_at(ends, 40, 50);
	SAY(syscall(SYS_close_range, 50, 50, 0));
	SAY(peer_reads(40));
	SAY(close(40));
}

/* Two numbers of one connection, of which the range has one. */
static void half_of_a_pair(void)
{
	int ends[2];

	connection_at(ends, 40, 50);
	NEEDED(dup2(50, 70) == 70);
	SAY(close_range(45, 60, 0));
	SAY(is_open(40));
	SAY(close_range(60, 70, 0));
	SAY(peer_reads(40));
	SAY(close(40));
}

static void cloexec(void)
{
	int ends[2];

	connection_at(ends, 40, 50);
	SAY(close_range(45, 60, CLOSE_RANGE_CLOEXEC));
	SAY(fcntl(50, F_GETFD));
	SAY(fcntl(40, F_GETFD));
	SAY(is_open(40));
	SAY(close(50));
	SAY(peer_reads(40));
	SAY(close(40));
}

static void unshare_in_child(void)
{
	int ends[2], status;
	pid_t child;

	connection_at(ends, 40, 50);
	child = fork();
	if (child == 0) {
		SAY(close_range(45, 60, CLOSE_RANGE_UNSHARE));
		SAY(fcntl(50, F_GETFD));
		SAY(is_open(40)); /* the parent holds the other end */
		SAY(close_range(40, 44, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC));
		SAY(fcntl(40, F_GETFD));
		exit(0);
	}
	NEEDED(waitpid(child, &status, 0) == child);
	SAY(status);
	SAY(is_open(40));
	SAY(close(50));
	SAY(peer_reads(40));
	SAY(close(40));
}

static void everything_from(void)
{
	int ends[2];

	connection_at(ends, 30, 50);
	errno = UNTOUCHED;
	closefrom(45);
	SAY(fcntl(50, F_GETFD));
	SAY(peer_reads(30));
	connection_at(ends, 31, 51);
	errno = UNTOUCHED;
	closefrom(4);
	printf("errno %d\n", errno == UNTOUCHED);
	SAY(fcntl(30, F_GETFD));
	SAY(fcntl(31, F_GETFD));
	SAY(fcntl(51, F_GETFD));
	SAY(socket(AF_INET, SOCK_STREAM, 0));
	closefrom(2000000000);
	closefrom(0x7fffffff);
	SAY(fcntl(4, F_GETFD));
	fflush(stdout);
	closefrom(-5);
	_exit(close(0) == 0 || errno != EBADF);
}

int main(void)
{
	begin();
	errors();
	holes();
	half_of_a_pair();
	cloexec();
	unshare_in_child();
	everything_from();
	return 0;
}
