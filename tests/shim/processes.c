/* SPDX-License-Identifier: MIT */
/*
 * Processes that inherit connections: fork, vfork and exec, _Fork, clone, posix_spawn, system, popen. A child that says something after its parent has
 * closed must be heard. Then SIGPIPE, and prctl.
 */
#include <pty.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "transcript.h"

extern char **environ;

/* A program that writes to descriptor 9 after a moment; it inherits the number. */
#define ANSWER "sleep 0.05; echo ${WORD-answer} >&9; echo $?"
static char *const told[] = {"WORD=told", "PATH=/usr/bin:/bin", NULL};
static char *const answering[] = {"sh", "-c", ANSWER, NULL};

static int ended(pid_t pid)
{
	int status;

	NEEDED(waitpid(pid, &status, 0) == pid);
	return status;
}

/* A connection whose accepted end is number 9. */
static int inherited_connection(void)
{
	int ends[2];

	connection(ends);
	NEEDED(dup2(ends[1], 9) == 9);
	NEEDED(close(ends[1]) == 0);
	return ends[0];
}

/* Our end goes; the child's answer, then the end, come to the peer. */
static void parent_closes(int peer)
{
	SAY(close(9));
	SAY(peer_reads(peer));
	SAY(close(peer));
}

static void forks(void)
{
	int peer = inherited_connection();
	pid_t pid = fork();

	if (pid == 0) {
		usleep(50000);
		_exit(write(9, "answer\n", 7) != 7);
	}
	parent_closes(peer);
	SAY(ended(pid));
}

/* The child closes all that it does not need, in our memory. */
static void vforks(void)
{
	int peer = inherited_connection(), other = inherited_connection();
	pid_t pid;

	(void)other; /* number 9 is the second now, the first has ended */
	SAY(peer_reads(peer));
	SAY(close(peer));
	pid = vfork();
	if (pid == 0) {
		close(listener);
		close(other);
		close_range(10, 1000, 0);
		execve("/bin/sh", answering, environ);
		_exit(127);
	}
	SAY(is_open(other));
	SAY(fcntl(listener, F_GETFD));
	parent_closes(other);
	SAY(ended(pid));
	pid = vfork();
	if (pid == 0) {
		execve("/nonexistent/program", answering, environ);
		_exit(errno);
	}
	SAY(ended(pid));
}

/* Each function of the family, in a child. */
static void execs(int way)
{
	int peer = inherited_connection(), shell = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	pid_t pid = vfork();

	if (pid == 0) {
		switch (way) {
		case 0: execv("/bin/sh", answering); break;
		case 1: execvp("sh", answering); break;
		case 2: execvpe("sh", answering, environ); break;
		case 3: execl("/bin/sh", "sh", "-c", ANSWER, NULL); break;
		case 4: execlp("sh", "sh", "-c", ANSWER, NULL); break;
		case 5: execle("/bin/sh", "sh", "-c", ANSWER, NULL, told); break;
		case 6: fexecve(shell, answering, environ); break;
		default: execveat(shell, "", answering, environ, AT_EMPTY_PATH); break;
		}
		_exit(127);
	}
	parent_closes(peer);
	SAY(ended(pid));
	NEEDED(close(shell) == 0);
}

/* Not to be closed by the exec after all, and the parent must know. */
static void inheritable_after_all(bool by_syscall)
{
	int peer = inherited_connection();
	pid_t pid;

	SAY(ioctl(9, FIOCLEX));
	SAY(fcntl(9, F_GETFD));
	SAY(by_syscall ? syscall(SYS_ioctl, 9, FIONCLEX, 0) : ioctl(9, FIONCLEX));
	SAY(fcntl(9, F_GETFD));
	pid = vfork();
	if (pid == 0) {
		execv("/bin/sh", answering);
		_exit(127);
	}
	parent_closes(peer);
	SAY(ended(pid));
}

/* What waits unread when the parent closes is the child's to read, and to answer. */
static int reads_and_answers(void *nothing)
{
	char bytes[8];

	(void)nothing;
	usleep(50000);
	return read(9, bytes, sizeof(bytes)) != 8 || write(9, "from the child", 14) != 14;
}

/* Children that no fork handler sees. */
static void uncounted(bool by_clone)
{
	static char stack[65536] __attribute__((aligned(16)));
	int peer = inherited_connection();
	pid_t pid;

	NEEDED(write(peer, "question", 8) == 8);
	wait_for(9, POLLIN);
	pid = by_clone ? clone(reads_and_answers, stack + sizeof(stack), SIGCHLD, NULL) : _Fork();
	if (pid == 0)
		_exit(reads_and_answers(NULL));
	parent_closes(peer);
	SAY(ended(pid));
}

/* These fork inside the C library. */
static void in_the_background(void)
{
	int peer = inherited_connection(), status;
	pid_t pid = fork();

	if (pid == 0) {
		/* Its parent ends in it. */
		if (daemon(1, 1) < 0)
			_exit(3);
		usleep(100000);
		_exit(write(9, "answer\n", 7) != 7);
	}
	NEEDED(waitpid(pid, &status, 0) == pid);
	SAY(status);
	parent_closes(peer);
}

static void on_a_terminal(void)
{
	int peer = inherited_connection(), terminal = -1;
	pid_t pid = forkpty(&terminal, NULL, NULL, NULL);

	if (pid == 0) {
		usleep(100000);
		_exit(isatty(0) && write(9, "answer\n", 7) != 7);
	}
	parent_closes(peer);
	SAY(ended(pid));
	NEEDED(close(terminal) == 0);
}

static void spawns(void)
{
	int peer = inherited_connection();
	pid_t pid = 0;
	posix_spawn_file_actions_t actions;

	SAY(posix_spawn(&pid, "/bin/sh", NULL, NULL, answering, environ));
	parent_closes(peer);
	SAY(ended(pid));
	peer = inherited_connection();
	SAY(posix_spawnp(&pid, "sh", NULL, NULL, answering, environ));
	parent_closes(peer);
	SAY(ended(pid));
	SAY(posix_spawn(&pid, "/nonexistent/program", NULL, NULL, answering, environ));
	SAY(posix_spawnp(&pid, "no-such-program", NULL, NULL, answering, environ));
	/* Its own number is not 9: an action puts it there. */
	peer = inherited_connection();
	NEEDED(dup2(9, 19) == 19 && close(9) == 0 && fcntl(19, F_SETFD, FD_CLOEXEC) == 0);
	NEEDED(posix_spawn_file_actions_init(&actions) == 0);
	NEEDED(posix_spawn_file_actions_adddup2(&actions, 19, 9) == 0);
	SAY(posix_spawn(&pid, "/bin/sh", &actions, NULL, answering, environ));
	SAY(close(19));
	SAY(peer_reads(peer));
	SAY(close(peer));
	SAY(ended(pid));
}

static void shells(void)
{
	int peer = inherited_connection();
	char line[16] = "";
	FILE *output;

	SAY(system(NULL) != 0);
	SAY(system("exit 3"));
	SAY(system("(" ANSWER ") >/dev/null &"));
	parent_closes(peer);
	peer = inherited_connection();
	SAY_POINTER(output = popen(ANSWER, "r"));
	SAY(close(9));
	SAY(peer_reads(peer));
	SAY_POINTER(fgets(line, sizeof(line), output));
	SAY(pclose(output));
	SAY(close(peer));
	SAY_POINTER(popen("true", "nonsense"));
}

static void sigpipe(void)
{
	int ends[2];
	pid_t pid = fork();

	if (pid == 0) {
		connection(ends);
		shutdown(ends[1], SHUT_WR);
		_exit(write(ends[1], "x", 1) == 1);
	}
	SAY(ended(pid));
	signal(SIGPIPE, SIG_IGN);
	connection(ends);
	SAY(shutdown(ends[1], SHUT_WR));
	SAY(write(ends[1], "x", 1));
	SAY(send(ends[1], "x", 1, 0));
	SAY(close(ends[1]));
	SAY(close(ends[0]));
}

static void prctls(void)
{
	char name[16] = "";

	SAY(prctl(PR_SET_NAME, "renamed", 0, 0, 0));
	SAY(prctl(PR_GET_NAME, name, 0, 0, 0));
	printf("%s\n", name);
	SAY(prctl(9999, 0, 0, 0, 0));
	SAY(prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	SAY(prctl(PR_SET_SECCOMP, 77, 0, 0, 0));
	SAY(syscall(99999));
	SAY(syscall(SYS_getppid) == getppid());
}

int main(void)
{
	int way;

	begin();
	forks();
	vforks();
	for (way = 0; way < 8; way++)
		execs(way);
	inheritable_after_all(false);
	inheritable_after_all(true);
	in_the_background();
	on_a_terminal();
	uncounted(false);
	uncounted(true);
	spawns();
	shells();
	sigpipe();
	prctls();
	return 0;
}
