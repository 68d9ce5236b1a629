/* SPDX-License-Identifier: MIT */
/*
 * The end of the process. Whatever the program still does of its own comes before it: handlers of atexit(3), destructors, and what is left
 * in a stream over a connection.
 *
 *   exit(), return from main     a handler that was registered before any other, and so runs as the last
 *   quick_exit()                 the same
 *   _exit(), _Exit()             here; and syscall(SYS_exit_group). Nothing happens in a vfork child, nor in one that nobody has counted
 *   SIGTERM's default action     signals.c
 *
 * abort(), a crash and all other signals end the process as without us.
 */
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <lastack/sys.h>

#include "shim.h"

/* Of the C library; their headers hide them. */
int __cxa_atexit(void (*run)(void *), void *argument, void *object);
int __cxa_at_quick_exit(void (*run)(void *), void *object);
void _IO_list_lock(void);
void _IO_list_unlock(void);
void *_IO_iter_begin(void);
void *_IO_iter_end(void);
void *_IO_iter_next(void *at);
FILE *_IO_iter_file(void *at);

/*
 * A connection: the kernel is asked, for one that the program was started with is not tracked. And a file: whoever kills a process that drains
 * must not lose what it has written.
 */
static bool is_first(int fd)
{
	struct stat about;

	return la_kernel_is_tcp(fd) == 1 ||
	       (la_sys(SYS_fstat, fd, &about) == 0 && S_ISREG(about.st_mode));
}

/*
 * The C library writes out all streams as its last step, behind our FIN and our drains. So those over a connection or a file go first; but not
 * one that another thread is in. (It waits for the list of streams as well.)
 */
static void flush_streams(void)
{
	void *at;

	_IO_list_lock();
	for (at = _IO_iter_begin(); at != _IO_iter_end(); at = _IO_iter_next(at)) {
		FILE *stream = _IO_iter_file(at);

		if (stream->_fileno < 0 || __fpending(stream) == 0 || !is_first(stream->_fileno) ||
			ftrylockfile(stream) != 0)
			continue;
		fflush_unlocked(stream);
		funlockfile(stream);
	}
	_IO_list_unlock();
}

static void leave(void *unused)
{
	(void)unused;
	if (!la_on)
		return;
	if (la_enforce_exits() && la_track_is_self())
		flush_streams();
	la_on = false;
	la_enforce_end();
}

static void leave_quickly(void *unused)
{
	(void)unused;
	la_exiting();
}

void la_exit_bind(void)
{
	/* Of no object: the end of ours is not the end of the process. */
	__cxa_atexit(leave, NULL, NULL);
	__cxa_at_quick_exit(leave_quickly, NULL);
}

void la_exiting(void)
{
	if (la_on && la_enforce_exits())
		la_enforce_end();
}

LA_EXPORT void _exit(int status)
{
	la_exiting();
	for (;;)
		la_real._exit(status);
}

LA_EXPORT void _Exit(int status)
{
	la_exiting();
	for (;;)
		la_real._Exit(status);
}
