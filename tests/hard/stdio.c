/* SPDX-License-Identifier: MIT */
/* Sockets that are closed inside the C library: by fclose, freopen, and their like. */
#include <pthread.h>

#include "../shim/transcript.h"

static FILE *stream_on(int fd, const char *mode)
{
	FILE *stream = fdopen(fd, mode);

	NEEDED(stream);
	return stream;
}

static void buffers_arrive_before_the_end(void)
{
	int ends[2];
	FILE *first, *second;

	connection(ends);
	first = stream_on(ends[1], "r+");
	second = stream_on(dup(ends[1]), "w");
	SAY(fputs("of the first", first));
	SAY(fputs("of the second, which is the last", second));
	SAY(fclose(first));
	SAY(is_open(ends[0]));
	SAY(fclose(second));
	SAY(peer_reads(ends[0])); /* all bytes of both, then the end */
	SAY(fcntl(ends[1], F_GETFD));
	SAY(close(ends[0]));
}

/* More than the kernel takes, and no waiting: the flush fails, and the close must say so. */
static void a_flush_that_would_block(void)
{
	static char much[1 << 16];
	int ends[2], small = 4096;
	FILE *stream;

	connection(ends);
	NEEDED(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
	NEEDED(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
	while (write(ends[1], much, sizeof(much)) > 0 ||
		poll(&(struct pollfd){.fd = ends[1], .events = POLLOUT}, 1, 100))
		;
	stream = stream_on(ends[1], "w");
	SAY(fputs("does not fit", stream));
	SAY(fclose(stream));
	SAY(fcntl(ends[1], F_GETFD));
	SAY(peer_reads(ends[0]) > 0);
	SAY(close(ends[0]));
}

static void is_reopened(const char *path)
{
	int ends[2];
	FILE *stream;

	connection(ends);
	stream = stream_on(ends[1], "r+");
	SAY(fputs("last words", stream));
	stream = freopen(path, "r", stream);
	SAY(stream ? fileno(stream) == ends[1] : -1);
	SAY(peer_reads(ends[0]));
	if (stream)
		SAY(fclose(stream));
	SAY(fcntl(ends[1], F_GETFD));
	SAY(close(ends[0]));
}

static int close_cookie(void *cookie)
{
	return close(*(int *)cookie);
}

static void streams_without_a_number(void)
{
	cookie_io_functions_t functions = {.close = close_cookie};
	char *text = NULL;
	size_t size = 0;
	int ends[2];
	FILE *stream = open_memstream(&text, &size);

	NEEDED(stream);
	SAY(fputs("in memory", stream));
	SAY(fclose(stream));
	SAY(size);
	free(text);
	connection(ends);
	stream = fopencookie(&ends[1], "w", functions);
	NEEDED(stream);
	SAY(fclose(stream)); /* closes the socket by its own close() */
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

/* The command of popen holds the connection until pclose. */
static void held_by_a_command(void)
{
	int ends[2];
	FILE *command;

	connection(ends);
	command = popen("read line", "w");
	NEEDED(command);
	SAY(close(ends[1]));
	SAY(is_open(ends[0]));
	SAY(fputs("line\n", command));
	SAY(pclose(command));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

static pid_t closer;

static void *closes_it(void *stream)
{
	__atomic_store_n(&closer, gettid(), __ATOMIC_RELEASE);
	return (void *)(long)fclose(stream);
}

static void *reads_a_line(void *stream)
{
	static char line[16];

	return fgets(line, sizeof(line), stream) ? "line" : NULL;
}

/* Is this thread in the system call `number`? */
static int is_in(pid_t thread, long number)
{
	char path[64], text[16] = "";
	int file;

	if (!thread)
		return 0;
	/* By no stream: the C library holds the lock of their list meanwhile. */
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", thread);
	file = open(path, O_RDONLY);
	NEEDED(file >= 0 && read(file, text, sizeof(text) - 1) > 0);
	close(file);
	return text[0] != 'r' && atol(text) == number;
}

/* fclose waits for the thread that reads from the stream; the connection is open as long. */
static void closed_while_another_thread_reads(void)
{
	pthread_t reader, other;
	void *got;
	int ends[2];
	FILE *stream;
	char line[16];

	connection(ends);
	stream = stream_on(ends[1], "r");
	NEEDED(pthread_create(&reader, NULL, reads_a_line, stream) == 0);
	while (ftrylockfile(stream) == 0)
		funlockfile(stream);
	NEEDED(pthread_create(&other, NULL, closes_it, stream) == 0);
	while (!is_in(__atomic_load_n(&closer, __ATOMIC_ACQUIRE), SYS_futex))
		usleep(1000);
	SAY(is_open(ends[0]));
	printf("closing fd=%d\n", ends[1]);
	if (!fgets(line, sizeof(line), stdin))
		clearerr(stdin);
	SAY(write(ends[0], "line\n", 5));
	NEEDED(pthread_join(reader, &got) == 0);
	SAY(got != NULL);
	NEEDED(pthread_join(other, &got) == 0);
	SAY(got);
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

/* Data waits that nobody has read: "NAME: N" is what the peer reads after its answer. */
static void unread(const char *name)
{
	int ends[2];
	FILE *stream;

	connection(ends);
	NEEDED(write(ends[0], "unread", 6) == 6);
	wait_for(ends[1], POLLIN);
	stream = stream_on(ends[1], "r+");
	NEEDED(fputs("answer", stream) >= 0);
	if (!strcmp(name, "fclose"))
		fclose(stream);
	else
		stream = freopen(
			strcmp(name, "freopen") ? "/nonexistent/file" : "/dev/null", "r", stream);
	printf("%s: %ld\n", name, peer_reads(ends[0]));
	close(ends[0]);
}

int main(int count, char **words)
{
	begin();
	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < count; i++)
		unread(words[i]);
	if (count > 1)
		return 0;
	buffers_arrive_before_the_end();
	a_flush_that_would_block();
	is_reopened("/dev/null");
	is_reopened("/nonexistent/file");
	is_reopened(NULL);
	streams_without_a_number();
	held_by_a_command();
	closed_while_another_thread_reads();
	SAY(fcloseall());
	return 0;
}
