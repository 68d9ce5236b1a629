/* SPDX-License-Identifier: MIT */
/*
 * Calls for which a process must have one thread, or which change the calling thread alone: unshare and setns; credentials.c and
 * process.c have more of them.
 */
#include <errno.h>
#include <sched.h>
#include <sys/single_threaded.h>

#include "shim.h"

struct la_alone la_alone_begin(bool splits_table)
{
	struct la_alone alone = {.on = la_on && la_here()};

	if (!alone.on)
		return alone;
	/* The C library does not count the helper, which is made by a bare clone(2). */
	if (splits_table && !__libc_single_threaded) {
		la_enforce_stop();
		la_track_become_passive(LA_PROCESS_SPLIT);
		alone.on = false;
	} else {
		alone.ran = la_enforce_pause();
	}
	return alone;
}

void la_alone_end(struct la_alone alone)
{
	int saved = errno;

	if (alone.on)
		la_enforce_resume(alone.ran);
	errno = saved;
}

LA_EXPORT int unshare(int flags)
{
	struct la_alone alone = la_alone_begin(flags & CLONE_FILES);
	int result = la_real.unshare(flags);

	la_alone_end(alone);
	return result;
}

LA_EXPORT int setns(int fd, int kind)
{
	struct la_alone alone = la_alone_begin(false);
	int result = la_real.setns(fd, kind);

	la_alone_end(alone);
	return result;
}
