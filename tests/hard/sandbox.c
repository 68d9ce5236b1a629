/* SPDX-License-Identifier: MIT */
/*
 * A program that locks itself in, and goes on with connections that it has: strict mode and filters that kill, made in every way. Whoever makes one system
 * call more than the program itself does has it killed. Each sandbox is a child of its own, with a helper that has something to do.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>

#include "processes.h"

enum way {
	STRICT_PRCTL,
	STRICT_SECCOMP,
	STRICT_SYSCALL,
	FILTER_PRCTL,
	FILTER_SECCOMP,
	TSYNC,
	CLOSING,
	WAYS
};

/* Strict mode's four calls; and a few more for who closes. */
static void install(enum way way)
{
#define ALLOW(call)                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(read),
		ALLOW(write),
		ALLOW(exit),
		ALLOW(rt_sigreturn),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_filter closing[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(read),
		ALLOW(write),
		ALLOW(exit),
		ALLOW(exit_group),
		ALLOW(close),
		ALLOW(close_range),
		ALLOW(dup2),
		ALLOW(shutdown),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	NEEDED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (way == CLOSING)
		program = (struct sock_fprog){
			.len = sizeof(closing) / sizeof(closing[0]), .filter = closing};
	switch (way) {
	case STRICT_PRCTL: NEEDED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0); break;
	case STRICT_SECCOMP:
		NEEDED(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
		break;
	case STRICT_SYSCALL:
		NEEDED(syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0);
		break;
	case FILTER_PRCTL:
	case CLOSING: NEEDED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0); break;
	case FILTER_SECCOMP:
		NEEDED(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
		break;
	default:
		NEEDED(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			       &program) == 0);
	}
}

/* In the sandbox: data, the peer's end, and an answer to it. */
static bool reads_to_end(int fd)
{
	char bytes[16];
	ssize_t got;
	size_t total = 0;

	while ((got = read(fd, bytes, sizeof(bytes))) > 0)
		total += (size_t)got;
	if (got != 0 || total != 6 || read(fd, bytes, 1) != 0)
		return false;
	return write(fd, "answer", 6) == 6;
}

static int thread_runs[2];

static void *reads_in_thread(void *fd)
{
	bool good;

	notify(thread_runs[1]); /* what starts a thread is not allowed any more */
	good = reads_to_end(*(int *)fd);

	syscall(SYS_exit, good ? 0 : 1);
	return NULL;
}

static _Noreturn void locked_in(enum way way, const int fd[3], int go)
{
	pthread_t thread;
	int ends[2];
	bool good;

	connection(ends);
	close_unread(ends);
	connection(ends); /* one that a helper drains, whose peer keeps it open */
	NEEDED(send(ends[0], "unread", 6, 0) == 6);
	wait_for(ends[1], POLLIN);
	NEEDED(close(ends[1]) == 0);
	if (way == TSYNC) {
		NEEDED(pipe(thread_runs) == 0);
		NEEDED(pthread_create(&thread, NULL, reads_in_thread, (void *)&fd[1]) == 0);
		await(thread_runs[0]);
	}
	install(way);
	good = write(go, "x", 1) == 1 && reads_to_end(fd[0]);
	if (way == CLOSING)
		good = good && close(fd[0]) == 0 && dup2(1, fd[1]) == fd[1] &&
		       shutdown(fd[2], SHUT_WR) == 0 && close_range(3, ~0u, 0) == 0;
	syscall(SYS_exit, good ? 0 : 1);
	for (;;)
		;
}

static void sandbox(enum way way)
{
	int ends[3][2], inner[3], go[2], i;
	pid_t pid;

	for (i = 0; i < 3; i++) {
		connection(ends[i]);
		inner[i] = ends[i][1];
	}
	NEEDED(pipe(go) == 0);
	printf("way %d\n", way);
	pid = fork();
	if (pid == 0)
		locked_in(way, inner, go[1]);
	for (i = 0; i < 3; i++)
		NEEDED(close(ends[i][1]) == 0);
	await(go[0]); /* it is locked in now */
	for (i = 0; i < (way == TSYNC ? 2 : 1); i++)
		NEEDED(send(ends[i][0], "please", 6, MSG_NOSIGNAL) == 6 &&
			shutdown(ends[i][0], SHUT_WR) == 0);
	SAY(peer_reads(ends[0][0]));
	if (way == TSYNC)
		SAY(peer_reads(ends[1][0]));
	SAY(ended(pid));
	for (i = 0; i < 3; i++)
		close(ends[i][0]);
	close(go[0]), close(go[1]);
}

int main(void)
{
	int way;

	begin();
	for (way = 0; way < WAYS; way++)
		sandbox((enum way)way);
	return 0;
}
