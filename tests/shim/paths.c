/* SPDX-License-Identifier: MIT */
/*
 * What servers do all day, a thousand times each between two marks: messages over TCP, UDP with control data, Unix sockets, files. For strace: none
 * of it may cost a system call more than without lastack.
 */
#include <sys/epoll.h>
#include <sys/uio.h>

#include "transcript.h"

enum { TIMES = 1000 };

static void send_with(
	int fd, const struct sockaddr_in *to, int level, int type, const void *data, size_t bytes)
{
	union {
		char bytes[CMSG_SPACE(32)];
		struct cmsghdr alignment;
	} control = {{0}};
	struct iovec part = {"d", 1};
	struct msghdr message = {.msg_name = (void *)to,
		.msg_namelen = to ? sizeof(*to) : 0,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(bytes)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = level;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(header), data, bytes);
	NEEDED(sendmsg(fd, &message, 0) == 1);
}

static void receive_with(int fd)
{
	char byte, control[128];
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};

	NEEDED(recvmsg(fd, &message, 0) == 1);
	NEEDED(message.msg_controllen >= sizeof(struct cmsghdr));
}

static void over_tcp(const int ends[2])
{
	struct iovec part;
	char byte;

	part.iov_base = &byte;
	part.iov_len = 1;
	NEEDED(write(ends[0], "w", 1) == 1 && read(ends[1], &byte, 1) == 1);
	NEEDED(send(ends[0], "s", 1, 0) == 1 && recv(ends[1], &byte, 1, 0) == 1);
	NEEDED(writev(ends[0], &part, 1) == 1 && readv(ends[1], &part, 1) == 1);
	NEEDED(recv(ends[1], &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

int main(void)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(name);
	struct ucred me = {getpid(), getuid(), getgid()};
	char packet_info[12] = {0};
	int ends[2], pair[2], on = 1, udp, file;

	begin();
	connection(ends);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	NEEDED(bind(udp, (struct sockaddr *)&name, sizeof(name)) == 0);
	NEEDED(getsockname(udp, (struct sockaddr *)&name, &length) == 0);
	NEEDED(setsockopt(udp, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0);
	NEEDED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	NEEDED(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	syscall(SYS_getpriority, 0, 1); /* the mark */
	for (int i = 0; i < TIMES; i++) {
		over_tcp(ends);
		send_with(udp, &name, IPPROTO_IP, IP_PKTINFO, packet_info, sizeof(packet_info));
		receive_with(udp);
		send_with(pair[0], NULL, SOL_SOCKET, SCM_CREDENTIALS, &me, sizeof(me));
		receive_with(pair[1]);
		file = open("/dev/null", O_RDWR);
		NEEDED(file >= 0 && fcntl(file, F_GETFL) >= 0 && close(dup(file)) == 0);
		NEEDED(close(file) == 0);
	}
	syscall(SYS_getpriority, 0, 1);
	return 0;
}
