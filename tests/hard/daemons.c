/* SPDX-License-Identifier: MIT */
/*
 * Processes that leave their parent: daemon(3), setsid and a second fork, forkpty; and that close all they inherited, in every way. What they
 * inherited and use reaches the peer; what they open themselves is known, and known to be theirs alone.
 */
#include <pty.h>
#include <sys/resource.h>

#include "processes.h"

/* On one processor, before a child that it does not let run: its parent is gone when the daemon looks. */
static void outrun_the_child(void)
{
	struct sched_param urgent = {.sched_priority = 1};
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one) == 0)
		sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &urgent);
}

static void become_daemon(bool parent_first)
{
	int ends[2], go[2], done[2];
	pid_t pid;

	NEEDED(pipe(go) == 0 && pipe(done) == 0);
	pid = fork();
	if (pid == 0) {
		alarm(30);
		connection(ends);
		if (parent_first)
			outrun_the_child();
		NEEDED(daemon(1, 1) == 0);
		await(go[0]);
		NEEDED(carries(ends));
		close_unread(ends); /* by now our parent is gone */
		use_own_connection();
		notify(done[1]);
		exit(0);
	}
	SAY(ended(pid));
	notify(go[1]);
	await(done[0]);
	close(go[0]), close(go[1]), close(done[0]), close(done[1]);
}

/* The grandchild answers when its parent, and ours, have closed. */
static void twice(void)
{
	int ends[2], go[2];
	pid_t pid;

	connection(ends);
	NEEDED(pipe(go) == 0);
	pid = fork();
	if (pid == 0) {
		SAY(setsid() == getpid());
		if (fork() != 0)
			_exit(0);
		await(go[0]);
		NEEDED(send(ends[1], "answer", 6, MSG_NOSIGNAL) == 6);
		use_own_connection();
		exit(0);
	}
	SAY(ended(pid));
	SAY(close(ends[1]));
	notify(go[1]);
	SAY(peer_reads(ends[0]));
	close(ends[0]), close(go[0]), close(go[1]);
}

static void at_a_terminal(void)
{
	int ends[2], terminal;
	char text[16] = "";
	pid_t pid;

	connection(ends);
	pid = forkpty(&terminal, NULL, NULL, NULL);
	NEEDED(pid >= 0);
	if (pid == 0) {
		NEEDED(write(1, "hello", 5) == 5);
		await(0);
		_exit(send(ends[1], "answer", 6, MSG_NOSIGNAL) != 6);
	}
	SAY(read(terminal, text, 5));
	SAY(strcmp(text, "hello"));
	SAY(close(ends[1]));
	NEEDED(write(terminal, "x\n", 2) == 2);
	SAY(peer_reads(ends[0]));
	SAY(ended(pid));
	close(ends[0]), close(terminal);
}

/* Each fork fails; a connection of that time is still ours alone. */
static void no_more_processes(void)
{
	struct rlimit limit, none;
	int ends[2], terminal;
	pid_t pid = fork();

	if (pid > 0) {
		SAY(ended(pid));
		return;
	}
	connection(ends);
	NEEDED(getrlimit(RLIMIT_NPROC, &limit) == 0);
	none = limit;
	none.rlim_cur = 0;
	NEEDED(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
	NEEDED(setrlimit(RLIMIT_NPROC, &none) == 0);
	SAY(fork());
	SAY(forkpty(&terminal, NULL, NULL, NULL));
	SAY(daemon(1, 1));
	NEEDED(setrlimit(RLIMIT_NPROC, &limit) == 0);
	close_unread(ends);
	exit(0);
}

static void close_everything(int way)
{
	int ends[2], fd;
	pid_t pid;

	connection(ends);
	pid = fork();
	if (pid == 0) {
		switch (way) {
		case 0:
			for (fd = 65535; fd >= 3; fd--)
				close(fd);
			break;
		case 1: closefrom(3); break;
		case 2: close_range(3, ~0u, 0); break;
		case 3: close_range(3, ~0u, CLOSE_RANGE_UNSHARE); break;
		default:
			for (fd = 3; fd < 1024; fd++)
				syscall(SYS_close, fd);
		}
		use_own_connection();
		exit(0);
	}
	SAY(ended(pid));
	SAY(carries(ends));
	close_unread(ends);
}

int main(int count, char **words)
{
	int way, kept[2];

	(void)words;
	begin();
	connection(kept);
	for (way = 0; way < 4; way++)
		become_daemon(way % 2);
	twice();
	at_a_terminal();
	no_more_processes();
	for (way = 0; way < 5; way++)
		close_everything(way);
	SAY(carries(kept));
	stop_to_be_seen(count);
	return 0;
}
