/* SPDX-License-Identifier: MIT */
/*
 * Threads that are cancelled while they really block in a hooked call, deferred and at once: the clean-up runs once, and what was open
 * still is. tests/shim/cancelling.c has the commonest calls; here are the others. At the end the test may look at what is left.
 */
#include <sys/uio.h>

#include "hard.h"

extern ssize_t __read_chk(int fd, void *buffer, size_t bytes, size_t room);
extern ssize_t __recv_chk(int fd, void *buffer, size_t bytes, size_t room, int flags);
extern ssize_t __recvfrom_chk(int fd, void *buffer, size_t bytes, size_t room, int flags,
	struct sockaddr *from, socklen_t *length);

static int ends[2], local[2], pipes[2], full = -1, file;
static FILE *stream;
static volatile int cleaned;
static _Atomic pid_t blocked;
static char byte;
static struct iovec part = {.iov_base = &byte, .iov_len = 1};
static struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};

static void by_read(void)
{
	read(ends[1], &byte, 1);
}
static void by_readv(void)
{
	readv(ends[1], &part, 1);
}
static void by_recv(void)
{
	recv(ends[1], &byte, 1, 0);
}
static void by_recvfrom(void)
{
	recvfrom(ends[1], &byte, 1, 0, NULL, NULL);
}
static void by_recvmsg(void)
{
	recvmsg(ends[1], &message.msg_hdr, 0);
}
static void by_recvmmsg(void)
{
	recvmmsg(ends[1], &message, 1, 0, NULL);
}
static void by_read_chk(void)
{
	__read_chk(ends[1], &byte, 1, 1);
}
static void by_recv_chk(void)
{
	__recv_chk(ends[1], &byte, 1, 1, 0);
}
static void by_recvfrom_chk(void)
{
	__recvfrom_chk(ends[1], &byte, 1, 1, 0, NULL, NULL);
}
static void by_accept(void)
{
	accept(listener, NULL, NULL);
}
static void by_accept4(void)
{
	accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}
static void by_splice(void)
{
	splice(ends[1], NULL, pipes[1], NULL, 1, 0);
}
static void by_sendmsg(void)
{
	sendmsg(local[0], &message.msg_hdr, 0);
}
static void by_sendmmsg(void)
{
	sendmmsg(local[0], &message, 1, 0);
}
static void by_connect(void)
{
	connect(full, (struct sockaddr *)&address, sizeof(address));
}
static void by_fclose(void)
{
	fclose(stream);
}
static void by_system(void)
{
	system("exec sleep 30");
}
static void by_lingering_close(void)
{
	close(ends[1]);
}

static void by_lock(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	fcntl(file, F_OFD_SETLKW, &lock);
}

static void by_syscall(void)
{
	syscall(SYS_read, ends[1], &byte, 1);
	printf("syscall(): went on\n");
	pthread_testcancel();
}

static const struct way {
	const char *name;
	void (*call)(void);
	long number;
} ways[] = {
	{"read", by_read, SYS_read},
	{"readv", by_readv, SYS_readv},
	{"recv", by_recv, SYS_recvfrom},
	{"recvfrom", by_recvfrom, SYS_recvfrom},
	{"recvmsg", by_recvmsg, SYS_recvmsg},
	{"recvmmsg", by_recvmmsg, SYS_recvmmsg},
	{"__read_chk", by_read_chk, SYS_read},
	{"__recv_chk", by_recv_chk, SYS_recvfrom},
	{"__recvfrom_chk", by_recvfrom_chk, SYS_recvfrom},
	{"accept", by_accept, SYS_accept},
	{"accept4", by_accept4, SYS_accept4},
	{"splice", by_splice, SYS_splice},
	{"sendmsg", by_sendmsg, SYS_sendmsg},
	{"sendmmsg", by_sendmmsg, SYS_sendmmsg},
	{"fcntl", by_lock, SYS_fcntl},
	{"system", by_system, SYS_wait4},
	{"syscall", by_syscall, SYS_read},
	{"fclose", by_fclose, SYS_write},
	{"close", by_lingering_close, SYS_close},
	{"connect", by_connect, SYS_connect},
};

static void clean_up(void *unused)
{
	(void)unused;
	cleaned++;
}

struct order {
	const struct way *way;
	int type;
};

static void *run(void *value)
{
	const struct order *order = value;
	int old;

	pthread_cleanup_push(clean_up, NULL);
	pthread_setcanceltype(order->type, &old);
	blocked = my_tid();
	order->way->call();
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancel(const struct way *way, int type)
{
	struct order order = {way, type};
	pthread_t thread;
	void *result;

	cleaned = 0;
	blocked = 0;
	NEEDED(pthread_create(&thread, NULL, run, &order) == 0);
	while (!blocked)
		usleep(1000);
	wait_until_blocked(blocked, way->number);
	NEEDED(pthread_cancel(thread) == 0);
	if (way->call == by_syscall) {
		usleep(50000);
		NEEDED(send(ends[0], "x", 1, 0) == 1);
	}
	NEEDED(pthread_join(thread, &result) == 0);
	printf("%s, %s: cancelled %d, cleaned up %d, connection open %d\n", way->name,
		type == PTHREAD_CANCEL_DEFERRED ? "deferred" : "at once",
		result == PTHREAD_CANCELED, cleaned, is_open(ends[0]));
}

/* Nothing more fits: the peer does not read. Linux may find room for what was queued, so until it says no for a while. */
static void fill(int fd)
{
	static const char bytes[65536];
	int refused = 0;

	while (refused < 20) {
		ssize_t sent = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		refused = sent < 0 ? refused + 1 : 0;
		if (sent < 0)
			usleep(5000);
	}
}

static int waiting[4] = {-1, -1, -1, -1};

static void fill_the_backlog(void)
{
	int i;

	NEEDED(listen(listener, 0) == 0);
	for (i = 0; i < 4; i++) {
		close(waiting[i]);
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(waiting[i], (struct sockaddr *)&address, sizeof(address));
	}
	usleep(50000);
	close(full);
	full = socket(AF_INET, SOCK_STREAM, 0);
}

/* A stream that could not be flushed is not closed yet, so a close is still to come, with a request that nobody has read. */
static void close_after_all(void)
{
	int result;

	NEEDED(send(ends[0], "request", 7, 0) == 7);
	wait_for(ends[1], POLLIN);
	result = close(ends[1]);
	fprintf(stderr, "after fclose: close %d, %s\n", result,
		peer_reads(ends[0]) > 0 ? "graceful" : "reset");
	close(ends[0]);
	connection(ends);
}

/* What some of the ways need. */
static void prepare(const struct way *way)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 30};

	if (way->call == by_fclose) {
		connection(ends);
		fill(ends[1]);
		stream = fdopen(ends[1], "w");
		NEEDED(stream && fwrite("x", 1, 1, stream) == 1);
	} else if (way->call == by_lingering_close) {
		connection(ends);
		NEEDED(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
		fill(ends[1]);
	} else if (way->call == by_connect) {
		fill_the_backlog();
	}
}

int main(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[] = "/tmp/cancelsXXXXXX";
	size_t i;

	begin();
	connection(ends);
	full_pair(local);
	NEEDED(pipe(pipes) == 0);
	NEEDED((file = mkstemp(path)) >= 0);
	NEEDED(fcntl(open(path, O_RDWR), F_OFD_SETLK, &lock) == 0);
	unlink(path);
	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		prepare(&ways[i]);
		cancel(&ways[i], PTHREAD_CANCEL_DEFERRED);
		if (ways[i].call == by_fclose)
			close_after_all();
		prepare(&ways[i]);
		cancel(&ways[i], PTHREAD_CANCEL_ASYNCHRONOUS);
	}
	/* The listener's backlog is full of what nobody accepts. */
	for (i = 0; i < 4; i++)
		close(waiting[i]);
	close(full);
	close(listener);
	address.sin_port = 0;
	begin();
	fprintf(stderr, "a later close: %s\n", ending());
	fprintf(stderr, "listening %d\n", ntohs(address.sin_port));
	getchar();
	return 0;
}
