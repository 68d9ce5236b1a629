/* SPDX-License-Identifier: MIT */
/*
 * Running a command as a child, and ending as it did.
 *
 * It stays in our process group, so what a terminal sends (^C, ^Z, a hangup) reaches both of us; only what somebody sent to us alone is passed
 * on. Signals are blocked and waited for, so that none comes between two steps.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"

static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH};
enum { PASSED_ON = sizeof(passed_on) / sizeof(passed_on[0]) };

static pid_t start(char *const argv[], const sigset_t *mask, const struct sigaction *on_child)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	sigaction(SIGCHLD, on_child, NULL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	la_say("%s", strerror(errno));
	_exit(errno == ENOENT ? LA_EXIT_NOT_FOUND : LA_EXIT_NOT_EXECUTABLE);
}

/* True when it has ended. While it is stopped, so are we: the shell sees its job stopped, and continues us both. */
static bool look_after(pid_t child, int *status)
{
	pid_t found;

	while ((found = waitpid(child, status, WNOHANG | WUNTRACED)) == child) {
		if (!WIFSTOPPED(*status))
			return true;
		raise(SIGSTOP);
		kill(child, SIGCONT);
	}
	return found < 0 && errno != EINTR;
}

int la_child_run(char *const argv[])
{
	struct sigaction by_default = {.sa_handler = SIG_DFL}, on_child;
	sigset_t waited, mask;
	siginfo_t info;
	pid_t child;
	int i, status = -1;

	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	for (i = 0; i < PASSED_ON; i++)
		sigaddset(&waited, passed_on[i]);
	/* An ignored SIGCHLD would take the status away. */
	sigaction(SIGCHLD, &by_default, &on_child);
	sigprocmask(SIG_BLOCK, &waited, &mask);
	child = start(argv, &mask, &on_child);
	if (child < 0)
		la_say("%s", strerror(errno));
	while (child > 0 && !look_after(child, &status)) {
		if (sigwaitinfo(&waited, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		if (info.si_code != SI_KERNEL) /* the terminal's: the child has it already */
			kill(child, info.si_signo);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return child > 0 ? status : -1;
}

int la_child_end_as(int wait_status)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL};
	struct rlimit no_core = {0, 0};
	sigset_t one;
	int signal;

	if (WIFEXITED(wait_status))
		return WEXITSTATUS(wait_status);
	signal = WTERMSIG(wait_status);
	setrlimit(RLIMIT_CORE, &no_core); /* the command's own core is the one to look at */
	sigaction(signal, &by_default, NULL);
	sigemptyset(&one);
	sigaddset(&one, signal);
	fflush(NULL);
	raise(signal);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + signal;
}
