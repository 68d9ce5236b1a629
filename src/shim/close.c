/* SPDX-License-Identifier: MIT */
/*
 * Closing: close, close_range, closefrom, fclose, freopen.
 *
 * The slot is retired before the number is released: once the kernel has it back, another thread's accept() may own it. Linux
 * frees the number even on EINTR, so a retired slot stays retired.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <stdio_ext.h>

#include <lastack/sys.h>

#include "shim.h"

struct la_closing la_close_begin(int fd)
{
	struct la_closing closing = {.place = -1};
	struct la_release release = la_track_release(fd);

	if (!release.tracked || !release.last_here)
		return closing;
	if (la_enforce_closes())
		closing.place = la_enforce_begin(fd, &release);
	if (closing.place < 0 && release.last)
		la_track_closed(&release, fd);
	return closing;
}

void la_close_done(struct la_closing closing)
{
	la_enforce_commit(closing.place);
}

LA_COLD int la_close_known(int fd, int (*real)(int fd))
{
	uint64_t slot = la_slot_load(fd);
	struct la_closing closing;
	int result, state = PTHREAD_CANCEL_ENABLE;
	bool point = real == la_real.close;

	if (!la_here())
		return real(fd);
	if (LA_SLOT_IS_OWN(slot)) {
		errno = EBADF; /* not the application's */
		return -1;
	}
	/*
	 * close() is a cancellation point, which closes nothing when the thread was cancelled before. What follows must not be
	 * one, or we would forget a connection that is still there, and a drain would lose its owner. Only a close that waits for
	 * SO_LINGER can still be cancelled: that one has released the number before it waits.
	 */
	if (point)
		pthread_testcancel();
	if (LA_SLOT_FLAGS(slot) & LA_SLOT_LINGER_TIMED)
		point = false;
	if (point)
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	closing = la_close_begin(fd);
	result = real(fd);
	la_close_done(closing);
	if (point)
		pthread_setcancelstate(state, NULL);
	return result;
}

LA_EXPORT int close(int fd)
{
	if (__builtin_expect(!la_slot_load(fd), 1))
		return la_real.close(fd);
	return la_close_known(fd, la_real.close);
}

/* Every connection of the range by itself, then the rest in pieces around our own numbers. */
LA_COLD int la_close_range_by(unsigned int first, unsigned int last, int flags,
	int (*real)(unsigned int first, unsigned int last, int flags))
{
	int fd = (int)(first > 0x3fffffff ? 0x3fffffff : first) - 1;
	int end = (int)(last > 0x3fffffff ? 0x3fffffff : last);
	unsigned int from = first;
	int result = 0;

	if (first > last || (flags & ~(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)) || !la_here())
		return real(first, last, flags);
	if (flags & CLOSE_RANGE_UNSHARE) {
		struct la_split split = la_split_begin();

		result = split.leaves
				 ? real(first, last, flags)
				 : real(first, first, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC);
		la_split_end(split, result == 0);
		if (result < 0 || split.leaves)
			return result;
		flags &= ~CLOSE_RANGE_UNSHARE;
	}
	while ((fd = la_slot_next(fd + 1, end)) >= 0) {
		uint64_t slot = la_slot_load(fd);

		if (LA_SLOT_IS_OWN(slot)) {
			if ((unsigned int)fd > from)
				result = real(from, (unsigned int)fd - 1, flags);
			from = (unsigned int)fd + 1;
		} else if (slot && !(flags & CLOSE_RANGE_CLOEXEC)) {
			struct la_closing closing = la_close_begin(fd);

			if (closing.place >= 0)
				la_sys(SYS_close, fd);
			la_close_done(closing);
		}
	}
	return from > last ? result : real(from, last, flags);
}

LA_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	return la_close_range_by(first, last, flags, la_real.close_range);
}

LA_EXPORT void closefrom(int low)
{
	int saved = errno;

	if (la_slot_next(low < 0 ? 0 : low, 0x3fffffff) < 0 || !la_here() ||
		la_close_range_by(low < 0 ? 0 : (unsigned int)low, ~0u, 0, la_real.close_range) !=
			0)
		la_real.closefrom(low);
	errno = saved;
}

/*
 * glibc closes the number inside, not through close(). Its buffer goes out before our FIN does; and while another thread is in a
 * call on the stream the C library waits, so the connection is not closed yet. `unflushed`: why its buffer could not be written.
 */
static struct la_closing begin_stream(FILE *stream, int *unflushed)
{
	int saved = errno, fd = stream ? fileno_unlocked(stream) : -1;
	struct la_closing closing = {.place = -1};

	if (fd >= 0 && la_slot_load(fd) && la_here()) {
		/* A flush that fails drops the buffer: fclose would find nothing to fail with. Where we have ended the connection, it raises no SIGPIPE. */
		if ((la_enforce_closes() || LA_SLOT_IS_ENFORCED(la_slot_load(fd))) &&
			fflush(stream) != 0)
			*unflushed = errno;
		if (__fsetlocking(stream, FSETLOCKING_QUERY) != FSETLOCKING_BYCALLER) {
			flockfile(stream);
			funlockfile(stream);
		}
		closing = la_close_begin(fd);
	}
	errno = saved;
	return closing;
}

LA_EXPORT int fclose(FILE *stream)
{
	int unflushed = 0, result;
	struct la_closing closing = begin_stream(stream, &unflushed);

	result = la_real.fclose(stream);
	la_close_done(closing);
	if (result == 0 && unflushed) {
		errno = unflushed;
		return EOF;
	}
	return result;
}

/* Its open() is a cancellation point: a drain must not lose its owner there. */
static FILE *reopen(const char *path, const char *mode, FILE *stream,
	FILE *(*real)(const char *path, const char *mode, FILE *stream))
{
	int unflushed, state = 0;
	struct la_closing closing = begin_stream(stream, &unflushed);
	FILE *result;

	if (closing.place < 0)
		return real(path, mode, stream);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	result = real(path, mode, stream);
	la_close_done(closing);
	pthread_setcancelstate(state, NULL);
	return result;
}

LA_EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	return reopen(path, mode, stream, la_real.freopen);
}

LA_EXPORT FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
	return reopen(path, mode, stream, la_real.freopen64);
}

LA_EXPORT int __close(int fd) __attribute__((alias("close")));
LA_EXPORT int _IO_fclose(FILE *stream) __attribute__((alias("fclose")));
