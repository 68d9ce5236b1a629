/* SPDX-License-Identifier: MIT */
/*
 * A process under a filter that kills it at any system call but write and exit_group. Its parent sends SIGTERM, and says of what it died.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void lock_in(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = 4, .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(2);
}

int main(void)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	if (pipe(ready) < 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		lock_in();
		if (write(ready[1], "", 1) != 1)
			_exit(3);
		for (;;)
			;
	}
	if (read(ready[0], &byte, 1) != 1)
		return 1;
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	printf("signal %d, status %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return 0;
}
