/* SPDX-License-Identifier: MIT */
/*
 * What the kernel refuses on a TCP socket, so that nobody need interpose it: the reasons of tests/imports.allowed. Fails where the kernel
 * does otherwise; the connection is whole afterwards.
 */
#include <dirent.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "transcript.h"

/* REFUSED(call, errno) */
#define REFUSED(call, reason)                                                     \
	do {                                                                      \
		long said;                                                        \
		errno = 0;                                                        \
		said = (long)(call);                                              \
		printf("%s: %s\n", #call, strerrorname_np(errno));                \
		if (said != -1 || errno != (reason)) {                            \
			printf("%d: %ld, and not %s\n", __LINE__, said, #reason); \
			exit(4);                                                  \
		}                                                                 \
	} while (0)

int main(void)
{
	char bytes[16], path[64];
	struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	FILE *file = tmpfile();
	int ends[2], pipes[2], server;

	begin();
	connection(ends);
	server = ends[1];
	NEEDED(file && pipe(pipes) == 0 && write(ends[0], "unread", 6) == 6);
	wait_for(server, POLLIN);
	REFUSED(pread(server, bytes, sizeof(bytes), 0), ESPIPE);
	REFUSED(pread64(server, bytes, sizeof(bytes), 0), ESPIPE);
	REFUSED(preadv(server, &part, 1, 0), ESPIPE);
	REFUSED(preadv64(server, &part, 1, 0), ESPIPE);
	REFUSED(preadv2(server, &part, 1, 0, 0), ESPIPE);
	REFUSED(pwrite(server, bytes, sizeof(bytes), 0), ESPIPE);
	REFUSED(pwrite64(server, bytes, sizeof(bytes), 0), ESPIPE);
	REFUSED(pwritev(server, &part, 1, 0), ESPIPE);
	REFUSED(pwritev64(server, &part, 1, 0), ESPIPE);
	REFUSED(pwritev2(server, &part, 1, 0, 0), ESPIPE);
	REFUSED(sendfile(fileno(file), server, NULL, sizeof(bytes)), EINVAL);
	REFUSED(copy_file_range(server, NULL, fileno(file), NULL, sizeof(bytes), 0), EINVAL);
	REFUSED(tee(server, pipes[1], sizeof(bytes), 0), EINVAL);
	REFUSED(vmsplice(server, &part, 1, 0), EBADF);
	REFUSED(fdopendir(server) ? 0 : -1, ENOTDIR);
	REFUSED(readahead(server, 0, sizeof(bytes)), EINVAL);
	/* Nor does its name open it a second time. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", server);
	REFUSED(open(path, O_RDWR), ENXIO);
	SAY(read(server, bytes, sizeof(bytes)));
	SAY(close(server));
	SAY(peer_reads(ends[0]));
	return 0;
}
