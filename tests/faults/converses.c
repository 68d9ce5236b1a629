/* SPDX-License-Identifier: MIT */
/*
 * A server and its clients that hold the same conversation each time, and say all that they can tell of it: results, errno, the numbers that
 * they get, what the clients read. Where nothing is told apart with and without lastack, nobody noticed.
 *
 * converses [COUNT]: that many rounds (1).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_BYTES = 20000, LIMIT_S = 60 };

extern char **environ;
static int listener, answers[2];
static struct sockaddr_in address;

/* At once: what a child has not written yet, it would write as well. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[200];
	va_list rest;
	int length, saved = errno;

	va_start(rest, format);
	length = vsnprintf(line, sizeof(line), format, rest);
	va_end(rest);
	if (write(1, line, (size_t)length) != length)
		_exit(3);
	errno = saved;
}

#define TELL(call)                                              \
	({                                                      \
		long told;                                      \
		errno = 0;                                      \
		told = (long)(call);                            \
		say("%s: %ld, errno %d\n", #call, told, errno); \
		(int)told;                                      \
	})

static size_t read_all(int fd)
{
	char buffer[4096];
	size_t all = 0;
	ssize_t got;

	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		all += (size_t)got;
	return all;
}

/* A client of its own process: asks, reads the answer to its end, and says how much it was. */
static void client(int half_closes)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t got = 0;

	/* Where the server resets it at once, it fails, or not: that is a race without lastack too. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		send(fd, "request\n", 8, MSG_NOSIGNAL);
		if (half_closes)
			shutdown(fd, SHUT_WR);
		got = read_all(fd);
	}
	if (write(answers[1], &got, sizeof(got)) != (ssize_t)sizeof(got))
		_exit(5);
	close(fd);
	_exit(0);
}

static int next_client(int half_closes)
{
	pid_t pid = fork();

	if (pid < 0)
		_exit(6);
	if (pid == 0)
		client(half_closes);
	return TELL(accept(listener, NULL, NULL));
}

static void read_request(int fd)
{
	char request[8];
	ssize_t got = recv(fd, request, sizeof(request), MSG_WAITALL);

	say("request: %zd\n", got);
}

static void answer(int fd)
{
	static char bytes[ANSWER_BYTES];

	say("answer: %zd\n", send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL));
}

static void what_the_client_got(void)
{
	size_t got = 0;
	int status;

	if (read(answers[0], &got, sizeof(got)) != (ssize_t)sizeof(got))
		got = 0;
	wait(&status);
	say("client: %zu bytes, status %d\n", got, status);
}

static void plain(void)
{
	int fd = next_client(0);

	read_request(fd);
	answer(fd);
	TELL(close(fd));
	what_the_client_got();
}

static void half_closed(void)
{
	int fd = next_client(1);
	char byte;

	read_request(fd);
	TELL(read(fd, &byte, 1));
	answer(fd);
	TELL(shutdown(fd, SHUT_WR));
	TELL(close(fd));
	TELL(close(fd));
	what_the_client_got();
}

static void by_a_copy(void)
{
	int fd = next_client(0), copy;

	read_request(fd);
	copy = TELL(dup(fd));
	TELL(close(fd));
	answer(copy);
	TELL(fcntl(copy, F_GETFD));
	TELL(dup2(listener, copy));
	TELL(close(copy));
	what_the_client_got();
}

static void by_a_child(void)
{
	int fd = next_client(0), status, turn[2];
	pid_t child;
	char byte;

	if (pipe(turn) != 0 || (child = fork()) < 0)
		_exit(6);
	if (child == 0) {
		close(turn[1]);
		if (read(turn[0], &byte, 1) != 0) /* until the parent has closed */
			_exit(6);
		read_request(fd);
		answer(fd);
		_exit(7);
	}
	TELL(close(fd));
	close(turn[1]);
	waitpid(child, &status, 0);
	close(turn[0]);
	say("child: status %d\n", status);
	what_the_client_got();
}

static void *serve_in_thread(void *fd)
{
	read_request(*(int *)fd);
	answer(*(int *)fd);
	return NULL;
}

static void by_a_thread(void)
{
	int fd = next_client(0);
	pthread_t thread;

	if (pthread_create(&thread, NULL, serve_in_thread, &fd) == 0)
		pthread_join(thread, NULL);
	TELL(close(fd));
	what_the_client_got();
}

static void with_a_program(void)
{
	char *arguments[] = {"true", NULL};
	int fd = next_client(0), status = -1;
	pid_t program = 0;

	read_request(fd);
	program = vfork();
	if (program == 0) {
		close(fd);
		execv("/bin/true", arguments);
		_exit(9);
	}
	waitpid(program, &status, 0);
	say("program: status %d\n", status);
	TELL(posix_spawn(&program, "/bin/true", NULL, NULL, arguments, environ) == 0);
	waitpid(program, &status, 0);
	say("program: status %d\n", status);
	answer(fd);
	TELL(close(fd));
	what_the_client_got();
}

/* What the client gets of it is another question: without lastack a reset may cut it. */
static void unread(void)
{
	int fd = next_client(0), status;
	size_t got;

	answer(fd);
	TELL(close(fd));
	if (read(answers[0], &got, sizeof(got)) == (ssize_t)sizeof(got))
		wait(&status);
	TELL(open("/dev/null", O_RDONLY));
	TELL(close(fd));
}

static void abandoned(void)
{
	struct linger reset = {1, 0};
	int fd = next_client(0);

	TELL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)));
	TELL(close(fd));
	what_the_client_got();
}

static void numbers(void)
{
	int fd;

	for (fd = 0; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			say("number %d is open\n", fd);
}

int main(int argc, char **argv)
{
	static void (*const parts[])(void) = {plain, half_closed, by_a_copy, by_a_child,
		by_a_thread, with_a_program, unread, abandoned, plain, numbers};
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	socklen_t length = sizeof(address);
	size_t i;

	alarm(LIMIT_S);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (pipe(answers) != 0)
		return 2;
	listener = TELL(socket(AF_INET, SOCK_STREAM, 0));
	TELL(bind(listener, (struct sockaddr *)&address, length));
	TELL(listen(listener, 16));
	getsockname(listener, (struct sockaddr *)&address, &length);
	for (; rounds > 0; rounds--)
		for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			parts[i]();
	TELL(close(listener));
	return 17;
}
