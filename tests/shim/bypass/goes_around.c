/* SPDX-License-Identifier: MIT */
/*
 * A server whose close goes around every preloaded library. Says "first PORT NUMBER" when a connection is accepted; on a line of input closes
 * it, by `how`, and says "closed"; on the next line opens and closes a file, which gets the same number, and then accepts a second connection,
 * which gets it too: "second PORT NUMBER". On the next reads from it, closes it as usual with the rest unread, and says how the client
 * fared: "answered: and ended".
 *
 * goes_around plain|handle|both|deepbind LIBRARY|uring; both: the second is accepted past the library too
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int listener;
static struct sockaddr_in address;
static int (*accepts)(int, struct sockaddr *, socklen_t *) = accept;

/* A client that has sent a question, and our end of it. */
static int accept_one(int *client)
{
	char question[64];

	memset(question, 'q', sizeof(question));
	*client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(*client, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		write(*client, question, sizeof(question)) != sizeof(question))
		return -1;
	return accepts(listener, NULL, NULL);
}

static void tell(const char *which, int client, int fd)
{
	struct sockaddr_in name;
	socklen_t length = sizeof(name);

	getsockname(client, (struct sockaddr *)&name, &length);
	printf("%s %d %d\n", which, ntohs(name.sin_port), fd);
}

static int close_by_library(const char *path, int flags, const char *name, int fd)
{
	void *library = dlopen(path, RTLD_NOW | flags);
	int (*closes)(int) = NULL;

	if (library)
		*(void **)&closes = dlsym(library, name);
	return closes ? closes(fd) : -1;
}

/* One IORING_OP_CLOSE. */
static int close_by_uring(int fd)
{
	struct io_uring_params setup = {0};
	int ring = (int)syscall(SYS_io_uring_setup, 1, &setup);
	struct io_uring_sqe *entry;
	char *submissions, *completions;
	struct io_uring_cqe *done;

	if (ring < 0)
		return -1;
	submissions = mmap(NULL, setup.sq_off.array + sizeof(unsigned int), PROT_READ | PROT_WRITE,
		MAP_SHARED, ring, IORING_OFF_SQ_RING);
	completions = mmap(NULL, setup.cq_off.cqes + setup.cq_entries * sizeof(*done),
		PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	entry = mmap(
		NULL, sizeof(*entry), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (submissions == MAP_FAILED || completions == MAP_FAILED || entry == MAP_FAILED)
		return -1;
	memset(entry, 0, sizeof(*entry));
	entry->opcode = IORING_OP_CLOSE;
	entry->fd = fd;
	*(unsigned int *)(submissions + setup.sq_off.array) = 0;
	__atomic_store_n((unsigned int *)(submissions + setup.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -1;
	done = (struct io_uring_cqe *)(completions + setup.cq_off.cqes);
	errno = -done->res;
	close(ring);
	return done->res;
}

/* A file gets the number, is read to its end and closed. */
static void another_has_the_number(int fd)
{
	char bytes[64];
	int file = open("/proc/self/comm", O_RDONLY);
	ssize_t got = read(file, bytes, sizeof(bytes));

	printf("file %s, %zd bytes", file == fd ? "with the number" : "with another", got);
	got = read(file, bytes, sizeof(bytes));
	printf(", then %zd", got);
	printf(", closed %d", close(file));
	printf(", again %d\n", close(file));
}

static int close_by(const char *how, const char *library, int fd)
{
	if (strcmp(how, "both") == 0)
		*(void **)&accepts = dlsym(dlopen("libc.so.6", RTLD_NOW), "accept");
	if (strcmp(how, "handle") == 0 || strcmp(how, "both") == 0)
		return close_by_library("libc.so.6", 0, "close", fd);
	if (strcmp(how, "deepbind") == 0)
		return close_by_library(library, RTLD_DEEPBIND, "close_from_plugin", fd);
	if (strcmp(how, "uring") == 0)
		return close_by_uring(fd);
	return close(fd);
}

int main(int count, char **words)
{
	socklen_t length = sizeof(address);
	char line[16];
	int fd, first, second;

	alarm(60);
	setvbuf(stdout, NULL, _IOLBF, 0);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (count < 2 || bind(listener, (struct sockaddr *)&address, length) < 0 ||
		listen(listener, 4) < 0 ||
		getsockname(listener, (struct sockaddr *)&address, &length) < 0)
		return 1;
	printf("listening %d\n", ntohs(address.sin_port));
	fd = accept_one(&first);
	if (fd < 0)
		return 1;
	tell("first", first, fd);
	if (read(0, line, sizeof(line)) <= 0)
		return 1;
	if (read(fd, line, sizeof(line)) != sizeof(line))
		return 1;
	if (close_by(words[1], count > 2 ? words[2] : "", fd) < 0) {
		printf("cannot: %s\n", strerror(errno));
		return 77;
	}
	printf("closed\n");
	if (read(0, line, sizeof(line)) <= 0)
		return 1;
	if (accepts == accept)
		another_has_the_number(fd);
	close(first);
	fd = accept_one(&second);
	tell("second", second, fd);
	if (read(0, line, sizeof(line)) <= 0)
		return 1;
	if (read(fd, line, sizeof(line)) != sizeof(line) || write(fd, "answer", 6) != 6)
		return 1;
	close(fd);
	if (read(second, line, sizeof(line)) == 6)
		printf("answered: %s\n",
			read(second, line, sizeof(line)) == 0 ? "and ended" : strerror(errno));
	read(0, line, sizeof(line));
	return 0;
}
