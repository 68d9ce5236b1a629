/* SPDX-License-Identifier: MIT */
/*
 * Calls that the kernel makes for one thread only, or refuses to a process that has several: around each the helper ends, and one that
 * follows is as the caller then is. unshare and setns are here, credentials.c and process.c have more of them.
 *
 * A thread that gets a descriptor table of its own (unshare(CLONE_FILES), CLOSE_RANGE_UNSHARE): the only one of a process takes the helper
 * along. One of several leaves the others' table, which we follow, and is followed no more: what it closes, the others still hold.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>

#include <lastack/sys.h>

#include "shim.h"

enum { LINKS_OF_ONE = 3 }; /* of /proc/self/task: itself, its parent, a folder for each thread */

/* What unshare refuses to one of several threads, and what splits the descriptor table. */
enum { OF_ONE = CLONE_FILES | CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM };

struct la_alone la_alone_begin(void)
{
	struct la_alone alone = {.on = la_on && la_here_or_apart()};

	if (alone.on)
		la_enforce_pause();
	return alone;
}

void la_alone_end(struct la_alone alone)
{
	int saved = errno;

	/* A thread with a table of its own cannot start it: the next connection does. */
	if (alone.on)
		la_enforce_resume(la_here());
	errno = saved;
}

void la_alone_leave(struct la_alone alone)
{
	if (alone.on)
		la_enforce_resume(false);
}

static bool is_only_thread(void)
{
	struct stat folder;

	if (la_sys(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &folder, 0) != 0)
		return __libc_single_threaded;
	return folder.st_nlink == LINKS_OF_ONE;
}

struct la_split la_split_begin(void)
{
	struct la_split split = {.alone = la_alone_begin()};

	split.leaves = split.alone.on && !is_only_thread();
	if (split.leaves) {
		/* It belongs to the others. */
		la_alone_end(split.alone);
		la_track_share_all();
	}
	return split;
}

/* The copies of our numbers in the table of this thread. */
static void close_own(void)
{
	int fd = -1;

	while ((fd = la_slot_next(fd + 1, 0x3fffffff)) >= 0)
		if (LA_SLOT_IS_OWN(la_slot_load(fd)))
			la_sys(SYS_close, fd);
}

void la_split_end(struct la_split split, bool succeeded)
{
	int saved = errno;

	if (!split.leaves) {
		la_alone_end(split.alone);
	} else if (succeeded) {
		la_track_leave();
		close_own();
	}
	errno = saved;
}

int la_unshare_by(int flags, int (*real)(int flags))
{
	struct la_alone alone;
	struct la_split split;
	int result;

	if (!(flags & OF_ONE) || !la_on || !la_here())
		return real(flags);
	if (flags & CLONE_FILES) {
		split = la_split_begin();
		result = real(flags);
		la_split_end(split, result == 0);
		return result;
	}
	alone = la_alone_begin();
	result = real(flags);
	la_alone_end(alone);
	return result;
}

LA_EXPORT int unshare(int flags)
{
	return la_unshare_by(flags, la_real.unshare);
}

LA_EXPORT int setns(int fd, int kind)
{
	struct la_alone alone;
	int result;

	/* The one kind that leaves this thread where it is, and lets no other be made. */
	if (kind == CLONE_NEWPID)
		return la_real.setns(fd, kind);
	alone = la_alone_begin();
	result = la_real.setns(fd, kind);
	la_alone_end(alone);
	return result;
}
