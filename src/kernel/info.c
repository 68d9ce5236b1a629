/* SPDX-License-Identifier: MIT */
/*
 * Questions to the kernel about one descriptor. They change nothing and touch no errno; see kernel.h.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <lastack/kernel.h>
#include <lastack/sys.h>

static int (*volatile libc_clock)(int clock, struct timespec *now);

void la_kernel_use_clock(int (*clock_gettime_of_libc)(int clock, struct timespec *now))
{
	libc_clock = clock_gettime_of_libc;
}

uint64_t la_now_ns(void)
{
	int (*clock)(int, struct timespec *) = libc_clock;
	struct timespec now = {0, 0};

	if (clock)
		clock(CLOCK_MONOTONIC, &now);
	else
		la_sys(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int option_int(int fd, int level, int name, int *value)
{
	socklen_t length = sizeof(*value);

	return (int)la_sys(SYS_getsockopt, fd, level, name, value, &length);
}

int la_kernel_is_tcp(int fd)
{
	int value = 0, result;

	result = option_int(fd, SOL_SOCKET, SO_PROTOCOL, &value);
	if (result < 0 || value != IPPROTO_TCP)
		return result;
	result = option_int(fd, SOL_SOCKET, SO_DOMAIN, &value);
	if (result < 0 || (value != AF_INET && value != AF_INET6))
		return result;
	result = option_int(fd, SOL_SOCKET, SO_TYPE, &value);
	if (result < 0)
		return result;
	return value == SOCK_STREAM;
}

int la_kernel_cookie(int fd, uint64_t *cookie)
{
	socklen_t length = sizeof(*cookie);

	return (int)la_sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, cookie, &length);
}

int la_kernel_state(int fd)
{
	uint8_t state = 0;
	socklen_t length = sizeof(state);
	int result = (int)la_sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &state, &length);

	return result < 0 ? result : state;
}

int la_kernel_tcp(int fd, struct la_tcp *tcp)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);
	int result;

	memset(&info, 0, sizeof(info));
	result = (int)la_sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	if (result < 0)
		return result;
	tcp->state = info.tcpi_state;
	tcp->unacked = info.tcpi_unacked;
	tcp->notsent_bytes = info.tcpi_notsent_bytes;
	tcp->data_segments_received = info.tcpi_data_segs_in;
	tcp->last_data_sent_ms = info.tcpi_last_data_sent;
	tcp->last_data_received_ms = info.tcpi_last_data_recv;
	tcp->last_ack_received_ms = info.tcpi_last_ack_recv;
	tcp->progress.bytes_acked = info.tcpi_bytes_acked;
	tcp->progress.bytes_received = info.tcpi_bytes_received;
	result = la_kernel_unread(fd);
	tcp->progress.unread = result < 0 ? 0 : (uint32_t)result;
	return 0;
}

bool la_kernel_shares_address(int fd)
{
	int value = 1;

	return option_int(fd, SOL_SOCKET, SO_REUSEADDR, &value) < 0 || value;
}

int la_kernel_unread(int fd)
{
	int bytes = 0;
	int result = (int)la_sys(SYS_ioctl, fd, FIONREAD, &bytes);

	return result < 0 ? result : bytes;
}

int la_kernel_unacked(int fd)
{
	int bytes = 0;
	int result = (int)la_sys(SYS_ioctl, fd, SIOCOUTQ, &bytes);

	return result < 0 ? result : bytes;
}

bool la_kernel_address(const void *sockaddr, unsigned int length, uint8_t address[16],
	uint16_t *port, uint8_t *family)
{
	const struct sockaddr_in *v4 = sockaddr;
	const struct sockaddr_in6 *v6 = sockaddr;

	memset(address, 0, 16);
	if (length >= sizeof(*v4) && v4->sin_family == AF_INET) {
		address[10] = address[11] = 0xff;
		memcpy(address + 12, &v4->sin_addr, 4);
		*port = ntohs(v4->sin_port);
		*family = 4;
		return true;
	}
	if (length >= sizeof(*v6) && v6->sin6_family == AF_INET6) {
		memcpy(address, &v6->sin6_addr, 16);
		*port = ntohs(v6->sin6_port);
		*family = 6;
		return true;
	}
	*port = 0;
	*family = 0;
	return false;
}

int la_kernel_names(int fd, struct la_names *names)
{
	struct sockaddr_storage storage;
	socklen_t length = sizeof(storage);
	uint8_t family;
	int result;

	memset(names, 0, sizeof(*names));
	result = (int)la_sys(SYS_getsockname, fd, &storage, &length);
	if (result < 0)
		return result;
	if (!la_kernel_address(&storage, length, names->local, &names->local_port, &names->family))
		return -EAFNOSUPPORT;
	length = sizeof(storage);
	if (la_sys(SYS_getpeername, fd, &storage, &length) == 0)
		la_kernel_address(&storage, length, names->remote, &names->remote_port, &family);
	return 0;
}

bool la_kernel_is_writable(int fd)
{
	struct pollfd one = {.fd = fd, .events = POLLOUT};
	struct timespec now = {0, 0};

	return la_sys(SYS_ppoll, &one, 1, &now, NULL, 0) == 1 && (one.revents & POLLOUT);
}
