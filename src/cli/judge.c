/* SPDX-License-Identifier: MIT */
/*
 * Position, age and verdict of one connection. facts/linux-close.md section 4 says what the kernel's queues mean.
 */
#include "judge.h"

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

static enum la_state position(const struct la_item *item)
{
	if (item->socket) {
		enum la_state state = la_state_from_kernel(item->socket->state);

		/* SYN-SENT, SYN-RECEIVED: on the way to ESTABLISHED, and not in the termination table. */
		return state == LA_STATE_COUNT ? LA_STATE_ESTABLISHED : state;
	}
	if (item->alive || item->connection->phase == LA_PHASE_CLOSED)
		return LA_STATE_CLOSED;
	return la_facts_position(item->connection->facts);
}

static void find_age(struct la_item *item, uint64_t now_us)
{
	const struct la_read_connection *connection = item->connection;
	uint64_t since = 0;

	item->age_at_least = false;
	switch (item->state) {
	case LA_STATE_ESTABLISHED: since = connection ? connection->opened_us : 0; break;
	case LA_STATE_CLOSE_WAIT:
		/* The FIN was there when we first saw it; it may have come earlier. */
		since = connection ? earliest(connection, LA_SEEN_EOF, LA_SEEN_PEER_FIN,
					     LA_SEEN_PEER_FIN)
				   : 0;
		item->age_at_least = true;
		break;
	case LA_STATE_CLOSED:
		since = connection ? earliest(connection, LA_SEEN_RESET, LA_SEEN_CLOSE,
					     LA_SEEN_ENFORCED)
				   : 0;
		item->age_at_least = true;
		break;
	case LA_STATE_TIME_WAIT:
		if (item->socket && item->socket->timer == 3 &&
			(uint64_t)item->socket->expires_ms * 1000 <= TIME_WAIT_US) {
			item->age_us = TIME_WAIT_US - (uint64_t)item->socket->expires_ms * 1000;
			return;
		}
		item->age_at_least = true;
		break;
	default:
		since = connection ? earliest(connection, LA_SEEN_SHUTDOWN, LA_SEEN_CLOSE,
					     LA_SEEN_ENFORCED)
				   : 0;
		break;
	}
	if (since && since <= now_us) {
		item->age_us = now_us - since;
		return;
	}
	/* The FIN carried an ACK; every later segment sets this back. So the FIN is at least that old. */
	item->age_at_least = true;
	item->age_us = item->socket && item->socket->has_info
			       ? (uint64_t)item->socket->last_ack_received_ms * 1000
			       : 0;
}

static void find_eof(struct la_item *item)
{
	const struct la_read_connection *connection = item->connection;
	bool fin = item->state == LA_STATE_CLOSE_WAIT || item->state == LA_STATE_LAST_ACK ||
		   item->state == LA_STATE_CLOSING ||
		   (connection && (connection->facts & LA_FACT_FIN_RECEIVED));
	bool told = connection && connection->seen_us[LA_SEEN_EOF];

	item->eof = LA_EOF_NONE;
	item->unread_bytes = item->socket ? item->socket->receive_queue : 0;
	if (!fin)
		return;
	item->eof = told ? LA_EOF_READ : LA_EOF_UNREAD;
	if (item->socket && item->state == LA_STATE_CLOSE_WAIT) {
		/* Recv-Q counts the FIN until it is read: 0 says that it was, also by a call that no hook sees. */
		item->eof = item->socket->receive_queue == 0 ? LA_EOF_READ : LA_EOF_UNREAD;
		item->unread_bytes =
			item->socket->receive_queue ? item->socket->receive_queue - 1 : 0;
	}
}

static enum la_verdict verdict(const struct la_item *item)
{
	const struct la_read_connection *connection = item->connection;

	if (!connection)
		return LA_VERDICT_NEVER_ACCEPTED;
	if (connection->phase == LA_PHASE_CLOSED) {
		if (item->socket && item->socket->inode)
			return LA_VERDICT_HELD_ELSEWHERE;
		return was_abortive(connection) ? LA_VERDICT_ABORTIVE_CLOSE : LA_VERDICT_NONE;
	}
	if (connection->phase == LA_PHASE_DRAINING)
		return LA_VERDICT_NONE;
	switch (item->state) {
	case LA_STATE_CLOSE_WAIT:
		return item->eof == LA_EOF_READ ? LA_VERDICT_EOF_READ_NOT_CLOSED
						: LA_VERDICT_EOF_UNREAD;
	case LA_STATE_FIN_WAIT_2:
		/* Without a holder it is an orphan, which the kernel ends by itself (tcp_fin_timeout). */
		return item->socket && item->socket->inode ? LA_VERDICT_PEER_NOT_CLOSING
							   : LA_VERDICT_NONE;
	case LA_STATE_CLOSED:
	case LA_STATE_TIME_WAIT:
		return item->alive && !(connection->flags & LA_CONNECTION_CONNECTING)
			       ? LA_VERDICT_DEAD_FD
			       : LA_VERDICT_NONE;
	default: return LA_VERDICT_NONE;
	}
}

void la_judge(struct la_item *item, uint64_t now_us)
{
	item->state = position(item);
	item->gone =
		!item->socket && item->connection && item->connection->phase == LA_PHASE_CLOSED;
	find_age(item, now_us);
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
