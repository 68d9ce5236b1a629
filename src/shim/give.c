/* SPDX-License-Identifier: MIT */
/*
 * Giving descriptors away by SCM_RIGHTS: the description has another holder from then on, so it is never shut down by us.
 */
#include <errno.h>

#include "shim.h"

void la_gave(const struct msghdr *message)
{
	struct cmsghdr *control;

	/* Asked of the message, not of the number: a connection may have had that before, and left it unseen. */
	if (!la_on || !message->msg_control || message->msg_controllen < sizeof(struct cmsghdr))
		return;
	for (control = CMSG_FIRSTHDR(message); control;
		control = CMSG_NXTHDR((struct msghdr *)message, control)) {
		const int *fds = (const int *)CMSG_DATA(control);
		size_t count, i;

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
			control->cmsg_len < CMSG_LEN(0))
			continue;
		if (!la_here())
			return;
		count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++)
			la_track_share(fds[i]);
	}
}

/*
 * The message is looked at after the call, when the kernel has found its pointers good. Until then the receiver may hold
 * what another thread of ours closes, so no close is graceful meanwhile. A thread that is cancelled in the call leaves it so, which
 * is safe; undoing it would need an unwinder in every process (libgcc_s).
 */
bool la_begin_giving(int fd)
{
	bool guard = la_on && !LA_SLOT_TRACKED(la_slot_load(fd)) && la_enforce_closes();

	if (guard)
		la_track_giving(1);
	return guard;
}

void la_end_giving(bool guard)
{
	if (guard)
		la_track_giving(-1);
}

LA_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	bool guard = la_begin_giving(fd);
	ssize_t result = la_real.sendmsg(fd, message, flags);

	if (result >= 0)
		la_gave(message);
	la_end_giving(guard);
	return result;
}

LA_EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	bool guard = la_begin_giving(fd);
	int result = la_real.sendmmsg(fd, messages, count, flags), i;

	for (i = 0; i < result; i++)
		la_gave(&messages[i].msg_hdr);
	la_end_giving(guard);
	return result;
}

void la_epoll_changed(int epoll, int op, int fd)
{
	if (la_enforce_closes() && la_slot_load(fd))
		la_enforce_epoll(epoll, op, fd);
}

LA_EXPORT int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	int result = la_real.epoll_ctl(epoll, op, fd, event);

	if (result == 0)
		la_epoll_changed(epoll, op, fd);
	return result;
}
