/* SPDX-License-Identifier: MIT */
/*
 * fails CALLS FIRST[-LAST] ERRNO COMMAND...: run the command, and let system calls of liblastack.so fail: of those named in CALLS (numbers joined
 * by commas; "all": every one that can fail for want of something) the FIRST-th to the LAST-th of each run, counted over all its threads and
 * children. Only calls that the library makes itself, by their address; the program's own are let through. FIRST 0: none fails.
 *
 * Ends as the command ended. The last line on standard error: "fails: calls N", how many there were.
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

enum { TASKS = 4096, NAMED = 32 };

/* A task, where its library is, and whether the call that it is in shall fail. */
static struct task {
	pid_t tid;
	uint64_t start, end;
	bool fails;
} tasks[TASKS];

static long named[NAMED];
static int named_count; /* 0: all */
static unsigned long first, last, count;
static int error;

static struct task *task_of(pid_t tid)
{
	struct task *unused = NULL;
	int i;

	for (i = 0; i < TASKS; i++) {
		if (tasks[i].tid == tid)
			return &tasks[i];
		if (!tasks[i].tid && !unused)
			unused = &tasks[i];
	}
	if (!unused) {
		fprintf(stderr, "fails: too many tasks\n");
		exit(125);
	}
	*unused = (struct task){.tid = tid};
	return unused;
}

static void find_library(struct task *task)
{
	char path[40], line[512];
	unsigned long start, end;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", task->tid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "/liblastack.so") &&
			sscanf(line, "%lx-%lx r-xp", &start, &end) == 2 && strstr(line, "r-xp")) {
			task->start = start;
			task->end = end;
		}
	if (maps)
		fclose(maps);
}

/* Those that fail for no want of anything, or whose failure would be the program's. */
static bool can_fail(uint64_t call)
{
	static const uint64_t others[] = {SYS_getpid, SYS_gettid, SYS_getppid, SYS_geteuid,
		SYS_rt_sigprocmask, SYS_rt_sigpending, SYS_rt_sigtimedwait, SYS_futex,
		SYS_sched_yield, SYS_clock_gettime, SYS_tgkill, SYS_exit, SYS_close, SYS_munmap};
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] == call)
			return false;
	return true;
}

static bool is_meant(uint64_t call)
{
	int i;

	if (!named_count)
		return can_fail(call);
	for (i = 0; i < named_count; i++)
		if ((uint64_t)named[i] == call)
			return true;
	return false;
}

/* At the entry the call is taken away, at the exit it has failed. */
static void at_call(struct task *task)
{
	struct ptrace_syscall_info info = {0};
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		if (!task->end)
			find_library(task);
		task->fails = false;
		if (info.instruction_pointer < task->start ||
			info.instruction_pointer > task->end || !is_meant(info.entry.nr))
			return;
		count++;
		if (!first || count < first || count > last)
			return;
		if (getenv("FAILS_SHOW"))
			fprintf(stderr, "fails: %d: call %lu: system call %llu\n", task->tid, count,
				(unsigned long long)info.entry.nr);
		task->fails = true;
		ptrace(PTRACE_GETREGS, task->tid, 0, &registers);
		registers.orig_rax = ~0ull;
		ptrace(PTRACE_SETREGS, task->tid, 0, &registers);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && task->fails) {
		task->fails = false;
		ptrace(PTRACE_GETREGS, task->tid, 0, &registers);
		registers.rax = (unsigned long long)-error;
		ptrace(PTRACE_SETREGS, task->tid, 0, &registers);
	}
}

/* What the task goes on with: a signal, or 0. */
static int at_stop(struct task *task, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;
	unsigned long child = 0;

	if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
		event == PTRACE_EVENT_CLONE) {
		ptrace(PTRACE_GETEVENTMSG, task->tid, 0, &child);
		/* The library is where its parent has it. */
		*task_of((pid_t)child) = (struct task){(pid_t)child, task->start, task->end, false};
		return 0;
	}
	if (event == PTRACE_EVENT_EXEC) {
		task->start = task->end = 0;
		return 0;
	}
	if (event == PTRACE_EVENT_STOP)
		return 0;
	if (signal == (SIGTRAP | 0x80)) {
		at_call(task);
		return 0;
	}
	return event ? 0 : signal;
}

static int follow(pid_t command)
{
	int status, result = 125;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		struct task *task;

		if (tid < 0)
			continue;
		task = task_of(tid);
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			task->tid = 0;
			if (tid == command)
				result = WIFEXITED(status) ? WEXITSTATUS(status)
							   : 128 + WTERMSIG(status);
			continue;
		}
		if (WSTOPSIG(status) != (SIGTRAP | 0x80) && status >> 16 == PTRACE_EVENT_STOP &&
			WSTOPSIG(status) != SIGTRAP)
			ptrace(PTRACE_LISTEN, tid, 0, 0); /* it was stopped: SIGSTOP */
		else
			ptrace(PTRACE_SYSCALL, tid, 0, at_stop(task, status));
	}
	return result;
}

static void read_names(char *text)
{
	char *word;

	if (strcmp(text, "all") == 0)
		return;
	for (word = strtok(text, ","); word && named_count < NAMED; word = strtok(NULL, ","))
		named[named_count++] = strtol(word, NULL, 10);
}

int main(int argc, char **argv)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		       PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	pid_t command;
	char *end;
	int status, result;

	if (argc < 5) {
		fprintf(stderr, "usage: fails CALLS FIRST[-LAST] ERRNO COMMAND...\n");
		return 125;
	}
	read_names(argv[1]);
	first = last = strtoul(argv[2], &end, 10);
	if (*end == '-')
		last = isdigit((unsigned char)end[1]) ? strtoul(end + 1, NULL, 10) : ~0ul;
	error = atoi(argv[3]);
	command = fork();
	if (command == 0) {
		raise(SIGSTOP);
		execvp(argv[4], argv + 4);
		_exit(127);
	}
	waitpid(command, &status, WUNTRACED);
	if (ptrace(PTRACE_SEIZE, command, 0, options) < 0) {
		perror("fails: ptrace");
		kill(command, SIGKILL);
		return 125;
	}
	kill(command, SIGCONT);
	result = follow(command);
	fprintf(stderr, "fails: calls %lu\n", count);
	return result;
}
