/* SPDX-License-Identifier: MIT */
/*
 * A kernel that is short of memory for new sockets as long as somebody holds a descriptor above SCARCE_ABOVE. Preloaded behind the shim.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

static int is_short(void)
{
	const char *above = getenv("SCARCE_ABOVE");
	int fd, last = above ? atoi(above) + 64 : 0;

	for (fd = last - 64; above && fd < last; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 1;
	return 0;
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	static int (*real)(int fd, struct sockaddr *address, socklen_t *length, int flags);

	if (is_short()) {
		errno = ENOBUFS;
		return -1;
	}
	if (!real)
		real = (int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(
			RTLD_NEXT, "accept4");
	return real(fd, address, length, flags);
}
