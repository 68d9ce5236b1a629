/* SPDX-License-Identifier: MIT */
/*
 * What is true now: all regions, joined with the kernel's sockets by cookie. The kernel is the referee: where it knows a connection, its
 * state is shown; where it does not and the process lives, the connection is CLOSED; only for a process that is gone, or whose network
 * namespace cannot be asked, do the facts of the region decide.
 */
#ifndef LASTACK_SNAPSHOT_H
#define LASTACK_SNAPSHOT_H

#include <lastack/kernel.h>
#include <lastack/region_reader.h>

#include "holders.h"

/* interface.md section 3; ids are stable. */
enum la_verdict {
	LA_VERDICT_NONE,
	LA_VERDICT_EOF_READ_NOT_CLOSED, /* L1 */
	LA_VERDICT_EOF_UNREAD,
	LA_VERDICT_HELD_ELSEWHERE,
	LA_VERDICT_NEVER_ACCEPTED,
	LA_VERDICT_DEAD_FD,
	LA_VERDICT_PEER_NOT_CLOSING,
	LA_VERDICT_ABORTIVE_CLOSE, /* L7 */
	LA_VERDICT_COUNT
};
const char *la_verdict_id(enum la_verdict verdict);   /* "L1"; "-" for none */
const char *la_verdict_name(enum la_verdict verdict); /* "eof-read-not-closed" */
const char *la_verdict_meaning(enum la_verdict verdict);
const char *la_verdict_mover(enum la_verdict verdict); /* whose move it is: "application" */
/* By id or name, any case; LA_VERDICT_COUNT when unknown. */
enum la_verdict la_verdict_by_name(const char *name);

struct la_item {
	const struct la_region_copy *region;
	const struct la_read_connection *
		connection; /* NULL: only the kernel knows it: never accepted, or opened out of our sight */
	const struct la_diag_socket *socket; /* NULL: the kernel does not know it (any more) */
	enum la_state
		state; /* LA_STATE_COUNT: still in the handshake, which the termination table does not have */
	uint64_t age_us;
	bool age_at_least; /* age_us is a lower bound */
	uint64_t
		idle_us; /* since the last data in either direction, as far as is known; <= age_us */
	enum la_eof eof;
	uint64_t unread_bytes;
	enum la_verdict verdict;
	uint32_t pid;                    /* first living holder, else the last known one */
	int32_t fd;                      /* its number there, -1: none */
	const struct la_holder *holders; /* all that are known, holders_count of them */
	size_t holders_count;
	bool gone;  /* over, only kept for its verdict (L7) */
	bool alive; /* someone who may hold it lives */
	bool held; /* a descriptor of the application holds it; of a process that has ended: held it */
	bool asked; /* the kernel would have listed it */
	uint64_t cookie;
	uint16_t local_port, remote_port;
	uint8_t local[16], remote[16];
	uint32_t role; /* enum la_role */
};

struct la_snapshot {
	struct la_region_copy *regions;
	size_t regions_count;
	struct la_item *items;
	size_t items_count;
	bool *asked; /* of each region: all network namespaces of its living processes were asked */
	struct la_diag_socket *sockets; /* sorted by cookie */
	uint32_t *inodes;               /* theirs, sorted */
	size_t sockets_count;
	struct la_holders holders; /* the sockets of processes of the regions */
	struct la_holders
		outsiders; /* of everybody; filled when somebody else holds what was closed here */
	uint64_t now_us;
	uint64_t disagreements;  /* facts that the kernel contradicted */
	unsigned int unreadable; /* regions that were refused; said on standard error */
};

/*
 * Of all regions; or, when `pid` is not 0, of those that this process is in; or, when `file` is not NULL, of that one.
 * Returns 0 or an exit status (LA_EXIT_*), having said why.
 */
int la_snapshot_take(struct la_snapshot **snapshot, uint32_t pid, const char *file);
void la_snapshot_free(struct la_snapshot *snapshot);
/* A further item, all zeros; NULL without memory. `room`: how many there is memory for. */
struct la_item *la_snapshot_add(struct la_snapshot *snapshot, size_t *room);
/* Does a process of this region live? */
bool la_snapshot_lives(const struct la_region_copy *region);
/*
 * When a descriptor is dead is not always known: neither the region nor the kernel noticed. Where there is such a one, wait and take the
 * snapshot again: what was dead then and is dead now, is so for that long. As la_snapshot_take(); *snapshot is replaced, and freed when the
 * second look fails.
 */
int la_snapshot_look_again(
	struct la_snapshot **snapshot, uint64_t wait_us, uint32_t pid, const char *file);

/* How many connections stand where: [LA_SIDE_CLIENT] when our FIN came first or will (a connected socket), else
 * [LA_SIDE_SERVER]. dead_too: where they stood when their process ended, for processes that are gone. */
void la_snapshot_count(
	const struct la_snapshot *snapshot, bool dead_too, unsigned int counts[2][LA_STATE_COUNT]);

#endif
