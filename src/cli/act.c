/* SPDX-License-Identifier: MIT */
/*
 * lastack act PID:FD shutdown|reset|keepalive: end or probe one connection by hand, of any process, preloaded or not.
 *
 * By pidfd_getfd(2): a dup of the process's descriptor, here, for a moment. Not while the question is asked: a connection that the process
 * closes meanwhile would be held open by us.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lastack/kernel.h>
#include <lastack/policy.h>

#include "cli.h"
#include "format.h"
#include "holders.h"
#include "target.h"

static const struct {
	enum la_action action;
	int (*act)(int fd);
	const char *does;
} actions[] = {
	{LA_ACTION_KEEPALIVE, la_kernel_probe,
		"Keepalive probes begin after 5 s: a peer that is gone is found out within 20 s, a "
		"living one notices nothing."},
	{LA_ACTION_SHUTDOWN, la_kernel_shut_down,
		"The peer gets a FIN behind what is queued, readers in the process get the end of "
		"the stream, writers EPIPE."},
	{LA_ACTION_RESET, la_kernel_reset,
		"The peer gets an RST, and what is queued in either direction is lost."},
};
enum { ACTIONS = sizeof(actions) / sizeof(actions[0]), SIGPIPE_BIT = 12 };

struct target {
	uint32_t pid;
	int32_t fd;
	uint64_t cookie;
};

/* A dup of the target's descriptor, or -1 and *status with the reason said. */
static int take(const struct target *target, int *status)
{
	int process = (int)syscall(SYS_pidfd_open, target->pid, 0), own = -1;

	if (process >= 0)
		own = (int)syscall(SYS_pidfd_getfd, process, target->fd, 0);
	if (own < 0) {
		*status = errno == EPERM || errno == EACCES ? LA_EXIT_PERMISSION : LA_EXIT_PROCESS;
		if (process < 0 && errno == ESRCH)
			la_say("there is no process %u", target->pid);
		else if (errno == EBADF)
			la_say("process %u has no descriptor %d", target->pid, target->fd);
		else
			la_say("%u:%d: %s", target->pid, target->fd, strerror(errno));
	}
	if (process >= 0)
		close(process);
	return own;
}

static bool is_connection(int fd)
{
	int state = la_kernel_is_tcp(fd) == 1 ? la_kernel_state(fd) : -1;

	return state > 0 && state != TCP_LISTEN && state != TCP_CLOSE;
}

/* Does a SIGPIPE end this process? */
static bool dies_of_sigpipe(uint32_t pid)
{
	char path[64], line[128];
	unsigned long long ignored = 0, caught = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "SigIgn: %llx", &ignored);
		sscanf(line, "SigCgt: %llx", &caught);
	}
	fclose(file);
	return !((ignored | caught) >> SIGPIPE_BIT & 1);
}

static void describe(const struct target *target, int own)
{
	char local[LA_TEXT_ADDRESS], peer[LA_TEXT_ADDRESS], unread[LA_TEXT_BYTES],
		unacked[LA_TEXT_BYTES];
	struct la_names names = {0};
	int in = la_kernel_unread(own), out = la_kernel_unacked(own);

	la_kernel_names(own, &names);
	printf("%u:%d  %s, peer %s, %s; unread %s, sent and not acknowledged %s\n", target->pid,
		target->fd, la_format_address(local, names.local, names.local_port),
		la_format_address(peer, names.remote, names.remote_port),
		la_state_name(la_state_from_kernel((unsigned int)la_kernel_state(own))),
		la_format_bytes(unread, in > 0 ? (uint64_t)in : 0),
		la_format_bytes(unacked, out > 0 ? (uint64_t)out : 0));
}

static void name_holders(const struct target *target)
{
	struct la_holders holders = {0};
	const struct la_holder *list;
	uint32_t inode;
	size_t count = 0, i;

	if (la_holders_inode(target->pid, target->fd, &inode) < 0)
		return;
	la_holders_add_all(&holders);
	list = la_holders_of(&holders, inode, &count);
	for (i = 0; i < count; i++)
		if (list[i].pid != target->pid)
			printf("Process %u holds it too, as descriptor %d: it ends there as "
			       "well.\n",
				list[i].pid, list[i].fd);
	la_holders_free(&holders);
}

static bool confirmed(void)
{
	char answer[16];

	printf("Go on? [y/N] ");
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int carry_out(struct target *target, size_t at, bool yes)
{
	int status = LA_EXIT_OK, own = take(target, &status), result;
	uint64_t cookie = 0;

	if (own < 0)
		return status;
	if (!is_connection(own)) {
		la_say("%u:%d is no TCP connection that is still there", target->pid, target->fd);
		close(own);
		return LA_EXIT_PROCESS;
	}
	la_kernel_cookie(own, &target->cookie);
	describe(target, own);
	close(own);
	if (!yes) {
		name_holders(target);
		printf("%s\n", actions[at].does);
		if (actions[at].action != LA_ACTION_KEEPALIVE && dies_of_sigpipe(target->pid))
			printf("The process does not handle SIGPIPE: should it write to the "
			       "connection afterwards, it dies.\n");
		if (!confirmed())
			return LA_EXIT_OK;
	}
	own = take(target, &status);
	if (own < 0)
		return status;
	if (la_kernel_cookie(own, &cookie) < 0 || cookie != target->cookie) {
		la_say("%u:%d is another connection by now: nothing was done", target->pid,
			target->fd);
		close(own);
		return LA_EXIT_PROCESS;
	}
	result = actions[at].act(own);
	if (result < 0)
		la_say("%s: %s", la_action_name(actions[at].action), strerror(-result));
	else
		describe(target, own);
	close(own);
	return result < 0 ? LA_EXIT_OWN_FAILURE : LA_EXIT_OK;
}

int la_cmd_act(int argc, char **argv)
{
	static const struct option options[] = {{"yes", no_argument, NULL, 'y'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct target target = {0};
	bool yes = false;
	size_t at = ACTIONS;
	int option;

	while ((option = getopt_long(argc, argv, "yh", options, NULL)) != -1) {
		switch (option) {
		case 'y': yes = true; break;
		case 'h': return la_help_for("act");
		default: return LA_EXIT_USAGE;
		}
	}
	if (optind + 2 == argc)
		for (at = 0; at < ACTIONS; at++)
			if (strcmp(argv[optind + 1], la_action_name(actions[at].action)) == 0)
				break;
	if (at == ACTIONS || !la_target_parse(argv[optind], &target.pid, &target.fd)) {
		la_say("act: write PID:FD, as list prints them, and shutdown, reset or keepalive");
		return LA_EXIT_USAGE;
	}
	if (!yes && !isatty(STDIN_FILENO)) {
		la_say("act: there is no terminal to ask on: write --yes");
		return LA_EXIT_USAGE;
	}
	return carry_out(&target, at, yes);
}
