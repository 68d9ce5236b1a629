/*
 * Hands its connection on to a child that no fork handler counts, and closes its own descriptor while data waits unread in it. The child
 * then reads a line and answers. Prints what the client got: "client got answer:hello".
 *
 * hands_on spawn|vfork-dup2|vfork-execl|exec-background|_Fork|syscall-fork|pid-namespace
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char answer[] = "sleep 0.4; read line; echo answer:$line";
static int client, server;

static void connect_to_self(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	bind(listener, (struct sockaddr *)&address, length);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&address, &length);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(client, (struct sockaddr *)&address, length) < 0)
		perror("connect");
	server = accept(listener, NULL, NULL);
	if (write(client, "hello\n", 6) != 6)
		perror("write");
	usleep(50000);
}

static void answer_here(int fd)
{
	char line[16], text[32];
	ssize_t got;

	usleep(400000);
	got = read(fd, line, sizeof(line) - 1);
	line[got > 0 ? got : 0] = '\0';
	snprintf(text, sizeof(text), "answer:%s", line);
	if (write(fd, text, strlen(text)) < 0)
		_exit(1);
	_exit(0);
}

static pid_t hand_on(const char *how)
{
	char *words[] = {"sh", "-c", (char *)answer, NULL};
	posix_spawn_file_actions_t actions;
	pid_t child = -1;

	if (strcmp(how, "spawn") == 0) {
		fcntl(server, F_SETFD, FD_CLOEXEC);
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_adddup2(&actions, server, 0);
		posix_spawn_file_actions_adddup2(&actions, server, 1);
		posix_spawn(&child, "/bin/sh", &actions, NULL, words, environ);
	} else if (strcmp(how, "vfork-dup2") == 0) {
		fcntl(server, F_SETFD, FD_CLOEXEC);
		child = vfork();
		if (child == 0) {
			dup2(server, 0);
			dup2(server, 1);
			execv("/bin/sh", words);
			_exit(1);
		}
	} else if (strcmp(how, "vfork-execl") == 0) {
		dup2(server, 8);
		child = vfork();
		if (child == 0) {
			execl("/bin/sh", "sh", "-c",
				"exec <&8 >&8; sleep 0.4; read line; echo answer:$line",
				(char *)NULL);
			_exit(1);
		}
		close(8);
	} else if (strcmp(how, "exec-background") == 0) {
		child = fork();
		if (child == 0) {
			dup2(server, 8);
			execl("/bin/sh", "sh", "-c",
				"unset LD_PRELOAD; (sleep 0.4; read line <&8; echo answer:$line "
				">&8) & exit 0",
				(char *)NULL);
			_exit(1);
		}
		waitpid(child, NULL, 0); /* gone, and what it started holds the connection */
		child = 0;
	} else if (strcmp(how, "_Fork") == 0 || strcmp(how, "syscall-fork") == 0) {
		child = how[0] == '_' ? _Fork() : (pid_t)syscall(SYS_fork);
		if (child == 0)
			answer_here(server);
	} else if (strcmp(how, "pid-namespace") == 0) {
		if (unshare(CLONE_NEWPID) < 0)
			perror("unshare");
		child = fork();
		if (child == 0) {
			usleep(100000); /* its close is the last in its own eyes, if it takes the parent for dead */
			close(server);
			_exit(0);
		}
	}
	return child;
}

int main(int count, char **words)
{
	const char *how = count > 1 ? words[1] : "";
	struct timeval patience = {5, 0};
	char got[64] = "";
	ssize_t length = 0, more;
	pid_t child;

	alarm(30);
	connect_to_self();
	child = hand_on(how);
	if (child < 0) {
		printf("%s: %s\n", how, strerror(errno));
		return 1;
	}
	if (strcmp(how, "pid-namespace") == 0) {
		/* The child has closed; we still hold the connection, and answer ourselves. */
		char line[16];

		waitpid(child, NULL, 0);
		more = recv(server, line, sizeof(line) - 1, MSG_DONTWAIT);
		line[more > 0 ? more : 0] = '\0';
		dprintf(server, "answer:%s", line);
	}
	close(server);
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (length < 13 &&
		(more = read(client, got + length, sizeof(got) - 1 - (size_t)length)) > 0)
		length += more;
	got[strcspn(got, "\n")] = '\0';
	printf("client got %s\n", got);
	shutdown(client, SHUT_RDWR);
	if (child > 0)
		waitpid(child, NULL, 0);
	return 0;
}
