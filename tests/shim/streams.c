/* SPDX-License-Identifier: MIT */
/* fdopen, fclose and freopen on sockets: stdio closes inside the C library. */
#include "transcript.h"

static void closes_a_stream(void)
{
	int ends[2];
	FILE *stream;

	connection(ends);
	stream = fdopen(ends[1], "r+");
	NEEDED(stream);
	SAY(fprintf(stream, "in its buffer"));
	SAY(is_open(ends[0]));
	SAY(fclose(stream));
	SAY(peer_reads(ends[0])); /* the buffer came before the end */
	SAY(fcntl(ends[1], F_GETFD));
	SAY(close(ends[0]));
}

static void closes_one_of_two_streams(void)
{
	int ends[2];
	FILE *in, *out;
	char line[32];

	connection(ends);
	in = fdopen(ends[1], "r");
	out = fdopen(dup(ends[1]), "w");
	NEEDED(in && out);
	SAY(write(ends[0], "question\n", 9));
	SAY_POINTER(fgets(line, sizeof(line), in));
	SAY(fputs("answer\n", out));
	SAY(fclose(in));
	SAY(is_open(ends[0]));
	SAY(fclose(out));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

static void a_stream_whose_number_is_gone(void)
{
	int ends[2];
	FILE *stream;

	connection(ends);
	stream = fdopen(ends[1], "r+");
	NEEDED(stream);
	SAY(close(ends[1]));
	SAY(fclose(stream));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

/* The flush fails: fclose must say so, and the number must be free all the same. */
static void a_stream_that_cannot_be_flushed(void)
{
	int ends[2];
	FILE *stream;

	connection(ends);
	stream = fdopen(ends[1], "w");
	NEEDED(stream);
	reset(ends[0]);
	wait_for(ends[1], POLLERR);
	SAY(fprintf(stream, "nobody reads this"));
	SAY(fclose(stream));
	SAY(fcntl(ends[1], F_GETFD));
}

static void reopens(void)
{
	int ends[2];
	FILE *stream;

	connection(ends);
	stream = fdopen(ends[1], "r+");
	NEEDED(stream);
	SAY(fprintf(stream, "last words"));
	SAY_POINTER(stream = freopen("/dev/null", "r", stream));
	SAY(fileno(stream));
	SAY(peer_reads(ends[0]));
	SAY(fclose(stream));
	SAY(close(ends[0]));
	connection(ends);
	stream = fdopen(ends[1], "r+");
	NEEDED(stream);
	SAY_POINTER(stream = freopen64("/nonexistent/file", "r", stream));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
}

static void streams_without_a_number(void)
{
	char buffer[16];
	FILE *stream = fmemopen(buffer, sizeof(buffer), "w");

	NEEDED(stream);
	SAY(fclose(stream));
	stream = fopen("/dev/null", "w");
	NEEDED(stream);
	SAY(fclose(stream));
}

int main(void)
{
	begin();
	signal(SIGPIPE, SIG_IGN);
	closes_a_stream();
	closes_one_of_two_streams();
	a_stream_whose_number_is_gone();
	a_stream_that_cannot_be_flushed();
	reopens();
	streams_without_a_number();
	SAY(socket(AF_INET, SOCK_STREAM, 0));
	return 0;
}
