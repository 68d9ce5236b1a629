/* SPDX-License-Identifier: MIT */
/*
 * Opening: socket, connect, accept, listen; and the option SO_LINGER, which decides how the close will go.
 */
#include <errno.h>
#include <netinet/in.h>

#include "shim.h"

LA_COLD void la_opened_socket(int fd, int domain, int type, int protocol)
{
	int saved = errno;
	bool tcp = (domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_STREAM &&
		   (protocol == 0 || protocol == IPPROTO_TCP);

	la_forget_domain(fd);
	/* Anything else only clears what an unseen close left in the slot. */
	if (la_on && (tcp || la_slot_load(fd)) && la_here())
		la_track_socket(fd, tcp ? LA_SLOT_TCP : 0);
	errno = saved;
}

LA_EXPORT int socket(int domain, int type, int protocol)
{
	int fd = la_real.socket(domain, type, protocol);

	while (fd < 0 && la_make_room_for_socket())
		fd = la_real.socket(domain, type, protocol);
	if (fd >= 0)
		la_opened_socket(fd, domain, type, protocol);
	return fd;
}

LA_COLD void la_opened_accept(int listener, int fd)
{
	int saved = errno;

	la_forget_domain(fd);
	if (la_on && la_here()) {
		la_track_accepted(listener, fd);
		la_enforce_connection();
	}
	errno = saved;
}

LA_EXPORT int accept(int fd, struct sockaddr *address, socklen_t *length)
{
	int accepted = la_real.accept(fd, address, length);

	while (accepted < 0 && la_make_room_for_socket())
		accepted = la_real.accept(fd, address, length);
	if (accepted >= 0)
		la_opened_accept(fd, accepted);
	return accepted;
}

LA_EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	int accepted = la_real.accept4(fd, address, length, flags);

	while (accepted < 0 && la_make_room_for_socket())
		accepted = la_real.accept4(fd, address, length, flags);
	if (accepted >= 0)
		la_opened_accept(fd, accepted);
	return accepted;
}

LA_COLD void la_opened_connect(int fd, const struct sockaddr *address, socklen_t length, int result)
{
	int saved = errno;
	bool under_way =
		result < 0 && (saved == EINPROGRESS || saved == EINTR || saved == EALREADY);

	if (la_on && la_here()) {
		if (result == 0 && length >= sizeof(address->sa_family) &&
			address->sa_family == AF_UNSPEC) {
			la_track_disconnected(fd);
		} else if (result == 0 || under_way || saved == EISCONN) {
			la_track_connected(fd, under_way);
			la_enforce_connection();
		} else if (LA_SLOT_TRACKED(la_slot_load(fd)) && la_track_is_dead(fd)) {
			la_track_disconnected(fd); /* not for a bad address, say */
		}
	}
	errno = saved;
}

LA_EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	int result = la_real.connect(fd, address, length);

	la_opened_connect(fd, address, length, result);
	return result;
}

LA_COLD void la_opened_listen(int fd)
{
	int saved = errno;

	if (la_on && la_here())
		la_track_listening(fd);
	errno = saved;
}

LA_EXPORT int listen(int fd, int backlog)
{
	int result = la_real.listen(fd, backlog);

	if (result == 0)
		la_opened_listen(fd);
	return result;
}

void la_option_set(int fd, int level, int name, const void *value, socklen_t length)
{
	const struct linger *linger = value;

	if (level == SOL_SOCKET && name == SO_LINGER && length >= sizeof(*linger) &&
		la_slot_load(fd) && la_here())
		la_track_linger(fd, linger->l_onoff, linger->l_linger);
}

LA_EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	int result = la_real.setsockopt(fd, level, name, value, length);

	if (result == 0)
		la_option_set(fd, level, name, value, length);
	return result;
}

LA_EXPORT int __connect(int fd, const struct sockaddr *address, socklen_t length)
	__attribute__((alias("connect")));
