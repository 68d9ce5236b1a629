/* SPDX-License-Identifier: MIT */
/*
 * The sin: system calls past the C library. The program accepts one connection by accept(2) and one by an inline system call, and closes
 * the first by an inline system call. Then it goes to sleep in a seccomp sandbox (argument "seccomp"), with a descriptor table of
 * its threads' own ("split"), or with a ring of io_uring ("ring").
 */
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "../../include/lastack/sys.h"
#include "sin.h"

static void *sleeps(void *nothing)
{
	(void)nothing;
	for (;;)
		pause();
	return NULL;
}

static void sandbox(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		give_up("PR_SET_NO_NEW_PRIVS");
	/* One instruction: allow. */
	struct {
		unsigned short code;
		unsigned char jt, jf;
		unsigned int k;
	} allow = {0x06, 0, 0, SECCOMP_RET_ALLOW};
	struct {
		unsigned short length;
		void *filter;
	} program = {1, &allow};
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		give_up("PR_SET_SECCOMP");
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	char parameters[120] = {0};
	int listener, seen, unseen;
	pthread_t thread;

	begin(argv);
	listener = listen_on_loopback(4);
	seen = accept_peer(listener);
	step("seen", seen, TCP_ESTABLISHED);
	if (peer("connect", port_of(listener)) < 0)
		give_up("connect");
	unseen = (int)la_sys(SYS_accept4, listener, 0, 0, SOCK_CLOEXEC);
	if (unseen < 0)
		give_up("accept4");
	if (strcmp(way, "ring") == 0 && syscall(SYS_io_uring_setup, 4, parameters) < 0)
		puts("no io_uring");
	if (strcmp(way, "seccomp") == 0)
		sandbox();
	if (strcmp(way, "split") == 0 &&
		(pthread_create(&thread, NULL, sleeps, NULL) != 0 || unshare(CLONE_FILES) < 0))
		give_up("unshare");
	step("unseen", unseen, TCP_ESTABLISHED);
	la_sys(SYS_close, seen);
	step("lost", unseen, TCP_ESTABLISHED);
	peer("fin", 0);
	step("stuck", unseen, TCP_CLOSE_WAIT);
	finish();
}
