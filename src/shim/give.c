/* SPDX-License-Identifier: MIT */
/*
 * Giving descriptors away by SCM_RIGHTS: the description has another holder from then on, so it is never shut down by us.
 */
#include <errno.h>
#include <limits.h>

#include <lastack/sys.h>

#include "shim.h"

enum { PAGE = 4096, MESSAGES = 1024 /* of one call, for the kernel */ };

/* To each descriptor of a message that the kernel can read. How many there are. */
static size_t each(const struct msghdr *message, void (*tell)(int fd))
{
	struct cmsghdr *control;
	size_t told = 0;

	for (control = CMSG_FIRSTHDR(message); control;
		control = CMSG_NXTHDR((struct msghdr *)message, control)) {
		const int *fds = (const int *)CMSG_DATA(control);
		size_t before = (size_t)((char *)control - (char *)message->msg_control), count, i;

		/* Then the kernel refuses the message; behind that nothing need be readable. */
		if (control->cmsg_len < sizeof(*control) ||
			control->cmsg_len > message->msg_controllen - before)
			break;
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
			control->cmsg_len < CMSG_LEN(0))
			continue;
		if (!la_here()) /* asked only now: other control data comes with each datagram */
			return 0;
		count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++)
			tell(fds[i]);
		told += count;
	}
	return told;
}

static bool has_control(const struct msghdr *message)
{
	return message->msg_control && message->msg_controllen >= sizeof(struct cmsghdr) &&
	       message->msg_controllen <= INT_MAX; /* more is refused by the kernel */
}

static void gave(int fd)
{
	if (!la_slot_load(fd))
		la_enforce_gave_unknown();
	la_track_share(fd);
}

void la_gave(const struct msghdr *message)
{
	/* Asked of the message, not of the number: a connection may have had that before, and left it unseen. */
	if (la_on && has_control(message))
		each(message, gave);
}

static void begin(int fd)
{
	uint64_t slot = la_slot_load(fd);

	if (LA_SLOT_TRACKED(slot))
		la_track_giving(slot, 1);
}

static void end(int fd)
{
	uint64_t slot = la_slot_load(fd);

	if (LA_SLOT_TRACKED(slot))
		la_track_giving(slot, -1);
}

static bool is_readable(const void *from, size_t bytes)
{
	const char *at = from, *end;

	if (!at)
		return false;
	end = at + bytes;
	/* Once a page. */
	for (; at < end; at = (const char *)(((uintptr_t)at | (PAGE - 1)) + 1))
		if (!la_sys_can_read(at))
			return false;
	return true;
}

/* Only a socket of AF_UNIX can give. Asked once a socket, for the whole lot of messages that a server over UDP sends. */
bool la_can_give(int fd)
{
	_Atomic int *known = la_slot_domain(fd);
	int domain = known ? atomic_load_explicit(known, memory_order_relaxed) : 0;
	socklen_t length = sizeof(domain);

	if (domain == 0) {
		if (la_sys(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0)
			return false;
		if (known)
			atomic_store_explicit(known, domain, memory_order_relaxed);
	}
	return domain == AF_UNIX;
}

static const struct msghdr *header(const struct msghdr *first, size_t stride, unsigned int i)
{
	return (const void *)((const char *)first + i * stride);
}

/*
 * From the call on the receiver may hold what another thread of ours closes, so what a message gives is not closed gracefully
 * meanwhile. What the kernel could not read, it will not send, and we do not read it either. Returns how many messages to look at afterwards.
 */
unsigned int la_begin_giving(int fd, const struct msghdr *first, size_t stride, unsigned int count)
{
	uintptr_t readable = 0; /* up to here */
	size_t told = 0;
	unsigned int i;

	if (!la_on || LA_SLOT_TRACKED(la_slot_load(fd)) || !la_enforce_closes() ||
		!atomic_load_explicit(&la_track_region, memory_order_acquire) || !la_can_give(fd))
		return 0;
	for (i = 0; i < count && i < MESSAGES; i++) {
		const struct msghdr *message = header(first, stride, i);
		uintptr_t behind = (uintptr_t)(message + 1);

		if (behind > readable) {
			if (!is_readable(message, sizeof(*message)))
				break;
			readable = ((behind - 1) | (PAGE - 1)) + 1;
		}
		if (!has_control(message))
			continue;
		if (!is_readable(message->msg_control, message->msg_controllen))
			break;
		told += each(message, begin);
	}
	return told ? i : 0;
}

void la_end_giving(const struct msghdr *first, size_t stride, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (has_control(header(first, stride, i)))
			each(header(first, stride, i), end);
}

LA_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	uint64_t slot = la_slot_load(fd);
	int quiet = LA_SLOT_IS_ENFORCED(slot) ? la_quiet_flag(fd, slot) : 0;
	unsigned int given = la_begin_giving(fd, message, 0, 1);
	ssize_t result = la_real.sendmsg(fd, message, flags | quiet);

	if (result >= 0)
		la_gave(message);
	la_end_giving(message, 0, given);
	if (quiet)
		la_quiet_result(slot, result, flags);
	return result;
}

LA_EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	uint64_t slot = la_slot_load(fd);
	int quiet = LA_SLOT_IS_ENFORCED(slot) ? la_quiet_flag(fd, slot) : 0;
	unsigned int given = la_begin_giving(fd, &messages->msg_hdr, sizeof(*messages), count);
	int result = la_real.sendmmsg(fd, messages, count, flags | quiet), i;

	for (i = 0; i < result; i++)
		la_gave(&messages[i].msg_hdr);
	la_end_giving(&messages->msg_hdr, sizeof(*messages), given);
	if (quiet)
		la_quiet_result(slot, result, flags);
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
