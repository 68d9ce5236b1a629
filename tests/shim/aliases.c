/* SPDX-License-Identifier: MIT */
/*
 * The other names that the C library gives to functions: __close, __connect, _IO_fclose. Programs of other compilers' run-time libraries
 * and old ones call them.
 */
#include <sched.h>

#include "transcript.h"

/* No header declares these. */
int __close(int fd);
int __dup2(int from, int to);
int __fcntl(int fd, int command, ...);
int __connect(int fd, const struct sockaddr *to, socklen_t length);
int __clone(int (*entry)(void *), void *stack, int flags, void *argument, ...);
pid_t __fork(void);
ssize_t __read(int fd, void *buffer, size_t bytes);
ssize_t __recv(int fd, void *buffer, size_t bytes, int flags);
int _IO_fclose(FILE *stream);
FILE *_IO_popen(const char *command, const char *type);

static int ended(pid_t pid)
{
	int status;

	NEEDED(waitpid(pid, &status, 0) == pid);
	return status;
}

static void descriptors(void)
{
	char bytes[8];
	int ends[2], copy;

	NEEDED((ends[0] = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	SAY(__connect(ends[0], (struct sockaddr *)&address, sizeof(address)));
	NEEDED((ends[1] = accept(listener, NULL, NULL)) >= 0);
	SAY(__connect(-1, (struct sockaddr *)&address, sizeof(address)));
	NEEDED(write(ends[0], "12345678", 8) == 8);
	SAY(__read(ends[1], bytes, 4));
	SAY(__recv(ends[1], bytes, 4, MSG_WAITALL));
	SAY(copy = __fcntl(ends[1], F_DUPFD_CLOEXEC, 40));
	SAY(__close(ends[1]));
	SAY(is_open(ends[0]));
	SAY(__dup2(STDIN_FILENO, copy)); /* the last close of the connection */
	SAY(peer_reads(ends[0]));
	SAY(__read(ends[0], bytes, sizeof(bytes)));
	SAY(__close(ends[0]));
	SAY(__close(copy));
	SAY(__close(copy));
}

static void streams(void)
{
	int ends[2];
	char line[16] = "";
	FILE *stream;

	connection(ends);
	NEEDED(stream = fdopen(ends[1], "w"));
	SAY(fputs("in its buffer", stream));
	SAY(_IO_fclose(stream));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
	SAY_POINTER(stream = _IO_popen("echo heard", "r"));
	SAY_POINTER(fgets(line, sizeof(line), stream));
	SAY(pclose(stream));
	printf("%s", line);
}

/* What waits unread when the parent closes is the child's to read, and to answer. */
static int answers(void *connection)
{
	char bytes[8];
	int fd = *(int *)connection;

	usleep(100000);
	return read(fd, bytes, sizeof(bytes)) != 8 || write(fd, "from the child", 14) != 14;
}

/* The child answers after the parent has closed. */
static void processes(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int ends[2];
	pid_t child;

	connection(ends);
	NEEDED(write(ends[0], "question", 8) == 8);
	wait_for(ends[1], POLLIN);
	child = __fork();
	if (child == 0)
		_exit(answers(&ends[1]));
	SAY(__close(ends[1]));
	SAY(peer_reads(ends[0]));
	SAY(ended(child));
	SAY(close(ends[0]));
	connection(ends);
	NEEDED(write(ends[0], "question", 8) == 8);
	wait_for(ends[1], POLLIN);
	child = __clone(answers, stack + sizeof(stack), SIGCHLD, &ends[1]);
	SAY(__close(ends[1]));
	SAY(peer_reads(ends[0]));
	SAY(ended(child));
	SAY(close(ends[0]));
}

int main(void)
{
	begin();
	descriptors();
	streams();
	processes();
	SAY(socket(AF_INET, SOCK_STREAM, 0));
	return 0;
}
