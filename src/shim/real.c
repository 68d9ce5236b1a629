/* SPDX-License-Identifier: MIT */
/*
 * The real functions. There is no moment before initialisation: constructors of other libraries, malloc replacements and
 * signal handlers call us before our constructor has run. Until then each pointer leads to a raw system call; afterwards to the
 * C library, because a raw call is no cancellation point.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

#include <lastack/sys.h>

#include "shim.h"

static long from_kernel(long result)
{
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}
#define early(...) from_kernel(la_sys(__VA_ARGS__))

static int early_dup2(int from, int to)
{
	if (from == to)
		return early(SYS_fcntl, from, F_GETFD) < 0 ? -1 : to;
	return (int)early(SYS_dup3, from, to, 0);
}

/* The variadic ones pass on all that the kernel could look at. */
#define TAKE_REST(rest, last)                      \
	va_list arguments;                         \
	long rest[6];                              \
	va_start(arguments, last);                 \
	for (int i = 0; i < 6; i++)                \
		rest[i] = va_arg(arguments, long); \
	va_end(arguments)

static int early_of_fcntl(int fd, int command, ...)
{
	TAKE_REST(rest, command);
	return (int)early(SYS_fcntl, fd, command, rest[0]);
}
#define early_of_fcntl64 early_of_fcntl

#define EARLY_OPEN(name, parameters, folder, path)                                   \
	static int early_of_##name parameters                                        \
	{                                                                            \
		TAKE_REST(rest, flags);                                              \
		return (int)early(SYS_openat, folder, path, flags, (mode_t)rest[0]); \
	}
EARLY_OPEN(open, (const char *path, int flags, ...), AT_FDCWD, path)
EARLY_OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, path)
EARLY_OPEN(openat, (int folder, const char *path, int flags, ...), folder, path)
EARLY_OPEN(openat64, (int folder, const char *path, int flags, ...), folder, path)

static int early_of_prctl(int option, ...)
{
	TAKE_REST(rest, option);
	return (int)early(SYS_prctl, option, rest[0], rest[1], rest[2], rest[3]);
}

static long early_of_syscall(long number, ...)
{
	TAKE_REST(rest, number);
	return early(number, rest[0], rest[1], rest[2], rest[3], rest[4], rest[5]);
}

static void *find(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static int early_of_clone(int (*entry)(void *), void *stack, int flags, void *argument, ...)
{
	TAKE_REST(rest, argument);
	*(void **)&la_real.clone = find("clone");
	return la_real.clone(entry, stack, flags, argument, rest[0], rest[1], rest[2]);
}

#define CALL(result, name, parameters, before)   \
	static result early_of_##name parameters \
	{                                        \
		return (result)(before);         \
	}
#define LIBC(result, name, parameters, arguments)      \
	static result early_of_##name parameters       \
	{                                              \
		*(void **)&la_real.name = find(#name); \
		return la_real.name arguments;         \
	}
#define LIBC_VOID(name, parameters, arguments)         \
	static void early_of_##name parameters         \
	{                                              \
		*(void **)&la_real.name = find(#name); \
		la_real.name arguments;                \
	}
#define VARIADIC(result, name, parameters)
#include "calls.def"
#undef CALL
#undef LIBC
#undef LIBC_VOID
#undef VARIADIC

struct la_real la_real = {
#define CALL(result, name, parameters, before)    .name = early_of_##name,
#define LIBC(result, name, parameters, arguments) .name = early_of_##name,
#define LIBC_VOID(name, parameters, arguments)    .name = early_of_##name,
#define VARIADIC(result, name, parameters)        .name = early_of_##name,
#include "calls.def"
#undef CALL
#undef LIBC
#undef LIBC_VOID
#undef VARIADIC
};

static void replace(void **pointer, const char *name)
{
	void *found = find(name);

	/* Missing in an older C library: nobody can have called it there. */
	if (found)
		*pointer = found;
}

void la_real_bind(void)
{
#define CALL(result, name, parameters, before)    replace((void **)&la_real.name, #name);
#define LIBC(result, name, parameters, arguments) replace((void **)&la_real.name, #name);
#define LIBC_VOID(name, parameters, arguments)    replace((void **)&la_real.name, #name);
#define VARIADIC(result, name, parameters)        replace((void **)&la_real.name, #name);
#include "calls.def"
#undef CALL
#undef LIBC
#undef LIBC_VOID
#undef VARIADIC
}
