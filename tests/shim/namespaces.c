/* SPDX-License-Identifier: MIT */
/*
 * Calls that the kernel refuses to a process with several threads, or makes for one thread only: unshare, setns, close_range with
 * CLOSE_RANGE_UNSHARE. Each is made while a closed connection may still be draining.
 */
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>

#include "transcript.h"

/* Closed here; the peer has not closed yet. */
static int closed_connection(void)
{
	int ends[2];

	connection(ends);
	NEEDED(close(ends[1]) == 0);
	return ends[0];
}

static void the_peer_goes_on(int peer)
{
	SAY(peer_reads(peer));
	SAY(close(peer));
}

static void by_system_call(void)
{
	int peer = closed_connection(), own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	SAY(syscall(SYS_setns, own, CLONE_NEWNS));
	SAY(syscall(SYS_unshare, CLONE_NEWUSER));
	SAY(syscall(SYS_unshare, 1));
	NEEDED(close(own) == 0);
	the_peer_goes_on(peer);
}

static void by_function(void)
{
	int peer = closed_connection(), own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	SAY(setns(own, CLONE_NEWNS));
	SAY(unshare(CLONE_NEWUSER));
	SAY(setns(-1, 0));
	SAY(unshare(1));
	SAY(unshare(CLONE_THREAD));
	SAY(unshare(CLONE_SIGHAND));
	SAY(unshare(CLONE_VM));
	SAY(syscall(SYS_unshare, CLONE_VM));
	NEEDED(close(own) == 0);
	the_peer_goes_on(peer);
	peer = closed_connection();
	SAY(unshare(CLONE_FILES));
	the_peer_goes_on(peer);
	the_peer_goes_on(closed_connection());
	peer = closed_connection();
	SAY(close_range(700, 800, CLOSE_RANGE_UNSHARE));
	the_peer_goes_on(peer);
	the_peer_goes_on(closed_connection());
}

static int held = -1;
static pthread_barrier_t turn;

/* A table of its own: its close of the number is not the process's. */
static void *splits(void *which)
{
	if (*(int *)which)
		SAY(close_range((unsigned int)held, (unsigned int)held, CLOSE_RANGE_UNSHARE));
	else
		SAY(unshare(CLONE_FILES));
	if (*(int *)which == 0)
		SAY(close(held));
	SAY(fcntl(held, F_GETFD));
	pthread_barrier_wait(&turn);
	return NULL;
}

static void by_threads(int which)
{
	int ends[2], peer = closed_connection();
	pthread_t thread;

	connection(ends);
	held = ends[1];
	NEEDED(pthread_barrier_init(&turn, NULL, 2) == 0);
	NEEDED(pthread_create(&thread, NULL, splits, &which) == 0);
	pthread_barrier_wait(&turn);
	NEEDED(pthread_join(thread, NULL) == 0);
	SAY(fcntl(held, F_GETFD));
	SAY(write(held, "still here", 10));
	SAY(close(held));
	the_peer_goes_on(ends[0]);
	the_peer_goes_on(peer);
}

static void in_child(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	NEEDED(pid >= 0);
	if (pid == 0) {
		alarm(60);
		body();
		fflush(NULL);
		_exit(0);
	}
	NEEDED(waitpid(pid, &status, 0) == pid);
	SAY(status);
}

static void by_close_range(void)
{
	by_threads(1);
}

static void by_unshare(void)
{
	by_threads(0);
}

int main(void)
{
	begin();
	in_child(by_system_call);
	in_child(by_function);
	in_child(by_close_range);
	in_child(by_unshare);
	by_function();
	return 0;
}
