/* SPDX-License-Identifier: MIT */
/*
 * A program that looks for anything that is not its own: children to wait for, signals, a death of its parent that was none. With a helper at work, and
 * one that comes and goes. "pid-namespace" as first argument: it makes one, and its child waits for orphans there.
 */
#include "processes.h"

static volatile int signals[NSIG];

static void count_it(int number)
{
	signals[number]++;
}

static void catch_all(void)
{
	struct sigaction action = {.sa_handler = count_it, .sa_flags = SA_RESTART};
	int number;

	for (number = 1; number < NSIG; number++)
		if (number != SIGALRM && number != SIGSEGV)
			sigaction(number, &action,
				NULL); /* not for all: KILL, STOP, and two of glibc's */
}

static void tell_signals(void)
{
	sigset_t waiting;
	int number;

	NEEDED(sigpending(&waiting) == 0);
	for (number = 1; number < NSIG; number++)
		if (signals[number] || sigismember(&waiting, number) == 1)
			printf("signal %d: %d\n", number, signals[number]);
}

static void nobody_to_wait_for(void)
{
	siginfo_t info;

	SAY(waitpid(-1, NULL, __WALL));
	SAY(waitpid(-1, NULL, __WALL | WNOHANG));
	SAY(waitpid(0, NULL, __WCLONE));
	SAY(waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | __WALL));
}

/* A connection that is being drained while what follows happens. Its peer keeps it open. */
static int draining(void)
{
	int ends[2];

	connection(ends);
	NEEDED(send(ends[0], "unread", 6, 0) == 6);
	wait_for(ends[1], POLLIN);
	NEEDED(close(ends[1]) == 0);
	return ends[0];
}

/* A child that shall die with us counts what it gets; our helper ends and begins meanwhile. */
static void parents_death(void)
{
	int go[2], told[2];
	pid_t pid;

	NEEDED(pipe(go) == 0 && pipe(told) == 0);
	pid = fork();
	if (pid == 0) {
		NEEDED(prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0) == 0);
		notify(told[1]);
		await(go[0]);
		_exit(signals[SIGUSR1]);
	}
	await(told[0]);
	for (int i = 0; i < 3; i++) {
		int peer = draining();

		NEEDED(setresuid((uid_t)-1, geteuid(), (uid_t)-1) == 0);
		NEEDED(seteuid(geteuid()) == 0);
		close(peer);
	}
	NEEDED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	notify(go[1]);
	SAY(ended(pid));
	close(go[0]), close(go[1]), close(told[0]), close(told[1]);
}

static void count_children(void)
{
	int i, before = signals[SIGCHLD];

	for (i = 0; i < 10; i++) {
		int peer = draining();
		pid_t pid = fork();

		if (pid == 0)
			_exit(open_sockets()); /* what its parent drains is not among them */
		SAY(WEXITSTATUS(ended(pid)));
		close(peer);
	}
	/* Each told once, at its end; one after the other, so none was merged with the next. */
	SAY(signals[SIGCHLD] - before);
}

/* A child with a child: both end with a number. */
static void fork_an_orphan(void)
{
	struct sockaddr_in name;
	int ends[2];

	if (fork() != 0)
		return;
	if (fork() == 0) {
		connect_to(listen_anew(&name), &name, ends);
		close_unread(ends);
		_exit(70);
	}
	_exit(6);
}

/* As `unshare --pid --fork` does it. The child is the namespace's init: an orphan becomes its child. */
static void pid_namespace(void)
{
	int ends[2], go[2], peer = draining(), i, status, codes = 0;
	pid_t pid;

	NEEDED(pipe(go) == 0 && unshare(CLONE_NEWPID) == 0);
	connection(ends);
	pid = fork();
	if (pid == 0) {
		NEEDED(getpid() == 1);
		fork_an_orphan();
		await(go[0]);
		for (i = 0; i < 2; i++) {
			NEEDED(waitpid(-1, &status, __WALL) > 0);
			codes += WEXITSTATUS(status);
		}
		SAY(codes);
		nobody_to_wait_for();
		NEEDED(send(ends[1], "answer", 6, MSG_NOSIGNAL) == 6);
		exit(0);
	}
	NEEDED(close(ends[1]) == 0);
	notify(go[1]);
	SAY(peer_reads(ends[0]));
	SAY(ended(pid));
	close(ends[0]), close(peer);
	nobody_to_wait_for();
}

int main(int count, char **words)
{
	int ends[2], peer;

	begin();
	connection(ends);
	close_unread(ends);
	if (count > 1 && strcmp(words[1], "pid-namespace") == 0) {
		pid_namespace();
		return 0;
	}
	catch_all();
	peer = draining();
	nobody_to_wait_for();
	close(peer);
	parents_death();
	count_children();
	nobody_to_wait_for();
	tell_signals();
	connection(ends);
	close_unread(ends);
	return 0;
}
