/* SPDX-License-Identifier: MIT */
/*
 * Verdicts: the table of interface.md section 3.
 */
#include <stddef.h>
#include <strings.h>

#include "snapshot.h"

static const struct {
	const char *id, *name, *meaning, *mover;
} verdicts[LA_VERDICT_COUNT] = {
	[LA_VERDICT_NONE] = {"-", "none", "in order", "-"},
	[LA_VERDICT_EOF_READ_NOT_CLOSED] = {"L1", "eof-read-not-closed",
		"the application was told that the peer has closed, and keeps the descriptor",
		"application"},
	[LA_VERDICT_EOF_UNREAD] = {"L2", "eof-unread",
		"the peer's FIN waits in the receive queue: idle in a pool, or a stuck thread",
		"application"},
	[LA_VERDICT_HELD_ELSEWHERE] = {"L3", "held-elsewhere",
		"closed here, but another process or a dup holds it", "other holder"},
	[LA_VERDICT_NEVER_ACCEPTED] = {"L4", "never-accepted", "waits in the backlog of a listener",
		"acceptor"},
	[LA_VERDICT_DEAD_FD] = {"L5", "dead-fd",
		"the connection is gone, the descriptor is still held", "application"},
	[LA_VERDICT_PEER_NOT_CLOSING] = {"L6", "peer-not-closing",
		"we have closed our side and hold the descriptor; the peer does not close", "peer"},
	[LA_VERDICT_ABORTIVE_CLOSE] = {"L7", "abortive-close",
		"closed with unread data, or with SO_LINGER {1,0}: the peer got an RST",
		"application"},
};

static unsigned int in_range(enum la_verdict verdict)
{
	return (unsigned int)verdict < LA_VERDICT_COUNT ? (unsigned int)verdict : LA_VERDICT_NONE;
}

const char *la_verdict_id(enum la_verdict verdict)
{
	return verdicts[in_range(verdict)].id;
}

const char *la_verdict_name(enum la_verdict verdict)
{
	return verdicts[in_range(verdict)].name;
}

const char *la_verdict_meaning(enum la_verdict verdict)
{
	return verdicts[in_range(verdict)].meaning;
}

const char *la_verdict_mover(enum la_verdict verdict)
{
	return verdicts[in_range(verdict)].mover;
}

enum la_verdict la_verdict_by_name(const char *name)
{
	unsigned int i;

	for (i = LA_VERDICT_NONE + 1; i < LA_VERDICT_COUNT; i++)
		if (strcasecmp(name, verdicts[i].id) == 0 ||
			strcasecmp(name, verdicts[i].name) == 0)
			return (enum la_verdict)i;
	return LA_VERDICT_COUNT;
}
