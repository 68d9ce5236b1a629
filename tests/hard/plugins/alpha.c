/* SPDX-License-Identifier: MIT */
/*
 * A plugin whose constructor opens a connection to PLUGIN_PORT, and whose destructor closes it, unless PLUGIN_KEEPS says to forget it.
 * omega.c is the same by another name, so that the loader puts one where the other was.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef NAME
#define NAME alpha
#endif
#define JOIN(a, b)   a##b
#define NAMED(a, b)  JOIN(a, b)
#define OPENED_BY(n) NAMED(opened_by_, n)

static int fd = -1;

__attribute__((noinline)) void OPENED_BY(NAME)(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((unsigned short)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		abort();
}

__attribute__((constructor)) static void come(void)
{
	const char *port = getenv("PLUGIN_PORT");

	if (port)
		OPENED_BY(NAME)(atoi(port));
}

__attribute__((destructor)) static void go(void)
{
	if (!getenv("PLUGIN_KEEPS"))
		close(fd);
}
