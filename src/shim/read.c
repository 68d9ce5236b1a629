/* SPDX-License-Identifier: MIT */
/*
 * Reading. A read that returns data costs the load of its slot, before the call: afterwards the number may be another connection's.
 * A read of 0 bytes tells the application that the peer has closed.
 */
#include <errno.h>

#include "shim.h"

LA_COLD void la_read_ended(int fd, uint64_t slot, ssize_t result, size_t wanted)
{
	int saved = errno;

	if (result < 0 && saved == EAGAIN)
		return; /* the usual end of a turn of an event loop */
	if (result < 0 && la_here())
		la_track_read_failed(fd, slot, saved);
	else if (result == 0 && wanted && la_here()) /* a buffer of no bytes reads 0 at any time */
		la_track_read_end(fd, slot);
	errno = saved;
}

/* The end of every hook here: nothing but a comparison when data came. */
#define TELL(fd, slot, result, wanted)                                           \
	do {                                                                     \
		if (__builtin_expect((result) <= 0, 0) && LA_SLOT_TRACKED(slot)) \
			la_read_ended((fd), (slot), (result), (wanted));         \
	} while (0)

size_t la_room_of(const struct iovec *parts, size_t count)
{
	size_t bytes = 0, i;

	for (i = 0; i < count; i++)
		bytes += parts[i].iov_len;
	return bytes;
}

LA_EXPORT ssize_t read(int fd, void *buffer, size_t bytes)
{
	uint64_t slot = la_slot_load(fd);
	ssize_t result = la_real.read(fd, buffer, bytes);

	TELL(fd, slot, result, bytes);
	return result;
}

LA_EXPORT ssize_t __read_chk(int fd, void *buffer, size_t bytes, size_t room)
{
	uint64_t slot = la_slot_load(fd);
	ssize_t result = la_real.__read_chk(fd, buffer, bytes, room);

	TELL(fd, slot, result, bytes);
	return result;
}

LA_EXPORT ssize_t readv(int fd, const struct iovec *parts, int count)
{
	uint64_t slot = la_slot_load(fd);
	ssize_t result = la_real.readv(fd, parts, count);

	TELL(fd, slot, result, result == 0 ? la_room_of(parts, (size_t)count) : 0);
	return result;
}

/* At offset -1 it is a readv; at any other a socket refuses. */
LA_EXPORT ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	uint64_t slot = la_slot_load(fd);
	ssize_t result = la_real.preadv2(fd, parts, count, offset, flags);

	TELL(fd, slot, result, result == 0 && offset == -1 ? la_room_of(parts, (size_t)count) : 0);
	return result;
}

LA_EXPORT ssize_t preadv64v2(
	int fd, const struct iovec *parts, int count, off64_t offset, int flags)
{
	uint64_t slot = la_slot_load(fd);
	ssize_t result = la_real.preadv64v2(fd, parts, count, offset, flags);

	TELL(fd, slot, result, result == 0 && offset == -1 ? la_room_of(parts, (size_t)count) : 0);
	return result;
}

LA_EXPORT ssize_t recv(int fd, void *buffer, size_t bytes, int flags)
{
	uint64_t slot = la_slot_load(fd);
	ssize_t result = la_real.recv(fd, buffer, bytes, flags);

	TELL(fd, slot, result, bytes);
	return result;
}

LA_EXPORT ssize_t __recv_chk(int fd, void *buffer, size_t bytes, size_t room, int flags)
{
	uint64_t slot = la_slot_load(fd);
	ssize_t result = la_real.__recv_chk(fd, buffer, bytes, room, flags);

	TELL(fd, slot, result, bytes);
	return result;
}

LA_EXPORT ssize_t recvfrom(
	int fd, void *buffer, size_t bytes, int flags, struct sockaddr *address, socklen_t *length)
{
	uint64_t slot = la_slot_load(fd);
	ssize_t result = la_real.recvfrom(fd, buffer, bytes, flags, address, length);

	TELL(fd, slot, result, bytes);
	return result;
}

LA_EXPORT ssize_t __recvfrom_chk(int fd, void *buffer, size_t bytes, size_t room, int flags,
	struct sockaddr *address, socklen_t *length)
{
	uint64_t slot = la_slot_load(fd);
	ssize_t result = la_real.__recvfrom_chk(fd, buffer, bytes, room, flags, address, length);

	TELL(fd, slot, result, bytes);
	return result;
}

LA_EXPORT ssize_t splice(
	int in, off64_t *in_at, int out, off64_t *out_at, size_t bytes, unsigned int flags)
{
	uint64_t slot = la_slot_load(in), into = la_slot_load(out);
	ssize_t result;

	if (LA_SLOT_IS_ENFORCED(into))
		result = la_quiet_splice(in, in_at, out, into, out_at, bytes, flags);
	else
		result = la_real.splice(in, in_at, out, out_at, bytes, flags);
	TELL(in, slot, result, bytes);
	return result;
}

/* Descriptors that came along (SCM_RIGHTS, only on AF_UNIX). */
static void take_descriptors(struct msghdr *message)
{
	int saved = errno;
	struct cmsghdr *control;

	for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		const int *fds = (const int *)CMSG_DATA(control);
		size_t count, i;

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		if (!la_here()) /* asked only now: other control data comes with each datagram */
			break;
		count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++)
			la_track_received(fds[i]);
	}
	errno = saved;
}

void la_received(struct msghdr *message)
{
	if (la_on && message->msg_controllen >= sizeof(struct cmsghdr))
		take_descriptors(message);
}

void la_receiving(int fd, uint64_t slot)
{
	if (!LA_SLOT_TRACKED(slot) && la_enforce_drains() && la_can_give(fd) && la_here())
		la_enforce_leave_room(fd);
}

LA_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	uint64_t slot = la_slot_load(fd);
	ssize_t result;

	la_receiving(fd, slot);
	result = la_real.recvmsg(fd, message, flags);

	TELL(fd, slot, result, result == 0 ? la_room_of(message->msg_iov, message->msg_iovlen) : 0);
	if (result >= 0)
		la_received(message);
	return result;
}

/* Of several messages only the last can be the end. */
void la_received_all(int fd, uint64_t slot, struct mmsghdr *messages, int result)
{
	const struct msghdr *last = result > 0 ? &messages[result - 1].msg_hdr : NULL;
	int i;

	TELL(fd, slot, result, 0);
	if (last && messages[result - 1].msg_len == 0 && LA_SLOT_TRACKED(slot))
		la_read_ended(fd, slot, 0, la_room_of(last->msg_iov, last->msg_iovlen));
	for (i = 0; i < result; i++)
		la_received(&messages[i].msg_hdr);
}

LA_EXPORT int recvmmsg(
	int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout)
{
	uint64_t slot = la_slot_load(fd);
	int result;

	la_receiving(fd, slot);
	result = la_real.recvmmsg(fd, messages, count, flags, timeout);
	la_received_all(fd, slot, messages, result);
	return result;
}

LA_EXPORT ssize_t __read(int fd, void *buffer, size_t bytes) __attribute__((alias("read")));
LA_EXPORT ssize_t __recv(int fd, void *buffer, size_t bytes, int flags)
	__attribute__((alias("recv")));
