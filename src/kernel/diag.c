/* SPDX-License-Identifier: MIT */
/*
 * sock_diag: every TCP socket of a network namespace, orphans and TIME-WAIT included, by libmnl. The command only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <lastack/kernel.h>

enum { BUFFER = 64 * 1024 };

struct dump {
	bool (*each)(const struct la_diag_socket *socket, void *context);
	void *context;
	bool stopped;
};

static void put_address(uint8_t to[16], const __be32 from[4], uint8_t family)
{
	if (family == AF_INET6) {
		memcpy(to, from, 16);
		return;
	}
	memset(to, 0, 16);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, from, 4);
}

static int take_attribute(const struct nlattr *attribute, void *context)
{
	struct la_diag_socket *socket = context;
	struct tcp_info info;
	size_t bytes = mnl_attr_get_payload_len(attribute);

	if (mnl_attr_get_type(attribute) != INET_DIAG_INFO)
		return MNL_CB_OK;
	/* An older kernel's tcp_info is shorter: what it lacks reads 0. */
	memset(&info, 0, sizeof(info));
	memcpy(&info, mnl_attr_get_payload(attribute), bytes < sizeof(info) ? bytes : sizeof(info));
	socket->has_info = bytes >= offsetof(struct tcp_info, tcpi_pmtu);
	socket->last_data_sent_ms = info.tcpi_last_data_sent;
	socket->last_data_received_ms = info.tcpi_last_data_recv;
	socket->last_ack_received_ms = info.tcpi_last_ack_recv;
	return MNL_CB_OK;
}

static int take_message(const struct nlmsghdr *header, void *context)
{
	struct dump *dump = context;
	const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
	struct la_diag_socket socket = {.state = message->idiag_state,
		.inode = message->idiag_inode,
		.receive_queue = message->idiag_rqueue,
		.send_queue = message->idiag_wqueue,
		.timer = message->idiag_timer,
		.expires_ms = message->idiag_expires};

	if (mnl_nlmsg_get_payload_len(header) < sizeof(*message))
		return MNL_CB_OK;
	socket.cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0];
	socket.names.family = message->idiag_family == AF_INET6 ? 6 : 4;
	socket.names.local_port = ntohs(message->id.idiag_sport);
	socket.names.remote_port = ntohs(message->id.idiag_dport);
	put_address(socket.names.local, message->id.idiag_src, message->idiag_family);
	put_address(socket.names.remote, message->id.idiag_dst, message->idiag_family);
	mnl_attr_parse(header, sizeof(*message), take_attribute, &socket);
	if (!dump->each(&socket, dump->context)) {
		dump->stopped = true;
		return MNL_CB_STOP;
	}
	return MNL_CB_OK;
}

static int ask(struct mnl_socket *netlink, char *buffer, uint8_t family, uint32_t states,
	unsigned int sequence)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(header, sizeof(*request));

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = sequence;
	request->sdiag_family = family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_ext = 1u << (INET_DIAG_INFO - 1);
	request->idiag_states = states;
	return mnl_socket_sendto(netlink, header, header->nlmsg_len) < 0 ? -errno : 0;
}

static int dump_family(struct mnl_socket *netlink, char *buffer, uint8_t family, uint32_t states,
	struct dump *dump)
{
	unsigned int sequence = family, port = mnl_socket_get_portid(netlink);
	int result = ask(netlink, buffer, family, states, sequence);

	while (result == 0 && !dump->stopped) {
		ssize_t bytes = mnl_socket_recvfrom(netlink, buffer, BUFFER);

		if (bytes < 0)
			return -errno;
		result = mnl_cb_run(buffer, (size_t)bytes, sequence, port, take_message, dump);
		if (result == MNL_CB_STOP)
			return 0; /* the end of the dump */
		/* EINTR: the table changed while it was walked. What came is true, it may lack what just began or ended. */
		if (result < 0 && errno != EINTR)
			return -errno;
		result = 0;
	}
	return result;
}

int la_diag_each(uint32_t states, bool (*each)(const struct la_diag_socket *socket, void *context),
	void *context)
{
	struct dump dump = {.each = each, .context = context};
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	char *buffer = malloc(BUFFER);
	int result = -ENOMEM;

	if (!netlink)
		result = -errno;
	else if (buffer && mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		result = -errno;
	else if (buffer) {
		result = dump_family(netlink, buffer, AF_INET, states, &dump);
		if (result == 0 && !dump.stopped)
			result = dump_family(netlink, buffer, AF_INET6, states, &dump);
		/* A host without IPv6 is as good. */
		if (result == -ENOENT)
			result = 0;
	}
	free(buffer);
	if (netlink)
		mnl_socket_close(netlink);
	return result;
}
