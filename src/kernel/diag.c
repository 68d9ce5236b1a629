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

enum { BUFFER = 64 * 1024, TRIES = 4 };

/* The sockets of one family. Collected first, so that a dump which is repeated hands out nothing twice. */
struct dump {
	struct la_diag_socket *list;
	size_t count, room;
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

static struct la_diag_socket *add(struct dump *dump)
{
	if (dump->count == dump->room) {
		size_t room = dump->room ? dump->room * 2 : 256;
		struct la_diag_socket *list = realloc(dump->list, room * sizeof(*list));

		if (!list)
			return NULL;
		dump->list = list;
		dump->room = room;
	}
	memset(&dump->list[dump->count], 0, sizeof(*dump->list));
	return &dump->list[dump->count++];
}

static int take_message(const struct nlmsghdr *header, void *context)
{
	const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
	struct la_diag_socket *socket;

	if (mnl_nlmsg_get_payload_len(header) < sizeof(*message))
		return MNL_CB_OK;
	socket = add(context);
	if (!socket) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	socket->cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0];
	socket->state = message->idiag_state;
	socket->inode = message->idiag_inode;
	socket->receive_queue = message->idiag_rqueue;
	socket->send_queue = message->idiag_wqueue;
	socket->timer = message->idiag_timer;
	socket->expires_ms = message->idiag_expires;
	socket->names.family = message->idiag_family == AF_INET6 ? 6 : 4;
	socket->names.local_port = ntohs(message->id.idiag_sport);
	socket->names.remote_port = ntohs(message->id.idiag_dport);
	put_address(socket->names.local, message->id.idiag_src, message->idiag_family);
	put_address(socket->names.remote, message->id.idiag_dst, message->idiag_family);
	mnl_attr_parse(header, sizeof(*message), take_attribute, socket);
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

/*
 * What libmnl does not say. Did the table change while it was walked? The flag is taken out of the messages: libmnl stops at the
 * first that has it, and when that is the end of the dump, waiting for the end is for ever. And the errno in the end of the dump,
 * which is how a kernel without tcp_diag answers.
 */
static bool look_ahead(char *buffer, size_t bytes, int *failed)
{
	struct nlmsghdr *header = (void *)buffer;
	int left = (int)bytes, code;
	bool interrupted = false;

	for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
		interrupted |= (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		header->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
		if (header->nlmsg_type == NLMSG_DONE &&
			mnl_nlmsg_get_payload_len(header) >= sizeof(code)) {
			memcpy(&code, mnl_nlmsg_get_payload(header), sizeof(code));
			if (code < 0)
				*failed = code;
		}
	}
	return interrupted;
}

/* Always to its end, so that the next dump on this netlink socket finds only its own. 1: it was interrupted; 0; -errno. */
static int dump_once(struct mnl_socket *netlink, char *buffer, uint8_t family, uint32_t states,
	unsigned int sequence, struct dump *dump)
{
	unsigned int port = mnl_socket_get_portid(netlink);
	int interrupted = 0, failed = 0, result = ask(netlink, buffer, family, states, sequence);

	if (result < 0)
		return result;
	do {
		ssize_t bytes = mnl_socket_recvfrom(netlink, buffer, BUFFER);

		if (bytes < 0 && errno == EINTR) {
			result = MNL_CB_OK;
			continue;
		}
		if (bytes < 0)
			return -errno;
		interrupted |= look_ahead(buffer, (size_t)bytes, &failed);
		result = mnl_cb_run(buffer, (size_t)bytes, sequence, port, take_message, dump);
		if (result == MNL_CB_ERROR)
			return -errno;
	} while (result != MNL_CB_STOP);
	return failed ? failed : interrupted;
}

static int dump_family(struct mnl_socket *netlink, char *buffer, uint8_t family, uint32_t states,
	struct dump *dump)
{
	int result = 1, i;

	/* What the last try brought is true; it may lack what began or ended meanwhile. */
	for (i = 0; i < TRIES && result == 1; i++) {
		dump->count = 0;
		result = dump_once(netlink, buffer, family, states,
			(unsigned int)family << 8 | (unsigned int)i, dump);
	}
	return result < 0 ? result : 0;
}

int la_diag_each(uint32_t states, bool (*each)(const struct la_diag_socket *socket, void *context),
	void *context)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	struct dump dump = {0};
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int result = netlink ? 0 : -errno;
	char *buffer = malloc(BUFFER);
	bool stopped = false;
	size_t f, i;

	if (result == 0 && !buffer)
		result = -ENOMEM;
	if (result == 0 && mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		result = -errno;
	for (f = 0; f < 2 && result == 0 && !stopped; f++) {
		result = dump_family(netlink, buffer, families[f], states, &dump);
		/* A host without IPv6 is as good; one without sock_diag says so at the first family. */
		if (result == -ENOENT && families[f] == AF_INET6)
			result = 0;
		for (i = 0; i < dump.count && result == 0 && !stopped; i++)
			stopped = !each(&dump.list[i], context);
	}
	free(dump.list);
	free(buffer);
	if (netlink)
		mnl_socket_close(netlink);
	return result;
}
