/* SPDX-License-Identifier: MIT */
/*
 * Makers of descriptors that are none of ours to follow. A drain holds a number of the application's: where there is none left, it gives
 * way, and the call is made once more. So it does where a new socket finds no memory in the kernel: a drain holds some of that, too.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <lastack/sys.h>

#include "shim.h"

int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);
int __pipe(int ends[2]);

/* errno: out of numbers, or, where the caller says so, of memory. One drain ends, the oldest. */
static bool gives_way(bool lacking)
{
	int saved = errno;
	bool made = lacking && la_enforce_closes() && la_here() && la_enforce_make_room();

	errno = saved;
	return made;
}

LA_COLD bool la_make_room(void)
{
	return gives_way(errno == EMFILE || errno == ENFILE);
}

LA_COLD bool la_make_room_for_socket(void)
{
	return gives_way(errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
}

static bool is_out_of_numbers(void)
{
	long one = la_sys(SYS_eventfd2, 0, O_CLOEXEC);

	if (one >= 0)
		la_sys(SYS_close, one);
	return one == -EMFILE;
}

LA_COLD bool la_make_room_for_one_of_few(void)
{
	int saved = errno;
	bool lacking = saved == EMFILE && la_enforce_drains() && la_here() && is_out_of_numbers();

	errno = saved;
	return lacking && la_make_room();
}

#define MAKES(result, failed, name, parameters, arguments) \
	LA_EXPORT result name parameters                   \
	{                                                  \
		result made = la_real.name arguments;      \
                                                           \
		while (made == (failed) && la_make_room()) \
			made = la_real.name arguments;     \
		return made;                               \
	}

/* A mode may follow the flags; what is passed on where none does, nobody looks at. */
#define MAKES_WITH_MODE(name, real, parameters, ...)            \
	LA_EXPORT int name parameters                           \
	{                                                       \
		va_list rest;                                   \
		mode_t mode;                                    \
		int made;                                       \
                                                                \
		va_start(rest, flags);                          \
		mode = va_arg(rest, mode_t);                    \
		va_end(rest);                                   \
		made = la_real.real(__VA_ARGS__, mode);         \
		while (made < 0 && la_make_room())              \
			made = la_real.real(__VA_ARGS__, mode); \
		return made;                                    \
	}

MAKES_WITH_MODE(open, open, (const char *path, int flags, ...), path, flags)
MAKES_WITH_MODE(open64, open64, (const char *path, int flags, ...), path, flags)
MAKES_WITH_MODE(openat, openat, (int folder, const char *path, int flags, ...), folder, path, flags)
MAKES_WITH_MODE(
	openat64, openat64, (int folder, const char *path, int flags, ...), folder, path, flags)
MAKES(int, -1, __open_2, (const char *path, int flags), (path, flags))
MAKES(int, -1, __open64_2, (const char *path, int flags), (path, flags))
MAKES(int, -1, __openat_2, (int folder, const char *path, int flags), (folder, path, flags))
MAKES(int, -1, __openat64_2, (int folder, const char *path, int flags), (folder, path, flags))
MAKES(int, -1, creat, (const char *path, mode_t mode), (path, mode))
MAKES(int, -1, creat64, (const char *path, mode_t mode), (path, mode))
MAKES(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
MAKES(FILE *, NULL, fopen64, (const char *path, const char *mode), (path, mode))
MAKES(FILE *, NULL, tmpfile, (void), ())
MAKES(FILE *, NULL, tmpfile64, (void), ())
MAKES(DIR *, NULL, opendir, (const char *path), (path))
MAKES(int, -1, pipe, (int ends[2]), (ends))
MAKES(int, -1, pipe2, (int ends[2], int flags), (ends, flags))
MAKES(int, -1, eventfd, (unsigned int count, int flags), (count, flags))
MAKES(int, -1, epoll_create, (int size), (size))
MAKES(int, -1, epoll_create1, (int flags), (flags))
MAKES(int, -1, timerfd_create, (clockid_t clock, int flags), (clock, flags))
MAKES(int, -1, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
MAKES(int, -1, memfd_create, (const char *name, unsigned int flags), (name, flags))

LA_EXPORT int inotify_init1(int flags)
{
	int made = la_real.inotify_init1(flags);

	while (made < 0 && la_make_room_for_one_of_few())
		made = la_real.inotify_init1(flags);
	return made;
}

LA_EXPORT int inotify_init(void)
{
	int made = la_real.inotify_init();

	while (made < 0 && la_make_room_for_one_of_few())
		made = la_real.inotify_init();
	return made;
}

LA_EXPORT int socketpair(int domain, int type, int protocol, int ends[2])
{
	int result = la_real.socketpair(domain, type, protocol, ends);

	while (result < 0 && la_make_room())
		result = la_real.socketpair(domain, type, protocol, ends);
	if (result == 0) {
		la_forget_domain(ends[0]);
		la_forget_domain(ends[1]);
	}
	return result;
}

/* Other names. No aliases: <fcntl.h> gives attributes to its own only. */
MAKES_WITH_MODE(__open, open, (const char *path, int flags, ...), path, flags)
MAKES_WITH_MODE(__open64, open64, (const char *path, int flags, ...), path, flags)

LA_EXPORT int __pipe(int ends[2])
{
	return pipe(ends);
}
