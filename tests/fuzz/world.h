/* SPDX-License-Identifier: MIT */
/* The scene while a command runs in it; the real functions behind the ones of world.c, and those that the linker calls instead. */
#ifndef LASTACK_FUZZ_WORLD_H
#define LASTACK_FUZZ_WORLD_H

#include <poll.h>
#include <sys/stat.h>

#include "../../src/cli/holders.h"
#include "scene.h"

/* The scene as the input changed it; begins anew with each call. */
extern struct scene scene;
void world_begin(const uint8_t *data, size_t size);
void world_end(void);
const char *world_path(void);

#define WRAPPED(result, name, ...)         \
	result __real_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__)

WRAPPED(int, open, const char *path, int flags, ...);
WRAPPED(int, close, int fd);
WRAPPED(int, fstat, int fd, struct stat *status);
WRAPPED(int, stat, const char *path, struct stat *status);
WRAPPED(ssize_t, pread, int fd, void *to, size_t bytes, off_t offset);
WRAPPED(FILE *, fopen, const char *path, const char *mode);
WRAPPED(int, kill, pid_t pid, int signal);
WRAPPED(int, setns, int fd, int kind);
WRAPPED(int, usleep, useconds_t us);
WRAPPED(int, socketpair, int domain, int type, int protocol, int ends[2]);
WRAPPED(pid_t, fork, void);
WRAPPED(ssize_t, send, int fd, const void *bytes, size_t size, int flags);
WRAPPED(ssize_t, recv, int fd, void *to, size_t size, int flags);
WRAPPED(int, poll, struct pollfd *list, nfds_t count, int ms);
WRAPPED(pid_t, waitpid, pid_t pid, int *status, int flags);
WRAPPED(uint64_t, la_now_ns, void);
WRAPPED(int, la_region_find, void (*each)(const char *path, void *context), void *context,
	char denied[512]);
WRAPPED(int, la_holders_add, struct la_holders *holders, uint32_t pid);
WRAPPED(void, la_holders_add_all, struct la_holders *holders);
WRAPPED(int, la_holders_inode, uint32_t pid, int32_t fd, uint32_t *inode);

#endif
