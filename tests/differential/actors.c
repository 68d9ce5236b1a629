/* SPDX-License-Identifier: MIT */
/*
 * See actors.h. One at a time: who asks, waits for the answer.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors.h"

static pid_t pids[PROCESSES];
static const char *keepers_command;

static struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t turn;
	const struct request *request;
	struct answer *answer;
	bool runs, ends;
} workers[THREADS + 1];

/* Out of the program's way. */
static int away(int fd)
{
	int there = fcntl(fd, F_DUPFD_CLOEXEC, OWN_FDS);

	if (there < 0)
		err(2, "a descriptor of the test");
	close(fd);
	return there;
}

static void pair(int type, int ends[2])
{
	if (socketpair(AF_UNIX, type, 0, ends) < 0)
		err(2, "socketpair");
	ends[0] = away(ends[0]);
	ends[1] = away(ends[1]);
}

static void listen_on(int which)
{
	struct sockaddr_in6 address = {.sin6_family = which ? AF_INET6 : AF_INET};
	socklen_t length = which ? sizeof(address) : sizeof(struct sockaddr_in);
	int on = 1, fd = socket(address.sin6_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (which)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (fd < 0 || bind(fd, (void *)&address, length) < 0 || listen(fd, 64) < 0 ||
		getsockname(fd, (void *)&address, &length) < 0)
		err(2, "listen");
	stage.port[which] = ntohs(address.sin6_port);
	stage.listener[which] = away(fd);
}

static void start_keeper(const char *self, const char *list_command)
{
	char numbers[64];
	pid_t pid;

	snprintf(numbers, sizeof(numbers), "%d %d", stage.commands[KEEPER][0],
		stage.inbox[KEEPER][0]);
	pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (pid == 0) {
		fcntl(stage.commands[KEEPER][0], F_SETFD, 0);
		fcntl(stage.inbox[KEEPER][0], F_SETFD, 0);
		unsetenv("LD_PRELOAD");
		execl(self, self, "--keeper", numbers, list_command, NULL);
		err(2, "%s", self);
	}
	pids[KEEPER] = pid;
}

static void *work(void *context)
{
	struct worker *worker = context;

	pthread_mutex_lock(&worker->lock);
	while (!worker->ends) {
		if (worker->request) {
			perform(worker->request, worker->answer);
			worker->request = NULL;
			pthread_cond_broadcast(&worker->turn);
		} else {
			pthread_cond_wait(&worker->turn, &worker->lock);
		}
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

static void start_thread(int thread)
{
	struct worker *worker = &workers[thread];

	worker->ends = false;
	worker->runs = pthread_create(&worker->thread, NULL, work, worker) == 0;
	if (!worker->runs)
		errx(2, "no thread");
}

void thread_again(int thread)
{
	struct worker *worker = &workers[thread];

	pthread_mutex_lock(&worker->lock);
	worker->ends = true;
	pthread_cond_broadcast(&worker->turn);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	start_thread(thread);
}

void actors_start(const char *self, const char *list_command)
{
	int i;

	signal(SIGPIPE, SIG_IGN);
	stage.null = away(open("/dev/null", O_RDWR));
	if (pipe2(stage.sink, O_NONBLOCK) < 0)
		err(2, "pipe");
	stage.sink[0] = away(stage.sink[0]);
	stage.sink[1] = away(stage.sink[1]);
	for (i = 0; i < PROCESSES; i++) {
		pair(SOCK_SEQPACKET, stage.commands[i]);
		pair(SOCK_DGRAM, stage.inbox[i]);
	}
	start_keeper(self, list_command);
	listen_on(0);
	listen_on(1);
	/* Nobody listens there. */
	stage.closed_port = 1;
	for (i = 1; i <= THREADS; i++) {
		pthread_mutex_init(&workers[i].lock, NULL);
		pthread_cond_init(&workers[i].turn, NULL);
		start_thread(i);
	}
}

static void by_thread(struct worker *worker, const struct request *request, struct answer *answer)
{
	pthread_mutex_lock(&worker->lock);
	worker->answer = answer;
	worker->request = request;
	pthread_cond_broadcast(&worker->turn);
	while (worker->request)
		pthread_cond_wait(&worker->turn, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
}

void ask(int process, int thread, const struct request *request, struct answer *answer)
{
	if (process == 0 && thread == 0) {
		perform(request, answer);
	} else if (process == 0) {
		by_thread(&workers[thread], request, answer);
	} else if (send(stage.commands[process][1], request, sizeof(*request), 0) < 0 ||
		   recv(stage.commands[process][1], answer, sizeof(*answer), 0) <= 0) {
		err(2, "process %d (pid %d) does not answer", process, (int)pids[process]);
	}
}

void ask_list(void)
{
	struct request request = {.op = OP_LOOK, .how = 1};
	struct answer answer;

	ask(KEEPER, 0, &request, &answer);
}

void serve(int process)
{
	struct request request;
	struct answer answer;
	int commands = stage.commands[process][0], i;

	/* Only the driver has those: when it is gone, so is everybody. */
	for (i = 0; i < PROCESSES; i++)
		close(stage.commands[i][1]);
	while (recv(commands, &request, sizeof(request), 0) > 0) {
		if (request.op == OP_EXIT && request.how == 1)
			exit(0);
		if (request.op == OP_EXIT)
			_exit(0);
		/* Of the keeper, who is not preloaded: its children are nobody's business. */
		if (request.op == OP_LOOK && request.how && keepers_command &&
			system(keepers_command) == -1)
			warn("%s", keepers_command);
		perform(&request, &answer);
		send(commands, &answer, sizeof(answer), 0);
	}
	_exit(0);
}

void keep(const char *numbers, const char *command)
{
	keepers_command = command;
	memset(&stage, 0xff, sizeof(stage));
	sscanf(numbers, "%d %d", &stage.commands[KEEPER][0], &stage.inbox[KEEPER][0]);
	signal(SIGPIPE, SIG_IGN);
	serve(KEEPER);
}

void actors_joined(int child, pid_t pid)
{
	pids[child] = pid;
}

void actors_end(int child, int how)
{
	struct request request = {.op = OP_EXIT, .how = how};
	int status;

	if (how == 2)
		kill(pids[child], SIGKILL);
	else if (send(stage.commands[child][1], &request, sizeof(request), 0) < 0)
		err(2, "exit of process %d", child);
	if (waitpid(pids[child], &status, 0) != pids[child] || (WIFSIGNALED(status) && how != 2) ||
		(WIFEXITED(status) && WEXITSTATUS(status)))
		errx(1, "process %d (pid %d) ended by itself, status %x", child, (int)pids[child],
			(unsigned int)status);
	pids[child] = 0;
}
