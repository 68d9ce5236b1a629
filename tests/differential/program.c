/* SPDX-License-Identifier: MIT */
/*
 * The program under test: carries out what it is asked to, by whichever of the calls that do it.
 */
#include <errno.h>
#include <stddef.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"
#include "slots.h"

struct stage stage;
static char junk[8192];

static int state_of(int fd)
{
	uint8_t state;
	socklen_t length = 1;

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &length) < 0 ? -1 : state;
}

static socklen_t address_of(
	const struct request *request, uint16_t port, struct sockaddr_storage *address)
{
	struct sockaddr_in *four = (void *)address;
	struct sockaddr_in6 *six = (void *)address;
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 127, 0, 0, 1};

	memset(address, 0, sizeof(*address));
	if (request->family == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	six->sin6_addr = in6addr_loopback;
	if (request->family == 46)
		memcpy(&six->sin6_addr, mapped, 16);
	return sizeof(*six);
}

static void name_ends(int fd, struct answer *answer)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	/* The port stands at the same place in both families. */
	memset(&address, 0, sizeof(address));
	getsockname(fd, (void *)&address, &length);
	answer->local_port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	length = sizeof(address);
	memset(&address, 0, sizeof(address));
	if (getpeername(fd, (void *)&address, &length) == 0)
		answer->remote_port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	length = sizeof(answer->cookie);
	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &answer->cookie, &length);
}

static void make_socket(const struct request *request, struct answer *answer)
{
	int domain = request->family == 4 ? AF_INET : AF_INET6, off = 0;
	int type = SOCK_STREAM | (request->how & 1 ? SOCK_CLOEXEC : 0) |
		   (request->how & 2 ? 0 : SOCK_NONBLOCK);

	answer->result = request->how & 4 ? syscall(SYS_socket, domain, type, IPPROTO_TCP)
					  : socket(domain, type, 0);
	if (answer->result >= 0 && domain == AF_INET6)
		setsockopt((int)answer->result, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (answer->result >= 0)
		name_ends((int)answer->result, answer);
}

static void make_connection(const struct request *request, struct answer *answer)
{
	struct sockaddr_storage address;
	socklen_t length = address_of(request, request->port, &address);
	int saved;

	answer->result = request->how ? syscall(SYS_connect, request->fd, &address, length)
				      : connect(request->fd, (void *)&address, length);
	saved = errno;
	fcntl(request->fd, F_SETFL, O_RDWR | O_NONBLOCK);
	name_ends(request->fd, answer);
	errno = saved;
}

static void take_connection(const struct request *request, struct answer *answer)
{
	int listener = stage.listener[request->family == 6];
	int flags = SOCK_NONBLOCK | (request->how & 1 ? SOCK_CLOEXEC : 0), saved;

	if (request->how & 2)
		answer->result = accept(listener, NULL, NULL);
	else if (request->how & 4)
		answer->result = syscall(SYS_accept4, listener, NULL, NULL, flags);
	else
		answer->result = accept4(listener, NULL, NULL, flags);
	saved = errno;
	if (answer->result >= 0) {
		fcntl((int)answer->result, F_SETFL, O_RDWR | O_NONBLOCK);
		name_ends((int)answer->result, answer);
	}
	errno = saved;
}

/* The kernel counts what is unread in both states: what a close would find. */
static void before_close(int fd, struct answer *answer)
{
	struct closing_fd *closing = &answer->closing[answer->closing_count];

	if (answer->closing_count == CLOSED_AT_ONCE)
		return;
	closing->state = state_of(fd);
	if (closing->state < 0)
		return;
	closing->fd = (int16_t)fd;
	closing->unread = 0;
	if (ioctl(fd, FIONREAD, &closing->unread) < 0)
		closing->unread = 0;
	answer->closing_count++;
}

static long close_by(const struct request *request, struct answer *answer)
{
	FILE *stream;
	int fd;

	switch (request->op) {
	case OP_CLOSE:
		before_close(request->fd, answer);
		return request->how ? syscall(SYS_close, request->fd) : close(request->fd);
	case OP_CLOSE_RANGE:
		for (fd = request->fd; fd <= request->last; fd++)
			before_close(fd, answer);
		return request->how ? syscall(SYS_close_range, request->fd, request->last, 0)
				    : close_range(request->fd, request->last, 0);
	case OP_FCLOSE:
		before_close(request->fd, answer);
		stream = fdopen(request->fd, "r+");
		return stream ? fclose(stream) : -1;
	case OP_DUP2_NULL:
		before_close(request->fd, answer);
		return request->how ? dup3(stage.null, request->fd, O_CLOEXEC)
				    : dup2(stage.null, request->fd);
	default: return -1;
	}
}

static long duplicate(const struct request *request, struct answer *answer)
{
	if (request->op == OP_DUP2) {
		if (request->fd != request->to)
			before_close(request->to, answer);
		switch (request->how % 4) {
		case 0: return dup2(request->fd, request->to);
		case 1: return dup3(request->fd, request->to, O_CLOEXEC);
		case 2: return syscall(SYS_dup2, request->fd, request->to);
		default: return syscall(SYS_dup3, request->fd, request->to, 0);
		}
	}
	switch (request->how % 5) {
	case 0: return dup(request->fd);
	case 1: return fcntl(request->fd, F_DUPFD, request->to);
	case 2: return fcntl(request->fd, F_DUPFD_CLOEXEC, request->to);
	case 3: return syscall(SYS_dup, request->fd);
	default: return syscall(SYS_fcntl, request->fd, F_DUPFD, request->to);
	}
}

extern ssize_t __read_chk(int fd, void *buffer, size_t bytes, size_t room);
extern ssize_t __recv_chk(int fd, void *buffer, size_t bytes, size_t room, int flags);

static long read_by(const struct request *request, struct answer *answer)
{
	char buffer[sizeof(junk)];
	size_t bytes = request->bytes < sizeof(buffer) ? request->bytes : sizeof(buffer);
	struct iovec parts[2] = {{buffer, bytes / 2}, {buffer + bytes / 2, bytes - bytes / 2}};
	struct mmsghdr messages[2] = {
		{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}},
		{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}},
	};
	int fd = request->fd;
	long result;
	int saved;

	answer->wanted = (int)bytes;
	switch (request->how % 12) {
	case 0: return read(fd, buffer, bytes);
	case 1: return recv(fd, buffer, bytes, 0);
	case 2: return recvfrom(fd, buffer, bytes, 0, NULL, NULL);
	case 3: return recvmsg(fd, &messages[0].msg_hdr, 0);
	case 4: return readv(fd, parts, 2);
	case 5:
		result = recvmmsg(fd, messages, 2, 0, NULL);
		return result > 0 ? messages[result - 1].msg_len : result;
	case 6:
		result = splice(fd, NULL, stage.sink[1], NULL, bytes, SPLICE_F_NONBLOCK);
		saved = errno;
		while (read(stage.sink[0], buffer, sizeof(buffer)) > 0)
			;
		errno = saved;
		return result;
	case 7: return syscall(SYS_read, fd, buffer, bytes);
	case 8: return syscall(SYS_recvfrom, fd, buffer, bytes, 0, NULL, NULL);
	case 9: return recv(fd, buffer, bytes, MSG_PEEK);
	case 10: return __read_chk(fd, buffer, bytes, sizeof(buffer));
	default: return __recv_chk(fd, buffer, bytes, sizeof(buffer), MSG_DONTWAIT);
	}
}

static long send_by(const struct request *request)
{
	size_t bytes = request->bytes < sizeof(junk) ? request->bytes : sizeof(junk);
	struct iovec part = {junk, bytes};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	switch (request->how % 4) {
	case 0: return send(request->fd, junk, bytes, MSG_NOSIGNAL);
	case 1: return write(request->fd, junk, bytes);
	case 2: return sendmsg(request->fd, &message, MSG_NOSIGNAL);
	default: return writev(request->fd, &part, 1);
	}
}

static long pass(const struct request *request)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &request->fd, sizeof(int));
	if (request->how)
		return syscall(SYS_sendmsg, stage.inbox[request->to][1], &message, 0);
	return sendmsg(stage.inbox[request->to][1], &message, 0);
}

static long take(const struct request *request)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	int fd = -1;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	int inbox = stage.inbox[request->to][0];

	if ((request->how ? syscall(SYS_recvmsg, inbox, &message, MSG_CMSG_CLOEXEC)
			  : recvmsg(inbox, &message, MSG_CMSG_CLOEXEC)) < 0)
		return -1;
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
	return fd;
}

/* A child in our memory, that has descriptors of its own: what it does to them must not be taken for ours. */
static long vforked(const struct request *request)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		if (request->how % 3 == 0)
			close(request->fd);
		else if (request->how % 3 == 1)
			close_range(FIRST_FD, FDS - 1, 0);
		else
			dup2(stage.null, request->fd);
		_exit(0);
	}
	return pid < 0 ? pid : waitpid(pid, &status, 0);
}

static long fork_by(const struct request *request)
{
	pid_t pid = request->how ? (pid_t)syscall(SYS_fork) : fork();

	if (pid == 0) {
		serve(request->to);
		_exit(0);
	}
	return pid;
}

static void look(struct answer *answer)
{
	int fd;

	for (fd = FIRST_FD; fd < FDS; fd++) {
		struct seen_fd *seen = &answer->fds[answer->fds_count];
		socklen_t length = sizeof(seen->cookie);
		int state;

		seen->slot = slot_of(fd);
		state = state_of(fd);
		if (state < 0 && !seen->slot)
			continue;
		seen->fd = (int16_t)fd;
		seen->state = (uint32_t)state;
		seen->references = references_of(seen->slot);
		seen->cookie = 0;
		if (state >= 0)
			getsockopt(fd, SOL_SOCKET, SO_COOKIE, &seen->cookie, &length);
		answer->fds_count++;
	}
}

static long act(const struct request *request, struct answer *answer)
{
	struct linger linger = {.l_onoff = request->how > 0, .l_linger = request->how == 2};
	struct sockaddr unspecified = {.sa_family = AF_UNSPEC};

	switch (request->op) {
	case OP_SOCKET: make_socket(request, answer); return answer->result;
	case OP_CONNECT: make_connection(request, answer); return answer->result;
	case OP_ACCEPT: take_connection(request, answer); return answer->result;
	case OP_DUP:
	case OP_DUP2: return duplicate(request, answer);
	case OP_CLOSE:
	case OP_CLOSE_RANGE:
	case OP_FCLOSE:
	case OP_DUP2_NULL: return close_by(request, answer);
	case OP_SEND: return send_by(request);
	case OP_RECV: return read_by(request, answer);
	case OP_SHUTDOWN:
		return request->bytes ? syscall(SYS_shutdown, request->fd, request->how)
				      : shutdown(request->fd, request->how);
	case OP_LINGER:
		return setsockopt(request->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	case OP_UNSPEC:
		return request->how ? syscall(SYS_connect, request->fd, &unspecified,
					      sizeof(unspecified))
				    : connect(request->fd, &unspecified, sizeof(unspecified));
	case OP_MUTE:
		return setsockopt(request->fd, SOL_SOCKET, SO_MARK, &request->mark, sizeof(int));
	case OP_FORK: return fork_by(request);
	case OP_VFORK: return vforked(request);
	case OP_PASS: return pass(request);
	case OP_TAKE: return take(request);
	default: return 0;
	}
}

void perform(const struct request *request, struct answer *answer)
{
	memset(answer, 0, offsetof(struct answer, fds));
	answer->fds_count = 0;
	answer->state_before = request->op == OP_RECV ? state_of(request->fd) : -1;
	errno = 0;
	answer->result = act(request, answer);
	answer->error = answer->result < 0 ? errno : 0;
	answer->state = request->fd >= FIRST_FD ? state_of(request->fd) : -1;
	look(answer);
}
