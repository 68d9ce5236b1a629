/* SPDX-License-Identifier: MIT */
/*
 * Position, age and verdict of one connection. facts/linux-close.md section 4 says what the kernel's queues mean.
 */
#include <netinet/tcp.h>

#include "judge.h"

enum { TCP_NEW_SYN_RECEIVED = 12 }; /* the kernel's own, in no header for programs */

#define TIME_WAIT_US (60ull * 1000 * 1000) /* Linux: always 60 s */

static bool was_abortive(const struct la_read_connection *connection)
{
	return connection->phase == LA_PHASE_CLOSED &&
	       (connection->flags & (LA_CONNECTION_UNREAD_AT_CLOSE | LA_CONNECTION_LINGER_RESET));
}

bool la_judge_is_shown(
	const struct la_read_connection *connection, const struct la_diag_socket *socket)
{
	return socket || connection->phase != LA_PHASE_CLOSED || was_abortive(connection);
}

static uint64_t earliest(const struct la_read_connection *connection, enum la_seen first,
	enum la_seen second, enum la_seen third)
{
	const uint64_t candidates[] = {connection->seen_us[first], connection->seen_us[second],
		connection->seen_us[third]};
	uint64_t found = 0;
	int i;

	for (i = 0; i < 3; i++)
		if (candidates[i] && (!found || candidates[i] < found))
			found = candidates[i];
	return found;
}

/* Closed here; or its drain has just ended, and only the last word of that is not written yet. */
static bool is_over(const struct la_read_connection *connection)
{
	return connection->phase == LA_PHASE_CLOSED ||
	       (connection->phase == LA_PHASE_DRAINING && !connection->holders);
}

/* On the way to ESTABLISHED, and not in the termination table. */
static bool in_handshake(uint32_t kernel_state)
{
	return kernel_state == TCP_SYN_SENT || kernel_state == TCP_SYN_RECV ||
	       kernel_state == TCP_NEW_SYN_RECEIVED;
}

static enum la_state position(const struct la_item *item)
{
	if (item->socket) {
		enum la_state state = la_state_from_kernel(item->socket->state);

		if (state == LA_STATE_COUNT && !in_handshake(item->socket->state))
			return LA_STATE_CLOSED; /* bound, and no more */
		return state;
	}
	if (is_over(item->connection) || (item->alive && item->asked))
		return LA_STATE_CLOSED;
	return la_facts_position(item->connection->facts);
}

static uint64_t ms_to_us(uint32_t ms)
{
	return (uint64_t)ms * 1000;
}

/* When the state began, by what the region saw; 0: not seen. */
static uint64_t began(const struct la_item *item)
{
	const struct la_read_connection *connection = item->connection;

	if (!connection)
		return 0;
	switch (item->state) {
	case LA_STATE_COUNT:
	case LA_STATE_ESTABLISHED: return connection->opened_us;
	case LA_STATE_CLOSE_WAIT:
		return earliest(connection, LA_SEEN_EOF, LA_SEEN_PEER_FIN, LA_SEEN_PEER_FIN);
	case LA_STATE_TIME_WAIT: return 0;
	case LA_STATE_CLOSED: /* a FIN of ours was sent before the end, and says nothing about when it came */
		return connection->phase == LA_PHASE_CLOSED
			       ? earliest(connection, LA_SEEN_RESET, LA_SEEN_CLOSE, LA_SEEN_CLOSE)
			       : connection->seen_us[LA_SEEN_RESET];
	default: return earliest(connection, LA_SEEN_SHUTDOWN, LA_SEEN_CLOSE, LA_SEEN_ENFORCED);
	}
}

static void find_age(struct la_item *item, uint64_t now_us)
{
	const struct la_diag_socket *socket = item->socket;
	uint64_t since = began(item), quiet_us = 0;

	item->age_us = since && since <= now_us ? now_us - since : 0;
	/* The FIN was there when it was first seen, it may have come earlier; so the end of what the kernel knows no more. */
	item->age_at_least = !item->age_us || item->state == LA_STATE_CLOSE_WAIT ||
			     item->state == LA_STATE_CLOSED || !item->alive;
	if (!socket)
		return;
	if (item->state == LA_STATE_TIME_WAIT && socket->timer == 3 &&
		ms_to_us(socket->expires_ms) <= TIME_WAIT_US) {
		item->age_us = TIME_WAIT_US - ms_to_us(socket->expires_ms);
		item->age_at_least = false;
		return;
	}
	/* The FIN carried an ACK, and so did what led into every other state; each later segment sets this back. */
	if (socket->has_info)
		quiet_us = ms_to_us(socket->last_ack_received_ms);
	if (item->age_at_least && quiet_us > item->age_us)
		item->age_us = quiet_us;
}

static void find_idle(struct la_item *item)
{
	const struct la_diag_socket *socket = item->socket;

	item->idle_us = item->age_us;
	if (!socket || !socket->has_info)
		return;
	if (ms_to_us(socket->last_data_sent_ms) < item->idle_us)
		item->idle_us = ms_to_us(socket->last_data_sent_ms);
	if (ms_to_us(socket->last_data_received_ms) < item->idle_us)
		item->idle_us = ms_to_us(socket->last_data_received_ms);
}

static bool has_peers_fin(const struct la_item *item)
{
	switch (item->state) {
	case LA_STATE_CLOSE_WAIT:
	case LA_STATE_LAST_ACK:
	case LA_STATE_CLOSING:
	case LA_STATE_TIME_WAIT: return true;
	case LA_STATE_CLOSED:
		return item->connection && (item->connection->facts & LA_FACT_FIN_RECEIVED);
	default: return false;
	}
}

static void find_eof(struct la_item *item)
{
	const struct la_read_connection *connection = item->connection;
	bool told = connection && connection->seen_us[LA_SEEN_EOF];

	item->eof = LA_EOF_NONE;
	item->unread_bytes = item->socket ? item->socket->receive_queue : 0;
	if (!has_peers_fin(item))
		return;
	/* Recv-Q counts the FIN until it is read: 0 says that it was, also by a call that no hook sees. */
	if (item->socket && (item->socket->inode || !connection)) {
		item->eof = item->socket->receive_queue == 0 ? LA_EOF_READ : LA_EOF_UNREAD;
		item->unread_bytes =
			item->socket->receive_queue ? item->socket->receive_queue - 1 : 0;
	} else if (told) {
		item->eof = LA_EOF_READ;
	} else if (connection && connection->phase == LA_PHASE_OPEN) {
		item->eof = LA_EOF_UNREAD; /* else nobody is there to be told */
	}
}

static enum la_verdict verdict(const struct la_item *item)
{
	const struct la_read_connection *connection = item->connection;

	if (!connection && !item->held)
		return LA_VERDICT_NEVER_ACCEPTED;
	if (connection && connection->phase == LA_PHASE_CLOSED) {
		if (item->socket && item->socket->inode)
			return LA_VERDICT_HELD_ELSEWHERE;
		return was_abortive(connection) ? LA_VERDICT_ABORTIVE_CLOSE : LA_VERDICT_NONE;
	}
	if ((connection && connection->phase == LA_PHASE_DRAINING) || !item->held)
		return LA_VERDICT_NONE;
	switch (item->state) {
	case LA_STATE_CLOSE_WAIT:
		return item->eof == LA_EOF_READ ? LA_VERDICT_EOF_READ_NOT_CLOSED
						: LA_VERDICT_EOF_UNREAD;
	case LA_STATE_FIN_WAIT_2:
		/* What nobody holds any more is an orphan, which the kernel ends by itself (tcp_fin_timeout). */
		return item->alive ? LA_VERDICT_PEER_NOT_CLOSING : LA_VERDICT_NONE;
	case LA_STATE_CLOSED:
	case LA_STATE_TIME_WAIT:
		return item->alive && connection && !(connection->flags & LA_CONNECTION_CONNECTING)
			       ? LA_VERDICT_DEAD_FD
			       : LA_VERDICT_NONE;
	default: return LA_VERDICT_NONE;
	}
}

void la_judge(struct la_item *item, uint64_t now_us)
{
	item->state = position(item);
	/* Also over: open as far as the region knows, but closed by a call that no hook saw. */
	item->gone = !item->socket && (is_over(item->connection) ||
					      (item->alive && item->asked && !item->held &&
						      item->connection->phase == LA_PHASE_OPEN));
	find_age(item, now_us);
	find_idle(item);
	find_eof(item);
	item->verdict = verdict(item);
}

bool la_judge_disagrees(const struct la_item *item)
{
	uint32_t facts = item->connection ? item->connection->facts : 0;

	if (la_facts_disagree(facts))
		return true;
	switch (item->state) {
	case LA_STATE_ESTABLISHED: return facts & (LA_FACT_FIN_RECEIVED | LA_FACT_FIN_SENT);
	case LA_STATE_CLOSE_WAIT: return facts & LA_FACT_FIN_SENT;
	case LA_STATE_FIN_WAIT_1:
	case LA_STATE_FIN_WAIT_2: return facts & LA_FACT_FIN_RECEIVED;
	default: return false;
	}
}

enum la_side la_judge_side(const struct la_item *item)
{
	uint32_t facts = item->connection ? item->connection->facts : 0;

	switch (item->state) {
	case LA_STATE_FIN_WAIT_1:
	case LA_STATE_FIN_WAIT_2:
	case LA_STATE_CLOSING:
	case LA_STATE_TIME_WAIT: return LA_SIDE_CLIENT;
	case LA_STATE_CLOSE_WAIT:
	case LA_STATE_LAST_ACK: return LA_SIDE_SERVER;
	case LA_STATE_CLOSED: return facts & LA_FACT_OURS_FIRST ? LA_SIDE_CLIENT : LA_SIDE_SERVER;
	default: return item->role == LA_ROLE_CLIENT ? LA_SIDE_CLIENT : LA_SIDE_SERVER;
	}
}

const char *la_judge_state_name(const struct la_item *item)
{
	if (item->state < LA_STATE_COUNT || !item->socket)
		return la_state_name(item->state);
	return item->socket->state == TCP_SYN_SENT ? "SYN-SENT" : "SYN-RECEIVED";
}
