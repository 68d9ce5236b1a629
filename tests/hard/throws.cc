/* SPDX-License-Identifier: MIT */
/*
 * C++: exceptions and cancellation that unwind through hooked calls run each destructor once; frames that a JIT
 * registers are registered with the program's own unwinder, not with the one inside the preload.
 */
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int pair[2];
static int destroyed;
static pthread_barrier_t started;

struct guard {
	~guard()
	{
		destroyed++;
	}
};

static void handle(int signal)
{
	throw signal;
}

static int interrupted()
{
	char byte;

	try {
		guard one;
		alarm(1);
		recv(pair[0], &byte, 1, 0);
	} catch (int signal) {
		return signal;
	}
	return 0;
}

static void *cancelled(void *)
{
	char byte;
	guard one;

	pthread_barrier_wait(&started);
	recv(pair[0], &byte, 1, 0);
	return nullptr;
}

extern "C" void __register_frame(void *);
extern "C" void __deregister_frame(void *);

/* The frames of one function, whose place nobody has filled in. Taken away from an unwinder that never had it, it would abort. */
static unsigned char table[] __attribute__((aligned(8))) = {
	/* CIE: version 1, "", code 1, data -8, return address 16; CFA rsp+8, rip at CFA-8 */
	0x14, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1, 0, 0, 0, 0, 0, 0,
	/* FDE: pointer to the CIE, begin, length */
	0x14, 0, 0, 0, 0x1c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0};

int main()
{
	pthread_t thread;
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handle;
	action.sa_flags = SA_NODEFER;
	sigaction(SIGALRM, &action, nullptr);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	int signal = interrupted();
	printf("thrown %d, destroyed %d\n", signal == SIGALRM, destroyed);
	destroyed = 0;
	pthread_barrier_init(&started, nullptr, 2);
	pthread_create(&thread, nullptr, cancelled, nullptr);
	pthread_barrier_wait(&started);
	usleep(50000);
	pthread_cancel(thread);
	pthread_join(thread, nullptr);
	printf("cancelled, destroyed %d\n", destroyed);
	__register_frame(table);
	__deregister_frame(table);
	printf("registered and deregistered\n");
	return 0;
}
