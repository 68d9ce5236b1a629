/* SPDX-License-Identifier: MIT */
/*
 * Sockets that no region knows: in the backlog of a preloaded process, which has not accepted them; or held by one, which opened them
 * by a call that no hook sees (io_uring, a system call of its own, a library loaded with RTLD_DEEPBIND).
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "judge.h"
#include "strangers.h"

static const struct la_read_connection *listener_on(
	const struct la_region_copy *region, uint16_t port)
{
	uint32_t c;

	for (c = 0; c < region->connections_count; c++)
		if (region->connections[c].role == LA_ROLE_LISTENER &&
			region->connections[c].phase == LA_PHASE_OPEN &&
			region->connections[c].local_port == port)
			return &region->connections[c];
	return NULL;
}

static const struct la_region_copy *region_of(const struct la_snapshot *snapshot, uint32_t pid)
{
	size_t r;
	uint32_t p;

	for (r = 0; r < snapshot->regions_count; r++)
		for (p = 0; p < snapshot->regions[r].processes_count; p++)
			if (snapshot->regions[r].processes[p].alive &&
				snapshot->regions[r].processes[p].pid == pid)
				return &snapshot->regions[r];
	return NULL;
}

static struct la_item *add(struct la_snapshot *snapshot, const struct la_region_copy *region,
	const struct la_diag_socket *socket, size_t *room)
{
	struct la_item *item = la_snapshot_add(snapshot, room);

	if (!item)
		return NULL;
	item->region = region;
	item->socket = socket;
	item->cookie = socket->cookie;
	item->alive = true;
	item->asked = true;
	item->local_port = socket->names.local_port;
	item->remote_port = socket->names.remote_port;
	memcpy(item->local, socket->names.local, 16);
	memcpy(item->remote, socket->names.remote, 16);
	return item;
}

/* No descriptor, nobody closed it, and the port is one that a preloaded process listens on. */
static int add_backlog(
	struct la_snapshot *snapshot, const struct la_diag_socket *socket, size_t *room)
{
	size_t r;

	if (socket->state != TCP_ESTABLISHED && socket->state != TCP_CLOSE_WAIT)
		return 0;
	for (r = 0; r < snapshot->regions_count; r++) {
		const struct la_region_copy *region = &snapshot->regions[r];
		const struct la_read_connection *listener;
		struct la_item *item;

		if (!la_snapshot_lives(region))
			continue;
		listener = listener_on(region, socket->names.local_port);
		if (!listener)
			continue;
		item = add(snapshot, region, socket, room);
		if (!item)
			return -ENOMEM;
		item->pid = listener->pid;
		item->fd = -1;
		item->role = LA_ROLE_SERVER;
		la_judge(item, snapshot->now_us);
		return 0;
	}
	return 0;
}

static int add_held(struct la_snapshot *snapshot, const struct la_diag_socket *socket, size_t *room)
{
	const struct la_region_copy *region;
	const struct la_holder *holders;
	struct la_item *item;
	size_t count;

	/* Listening, or not connected: no connection. */
	if (socket->state == TCP_LISTEN || socket->state == TCP_CLOSE)
		return 0;
	holders = la_holders_of(&snapshot->holders, socket->inode, &count);
	region = holders ? region_of(snapshot, holders->pid) : NULL;
	if (!region)
		return 0;
	item = add(snapshot, region, socket, room);
	if (!item)
		return -ENOMEM;
	item->pid = holders->pid;
	item->fd = holders->fd;
	item->holders = holders;
	item->holders_count = count;
	item->held = true;
	item->role =
		listener_on(region, socket->names.local_port) ? LA_ROLE_SERVER : LA_ROLE_UNKNOWN;
	la_judge(item, snapshot->now_us);
	return 0;
}

int la_strangers_add(
	struct la_snapshot *snapshot, const struct la_diag_socket *socket, size_t *room)
{
	return socket->inode ? add_held(snapshot, socket, room)
			     : add_backlog(snapshot, socket, room);
}
