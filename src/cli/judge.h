/* SPDX-License-Identifier: MIT */
/*
 * One connection: position, age, EOF, verdict; from what the region saw and what the kernel says.
 */
#ifndef LASTACK_JUDGE_H
#define LASTACK_JUDGE_H

#include "snapshot.h"

#define LA_HOLDER_UNKNOWN_BIT (1ull << 63)

/* Is there anything to show? Closed and unknown to the kernel is over, unless it was an abortive close. */
bool la_judge_is_shown(
	const struct la_read_connection *connection, const struct la_diag_socket *socket);
/* Fill state, age, idle, eof, unread, verdict, gone; the other fields are set. `now_us`: for one that has ended, when it last lived. */
void la_judge(struct la_item *item, uint64_t now_us);
/* Does the kernel contradict what hooks saw? */
bool la_judge_disagrees(const struct la_item *item);
enum la_side la_judge_side(const struct la_item *item);
/* As RFC 9293 prints it; also of the handshake. */
const char *la_judge_state_name(const struct la_item *item);

#endif
