/* SPDX-License-Identifier: MIT */
/*
 * What SIGTERM does, by every function that says and sets it; and how processes end. Each is asked of the kernel as well, by syscall(2).
 */
#pragma GCC diagnostic ignored \
	"-Wdeprecated-declarations" /* siginterrupt, sigset, bsd_signal: programs call them */
#include <sys/signalfd.h>

#include "transcript.h"

typedef void (*handler)(int);
handler bsd_signal(int number, handler handler);
int __sigaction(int number, const struct sigaction *set, struct sigaction *was);

static volatile sig_atomic_t handled;

static void count(int number)
{
	handled += number == SIGTERM;
}

static const char *name_of(handler which)
{
	return which == SIG_DFL         ? "default"
	       : which == SIG_IGN       ? "ignored"
	       : which == SIG_ERR       ? "error"
	       : which == SIG_HOLD      ? "held"
	       : which == count         ? "handler"
	       : which == (handler)1234 ? "untouched"
					: "someone else's";
}

/* As the kernel has it. */
struct action {
	handler handler;
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static void look(const char *after)
{
	struct sigaction action;
	struct action raw = {0};

	memset(&action, 0, sizeof(action));
	NEEDED(sigaction(SIGTERM, NULL, &action) == 0);
	NEEDED(syscall(SYS_rt_sigaction, SIGTERM, NULL, &raw, sizeof(raw.mask)) == 0);
	printf("%s: %s, flags %x, masks TERM %d, USR1 %d, restorer %d; raw: %s, flags %lx, mask "
	       "%lx, restorer %d\n",
		after, name_of(action.sa_handler), (unsigned int)action.sa_flags,
		sigismember(&action.sa_mask, SIGTERM), sigismember(&action.sa_mask, SIGUSR1),
		action.sa_restorer != NULL, name_of(raw.handler), raw.flags,
		(unsigned long)raw.mask, raw.restorer != NULL);
}

static void by_sigaction(int (*set)(int, const struct sigaction *, struct sigaction *),
	const char *name, handler which, int flags)
{
	struct sigaction action, was;

	memset(&action, 0, sizeof(action));
	memset(&was, 0, sizeof(was));
	action.sa_handler = which;
	action.sa_flags = flags;
	sigaddset(&action.sa_mask, SIGUSR1);
	SAY(set(SIGTERM, &action, &was));
	printf("%s: was %s\n", name, name_of(was.sa_handler));
	/* The same memory for both. */
	SAY(set(SIGTERM, &action, &action));
	printf("%s: was %s\n", name, name_of(action.sa_handler));
	look(name);
}

static void by_signal(handler (*set)(int, handler), const char *name)
{
	static const handler all[] = {SIG_DFL, count, SIG_DFL, SIG_IGN, SIG_DFL, count, count};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		printf("%s: was %s\n", name, name_of(set(SIGTERM, all[i])));
		look(name);
	}
	handled = 0;
	SAY(raise(SIGTERM));
	printf("handled %d\n", (int)handled);
	SAY_POINTER(set(SIGTERM, SIG_DFL));
	SAY(set(SIGUSR2, SIG_IGN) == SIG_DFL);
	SAY(set(SIGUSR2, SIG_DFL) == SIG_IGN);
	SAY(set(-1, SIG_DFL) == SIG_ERR);
}

static void dispositions(void)
{
	struct action raw = {.handler = count, .flags = SA_RESTART | 0x04000000}, was = {0};
	struct sigaction kept;

	look("at the start");
	NEEDED(sigaction(SIGTERM, NULL, &kept) == 0);
	by_sigaction(sigaction, "sigaction", SIG_DFL, SA_RESTART);
	by_sigaction(__sigaction, "__sigaction", SIG_IGN, 0);
	by_sigaction(sigaction, "sigaction", count, SA_NODEFER | SA_ONSTACK);
	by_sigaction(__sigaction, "__sigaction", SIG_DFL, SA_NODEFER | SA_SIGINFO);
	SAY(sigaction(SIGTERM, &kept, NULL));
	look("put back");
	SAY(sigaction(SIGKILL, &kept, NULL));
	SAY(sigaction(65, NULL, &kept));
	by_signal(signal, "signal");
	by_signal(ssignal, "ssignal");
	by_signal(bsd_signal, "bsd_signal");
	by_signal(sysv_signal, "sysv_signal");
	by_signal(__sysv_signal, "__sysv_signal");
	by_signal(sigset, "sigset");
	printf("sigset: was %s\n", name_of(sigset(SIGTERM, SIG_HOLD)));
	printf("sigset: was %s\n", name_of(sigset(SIGTERM, SIG_DFL)));
	SAY(sigignore(SIGTERM));
	look("sigignore");
	SAY(siginterrupt(SIGTERM, 1));
	SAY_POINTER(signal(SIGTERM, SIG_DFL));
	SAY(siginterrupt(SIGTERM, 1));
	look("siginterrupt");
	raw.handler = SIG_DFL;
	SAY(syscall(SYS_rt_sigaction, SIGTERM, &raw, &was, sizeof(raw.mask)));
	printf("raw: was %s\n", name_of(was.handler));
	SAY(syscall(SYS_rt_sigaction, SIGTERM, &raw, &was, sizeof(raw.mask)));
	printf("raw: was %s\n", name_of(was.handler));
	SAY(syscall(SYS_rt_sigaction, SIGTERM, (void *)1, NULL, sizeof(raw.mask)));
	look("raw");
}

static void say_end(const char *what, pid_t pid)
{
	int status = 0;

	NEEDED(waitpid(pid, &status, 0) == pid);
	printf("%s: exited %d, status %d, signal %d, core %d\n", what, WIFEXITED(status),
		WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		WIFSIGNALED(status) ? WTERMSIG(status) : -1,
		WIFSIGNALED(status) && WCOREDUMP(status));
}

static void dies(int number, const char *of)
{
	int ends[2];
	pid_t pid;

	connection(ends);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (number)
			raise(number);
		else
			NEEDED(syscall(SYS_tgkill, getpid(), gettid(), SIGTERM) == 0);
		_exit(3);
	}
	say_end(of, pid);
	NEEDED(close(ends[0]) == 0 && close(ends[1]) == 0);
}

/* A program that waits for SIGTERM, without a handler. */
static void waits_for_it(void)
{
	sigset_t only, before;
	struct signalfd_siginfo info;
	struct timespec patience = {5, 0};
	siginfo_t got;
	int number = 0, fd;

	sigemptyset(&only);
	sigaddset(&only, SIGTERM);
	NEEDED(sigprocmask(SIG_BLOCK, &only, &before) == 0);
	SAY(raise(SIGTERM));
	SAY(sigwait(&only, &number));
	printf("waited for %d\n", number);
	SAY(raise(SIGTERM));
	SAY(sigtimedwait(&only, &got, &patience));
	fd = signalfd(-1, &only, SFD_CLOEXEC);
	SAY(raise(SIGTERM));
	SAY(read(fd, &info, sizeof(info)));
	printf("read %u\n", info.ssi_signo);
	/* Pending, and thrown away by SIG_IGN. */
	SAY(raise(SIGTERM));
	SAY_POINTER(signal(SIGTERM, SIG_IGN) == SIG_DFL ? "" : NULL);
	SAY_POINTER(signal(SIGTERM, SIG_DFL) == SIG_IGN ? "" : NULL);
	NEEDED(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
	NEEDED(close(fd) == 0);
}

static void ends(void)
{
	static char *const words[] = {"sh", "-c", "kill -TERM $$; exit 4", NULL};
	pid_t pid;
	int way;

	fflush(stdout);
	for (way = 0; way < 7; way++) {
		pid = way == 2 ? vfork() : way == 3 ? _Fork() : fork();
		if (pid == 0) {
			switch (way) {
			case 0: _exit(10);
			case 1: _Exit(11);
			case 2: _exit(12);
			case 3: _Exit(13);
			case 4: quick_exit(14);
			case 5: syscall(SYS_exit_group, 15); break;
			default: execv("/bin/sh", words);
			}
			_exit(99);
		}
		say_end("child", pid);
	}
	/* The memory is the parent's still, and so is what SIGTERM does there. */
	look("after the children");
}

int main(void)
{
	begin();
	dispositions();
	SAY_POINTER(signal(SIGTERM, SIG_DFL));
	waits_for_it();
	dies(SIGTERM, "raise");
	dies(0, "tgkill");
	dies(SIGINT, "SIGINT");
	dies(SIGABRT, "SIGABRT");
	dies(SIGHUP, "SIGHUP");
	ends();
	return 0;
}
