/* SPDX-License-Identifier: MIT */
/*
 * Threads that open, use and close connections, and a handler that does the same in the middle of it, thousands of times a second. errno of
 * what is interrupted stays what it was. At the end a few connections stay for the test to count.
 *
 * storm SIGNALS [STACK-BYTES]: so many signals, 5,000 a second (those that come while a thread is kept from running are one); on an alternate stack of so many bytes above what the kernel needs,
 * filled before, so that the most that was used is known. The threads have the smallest stacks that there are.
 */
#include <limits.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "hard.h"

enum { THREADS = 4, KEPT = 8, BETWEEN_NS = 200000 };

static _Atomic int handled, wrong_errno, failed, over, ready;
static size_t alternate_bytes;
static __thread volatile sig_atomic_t busy;
static _Atomic size_t most;

/* A connection to the listener: who accepts it may be another. */
static void once(void)
{
	char byte;
	int fd = socket(AF_INET, SOCK_STREAM, 0), other, copy;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		failed++;
		close(fd);
		return;
	}
	other = accept(listener, NULL, NULL);
	copy = dup(fd);
	send(fd, "x", 1, MSG_NOSIGNAL);
	close(copy);
	shutdown(fd, SHUT_WR);
	recv(other, &byte, 1, MSG_DONTWAIT);
	read(fd, &byte, 0);
	close(other);
	close(fd);
}

static void handle(int signal)
{
	int saved = errno;

	(void)signal;
	if (!busy) {
		busy = 1;
		once();
		busy = 0;
	}
	handled++;
	errno = saved;
}

static size_t used(const unsigned char *stack)
{
	size_t at = 0;

	while (at < alternate_bytes && stack[at] == 0xa5)
		at++;
	return alternate_bytes - at;
}

static void *run(void *unused)
{
	stack_t stack = {.ss_size = alternate_bytes};
	sigset_t mask;

	(void)unused;
	if (alternate_bytes) {
		stack.ss_sp = mmap(NULL, alternate_bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(stack.ss_sp, 0xa5, alternate_bytes);
		NEEDED(sigaltstack(&stack, NULL) == 0);
	}
	sigemptyset(&mask);
	ready++;
	while (!over) {
		errno = UNTOUCHED;
		close(-2);
		if (errno != EBADF)
			wrong_errno++;
		errno = UNTOUCHED;
		if (fcntl(listener, F_GETFD) < 0 || errno != UNTOUCHED)
			wrong_errno++;
		once();
	}
	if (alternate_bytes && used(stack.ss_sp) > most)
		most = used(stack.ss_sp);
	return NULL;
}

int main(int count, char **arguments)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART | SA_ONSTACK};
	pthread_t threads[THREADS];
	pthread_attr_t small;
	struct timespec next, start;
	int sent, wanted = count > 1 ? atoi(arguments[1]) : 1000, ends[KEPT][2], i;

	begin();
	if (count > 2)
		alternate_bytes = getauxval(AT_MINSIGSTKSZ) + (size_t)atol(arguments[2]);
	NEEDED(listen(listener, 512) == 0);
	NEEDED(sigaction(SIGUSR1, &action, NULL) == 0);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
	for (i = 0; i < THREADS; i++)
		NEEDED(pthread_create(&threads[i], alternate_bytes ? &small : NULL, run, NULL) ==
			0);
	while (ready < THREADS)
		usleep(1000);
	clock_gettime(CLOCK_MONOTONIC, &next);
	start = next;
	for (i = 0; i < wanted; i++) {
		pthread_kill(threads[i % THREADS], SIGUSR1);
		next.tv_nsec += BETWEEN_NS;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	clock_gettime(CLOCK_MONOTONIC, &next);
	over = 1;
	sent = i;
	for (i = 0; i < THREADS; i++)
		NEEDED(pthread_join(threads[i], NULL) == 0);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	while ((i = accept(listener, NULL, NULL)) >= 0)
		close(i);
	fcntl(listener, F_SETFL, 0);
	fprintf(stderr, "%d signals, %.0f a second, %d handled\n", sent,
		sent / ((double)(next.tv_sec - start.tv_sec) +
			       (double)(next.tv_nsec - start.tv_nsec) / 1e9),
		handled);
	fprintf(stderr, "alternate stack: %zu of %zu bytes used\n", most, alternate_bytes);
	printf("wrong errno %d, failed %d, graceful %s\n", wrong_errno, failed, ending());
	for (i = 0; i < KEPT; i++)
		connection(ends[i]);
	printf("listening %d\n", ntohs(address.sin_port));
	getchar();
	return 0;
}
