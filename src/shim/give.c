/* SPDX-License-Identifier: MIT */
/*
 * Giving descriptors away by SCM_RIGHTS: the description has another holder from then on, so it is never shut down by us.
 */
#include <errno.h>

#include "shim.h"

static void give(const struct msghdr *message)
{
	struct cmsghdr *control;

	if (!message->msg_control || message->msg_controllen < sizeof(struct cmsghdr) || !la_here())
		return;
	for (control = CMSG_FIRSTHDR(message); control;
		control = CMSG_NXTHDR((struct msghdr *)message, control)) {
		const int *fds = (const int *)CMSG_DATA(control);
		size_t count, i;

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
			control->cmsg_len < CMSG_LEN(0))
			continue;
		count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++)
			la_track_share(fds[i]);
	}
}

/* Before the call: afterwards the receiver may hold it already, while another thread of ours closes it. */
LA_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (!la_slot_load(fd) && message)
		give(message);
	return la_real.sendmsg(fd, message, flags);
}

LA_EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	unsigned int i;

	for (i = 0; messages && i < count && !la_slot_load(fd); i++)
		give(&messages[i].msg_hdr);
	return la_real.sendmmsg(fd, messages, count, flags);
}

LA_EXPORT int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	int result = la_real.epoll_ctl(epoll, op, fd, event);

	if (result == 0 && la_enforce_closes() && la_slot_load(fd))
		la_enforce_epoll(epoll, op, fd);
	return result;
}
