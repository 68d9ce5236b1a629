/* SPDX-License-Identifier: MIT */
/*
 * A thread gives a connection away by SCM_RIGHTS, and blocks in it. That one connection may have another holder; every other one still
 * ends as it should: while the thread is blocked, when it is cancelled there, when it jumps out, and in the child of a fork.
 *
 * With the second argument `mmsg` by sendmmsg, with `syscall` by syscall(2).
 */
#include "hard.h"

static int pair[2], given[2];
static const char *way;
static _Atomic pid_t giver;
static sigjmp_buf out;

static void jump(int signal)
{
	(void)signal;
	siglongjmp(out, 1);
}

static void give(void)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = control,
					  .msg_controllen = sizeof(control)}};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message.msg_hdr);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &given[1], sizeof(int));
	giver = my_tid();
	if (strcmp(way, "mmsg") == 0)
		sendmmsg(pair[0], &message, 1, 0);
	else if (strcmp(way, "syscall") == 0)
		syscall(SYS_sendmsg, pair[0], &message.msg_hdr, 0);
	else
		sendmsg(pair[0], &message.msg_hdr, 0);
}

static void *run(void *unused)
{
	(void)unused;
	if (sigsetjmp(out, 1) == 0)
		give();
	return NULL;
}

int main(int count, char **arguments)
{
	const char *what = count > 1 ? arguments[1] : "";
	long number;
	pthread_t thread;
	int status;
	pid_t child;

	begin();
	way = count > 2 ? arguments[2] : "msg";
	number = strcmp(way, "mmsg") == 0 ? SYS_sendmmsg : SYS_sendmsg;
	full_pair(pair);
	unread_connection(given);
	NEEDED(signal(SIGUSR1, jump) != SIG_ERR);
	NEEDED(pthread_create(&thread, NULL, run, NULL) == 0);
	while (!giver)
		usleep(1000);
	wait_until_blocked(giver, number);
	if (strcmp(what, "cancel") == 0)
		pthread_cancel(thread);
	if (strcmp(what, "jump") == 0)
		pthread_kill(thread, SIGUSR1);
	if (strcmp(what, "cancel") == 0 || strcmp(what, "jump") == 0) {
		NEEDED(pthread_join(thread, NULL) == 0);
	} else {
		/* The message has it, so nothing must be sent on it when we close it. */
		NEEDED(close(given[1]) == 0);
		usleep(100000);
		printf("given: %s\n", is_open(given[0]) ? "open" : "ended");
	}
	printf("another: %s\n", ending());
	fflush(stdout);
	if (strcmp(what, "fork") == 0) {
		child = fork();
		if (child == 0) {
			printf("in the child: %s\n", ending());
			fflush(stdout);
			_exit(0);
		}
		NEEDED(waitpid(child, &status, 0) == child && status == 0);
	}
	fflush(stdout);
	_exit(0);
}
