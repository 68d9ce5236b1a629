/* SPDX-License-Identifier: MIT */
/*
 * See kernel.h.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel.h"
#include "program.h"

enum { FIRST_STATE = 1, LAST_STATE = 12 }; /* not the bound ones: no connection, never */

struct query {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

static int netlink_socket(void)
{
	static int netlink = -1;
	int made;

	if (netlink >= 0)
		return netlink;
	made = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	netlink = made < 0 ? -1 : fcntl(made, F_DUPFD_CLOEXEC, OWN_FDS);
	if (netlink < 0)
		err(2, "sock_diag");
	close(made);
	return netlink;
}

static void take(struct kernel_view *view, const struct inet_diag_msg *message)
{
	struct kernel_socket *socket = &view->sockets[view->count];

	if (view->count == KERNEL_SOCKETS)
		errx(2, "more than %d sockets", KERNEL_SOCKETS);
	view->count++;
	socket->cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0];
	socket->state = message->idiag_state;
	socket->inode = message->idiag_inode;
	socket->receive_queue = message->idiag_rqueue;
	socket->local_port = ntohs(message->id.idiag_sport);
	socket->remote_port = ntohs(message->id.idiag_dport);
	socket->family = message->idiag_family;
	memcpy(socket->address, message->id.idiag_src, 16);
	memcpy(socket->address + 4, message->id.idiag_dst, 16);
}

static void look_at(struct kernel_view *view, uint8_t family)
{
	static char buffer[64 * 1024] __attribute__((aligned(16)));
	static uint32_t sequence;
	struct query query = {
		.header = {.nlmsg_len = sizeof(query),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = ++sequence},
		.body = {.sdiag_family = family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ((1u << (LAST_STATE + 1)) - 1) &
					~((1u << FIRST_STATE) - 1) & ~(1u << 10)},
	};

	if (send(netlink_socket(), &query, sizeof(query), 0) < 0)
		err(2, "sock_diag");
	for (;;) {
		ssize_t got = recv(netlink_socket(), buffer, sizeof(buffer), 0);
		struct nlmsghdr *header = (void *)buffer;

		if (got < 0)
			err(2, "sock_diag");
		for (; NLMSG_OK(header, got); header = NLMSG_NEXT(header, got)) {
			if (header->nlmsg_seq != sequence)
				continue;
			if (header->nlmsg_type == NLMSG_DONE)
				return;
			if (header->nlmsg_type == NLMSG_ERROR)
				errx(2, "sock_diag: %s",
					strerror(-((struct nlmsgerr *)NLMSG_DATA(header))->error));
			take(view, NLMSG_DATA(header));
		}
	}
}

void kernel_look(struct kernel_view *view)
{
	view->count = 0;
	look_at(view, AF_INET);
	look_at(view, AF_INET6);
}

const struct kernel_socket *kernel_find(
	const struct kernel_view *view, uint64_t cookie, uint16_t local_port)
{
	size_t i;

	for (i = 0; i < view->count; i++)
		if (view->sockets[i].cookie == cookie && view->sockets[i].local_port == local_port)
			return &view->sockets[i];
	return NULL;
}

int kernel_destroy(const struct kernel_socket *socket)
{
	struct query query = {
		.header = {.nlmsg_len = sizeof(query),
			.nlmsg_type = SOCK_DESTROY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.body = {.sdiag_family = socket->family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ~0u,
			.id = {.idiag_sport = htons(socket->local_port),
				.idiag_dport = htons(socket->remote_port),
				.idiag_cookie = {(uint32_t)socket->cookie,
					(uint32_t)(socket->cookie >> 32)}}},
	};
	char buffer[512] __attribute__((aligned(16)));
	const struct nlmsghdr *header = (void *)buffer;

	memcpy(query.body.id.idiag_src, socket->address, 16);
	memcpy(query.body.id.idiag_dst, socket->address + 4, 16);
	if (send(netlink_socket(), &query, sizeof(query), 0) < 0 ||
		recv(netlink_socket(), buffer, sizeof(buffer), 0) < (ssize_t)sizeof(*header))
		return -errno;
	return header->nlmsg_type == NLMSG_ERROR
		       ? ((const struct nlmsgerr *)NLMSG_DATA(header))->error
		       : 0;
}
