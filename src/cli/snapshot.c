/* SPDX-License-Identifier: MIT */
/*
 * Taking a snapshot: read the regions, ask the kernel, join by cookie.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "judge.h"
#include "networks.h"
#include "strangers.h"

enum { UNREADABLE_SAID = 5 }; /* by name */

struct taking {
	struct la_snapshot *snapshot;
	uint32_t pid;
	bool failed, denied;
};

static bool has_process(const struct la_region_copy *region, uint32_t pid)
{
	uint32_t i;

	for (i = 0; i < region->processes_count; i++)
		if (region->processes[i].pid == pid)
			return true;
	return region->creator_pid == pid;
}

static void read_one(const char *path, void *context)
{
	struct taking *taking = context;
	struct la_snapshot *snapshot = taking->snapshot;
	struct la_region_copy copy, *regions;
	char error[160];
	int result = la_region_read(path, &copy, error);

	if (result < 0) {
		if (result == -ENOENT) /* it ended while we looked */
			return;
		if (++snapshot->unreadable <= UNREADABLE_SAID) {
			char *name = la_safe(path);

			la_say("%s: %s", name ? name : "?", error);
			free(name);
		}
		taking->denied |= result == -EACCES;
		return;
	}
	if (taking->pid && !has_process(&copy, taking->pid)) {
		la_region_copy_free(&copy);
		return;
	}
	regions = realloc(snapshot->regions, (snapshot->regions_count + 1) * sizeof(*regions));
	if (!regions) {
		la_region_copy_free(&copy);
		taking->failed = true;
		return;
	}
	regions[snapshot->regions_count++] = copy;
	snapshot->regions = regions;
}

struct la_item *la_snapshot_add(struct la_snapshot *snapshot, size_t *room)
{
	if (snapshot->items_count == *room) {
		size_t more = *room ? *room * 2 : 256;
		struct la_item *items = realloc(snapshot->items, more * sizeof(*items));

		if (!items)
			return NULL;
		snapshot->items = items;
		*room = more;
	}
	memset(&snapshot->items[snapshot->items_count], 0, sizeof(struct la_item));
	return &snapshot->items[snapshot->items_count++];
}

static bool may_hold(const struct la_read_process *process, uint64_t holders)
{
	return (holders & LA_HOLDER_UNKNOWN_BIT) || (holders & 1ull << process->index);
}

static bool someone_lives(const struct la_region_copy *region, uint64_t holders)
{
	uint32_t i;

	for (i = 0; i < region->processes_count; i++)
		if (region->processes[i].alive && may_hold(&region->processes[i], holders))
			return true;
	return false;
}

bool la_snapshot_lives(const struct la_region_copy *region)
{
	return someone_lives(region, LA_HOLDER_UNKNOWN_BIT);
}

/* Its number still names a socket that the kernel does not list: true, too, where that may not be looked at. */
static bool holds_the_dead(const struct la_snapshot *snapshot, const struct la_region_copy *region,
	const struct la_read_connection *connection)
{
	uint32_t i, inode;

	for (i = 0; i < region->processes_count; i++) {
		const struct la_read_process *process = &region->processes[i];
		int result;

		if (!process->alive || !may_hold(process, connection->holders))
			continue;
		result = la_holders_inode(process->pid, connection->fd, &inode);
		if (result == -EACCES || (result == 0 && !la_networks_has_inode(snapshot, inode)))
			return true;
	}
	return false;
}

static bool is_held(const struct la_snapshot *snapshot, const struct la_item *item)
{
	if (item->connection->phase != LA_PHASE_OPEN)
		return false;
	if (item->socket && item->socket->inode)
		return true;
	if (!item->alive || !item->asked)
		return !item->socket;
	return holds_the_dead(snapshot, item->region, item->connection);
}

static void name_ends(struct la_item *item)
{
	const struct la_read_connection *connection = item->connection;

	/* connect() is told the peer's address after the record was made: the kernel knows both. */
	if (item->socket) {
		item->local_port = item->socket->names.local_port;
		item->remote_port = item->socket->names.remote_port;
		memcpy(item->local, item->socket->names.local, 16);
		memcpy(item->remote, item->socket->names.remote, 16);
	} else {
		item->local_port = connection->local_port;
		item->remote_port = connection->remote_port;
		memcpy(item->local, connection->local, 16);
		memcpy(item->remote, connection->remote, 16);
	}
}

static int add_connection(struct la_snapshot *snapshot, size_t region_at,
	const struct la_read_connection *connection, size_t *room, bool *marks)
{
	const struct la_region_copy *region = &snapshot->regions[region_at];
	/* Cookies of another boot name other sockets. */
	const struct la_diag_socket *socket =
		region->same_boot
			? la_networks_find(snapshot, connection->cookie, connection->local_port)
			: NULL;
	struct la_item *item;
	uint64_t now_us = snapshot->now_us;

	if (socket)
		marks[socket - snapshot->sockets] = true;
	if (connection->role == LA_ROLE_LISTENER)
		return 0;
	if (!la_judge_is_shown(connection, socket))
		return 0;
	/* A drain ends with its process. */
	if (connection->phase == LA_PHASE_DRAINING && !socket &&
		!someone_lives(region, connection->holders))
		return 0;
	item = la_snapshot_add(snapshot, room);
	if (!item)
		return -ENOMEM;
	item->region = region;
	item->connection = connection;
	item->socket = socket;
	item->cookie = connection->cookie;
	if (socket && socket->inode)
		item->holders =
			la_holders_of(&snapshot->holders, socket->inode, &item->holders_count);
	item->pid = item->holders ? item->holders->pid : connection->pid;
	item->fd = item->holders ? item->holders->fd : connection->fd;
	item->role = connection->role;
	item->alive = socket != NULL || someone_lives(region, connection->holders);
	item->asked = item->alive && snapshot->asked[region_at];
	item->held = is_held(snapshot, item);
	name_ends(item);
	/* The clock of the dead stands still. */
	if (!socket && !la_snapshot_lives(region) &&
		(!region->same_boot || region->last_us < now_us))
		now_us = region->last_us;
	la_judge(item, now_us);
	if (socket && la_judge_disagrees(item))
		snapshot->disagreements++;
	return 0;
}

/* Closed here and held by someone who is in no region: look at everybody. */
static void find_outsiders(struct la_snapshot *snapshot)
{
	bool looked = false;
	size_t i;

	for (i = 0; i < snapshot->items_count; i++) {
		struct la_item *item = &snapshot->items[i];

		if (item->verdict != LA_VERDICT_HELD_ELSEWHERE || item->holders_count)
			continue;
		if (!looked)
			la_holders_add_all(&snapshot->outsiders);
		looked = true;
		item->holders = la_holders_of(
			&snapshot->outsiders, item->socket->inode, &item->holders_count);
		if (item->holders) {
			item->pid = item->holders->pid;
			item->fd = item->holders->fd;
		}
	}
}

static int join(struct la_snapshot *snapshot)
{
	bool *marks = calloc(snapshot->sockets_count + 1, sizeof(*marks));
	size_t room = 0, r, s;
	uint32_t i;
	int result = marks ? 0 : -ENOMEM;

	for (r = 0; r < snapshot->regions_count; r++)
		for (i = 0; i < snapshot->regions[r].processes_count; i++)
			if (snapshot->regions[r].processes[i].alive)
				la_holders_add(
					&snapshot->holders, snapshot->regions[r].processes[i].pid);
	la_holders_sort(&snapshot->holders);
	for (r = 0; r < snapshot->regions_count && result == 0; r++)
		for (i = 0; i < snapshot->regions[r].connections_count && result == 0; i++)
			result = add_connection(
				snapshot, r, &snapshot->regions[r].connections[i], &room, marks);
	for (s = 0; s < snapshot->sockets_count && result == 0; s++)
		if (!marks[s])
			result = la_strangers_add(snapshot, &snapshot->sockets[s], &room);
	if (result == 0)
		find_outsiders(snapshot);
	free(marks);
	return result;
}

static void say_earlier_boots(const struct la_snapshot *snapshot)
{
	size_t r;

	for (r = 0; r < snapshot->regions_count; r++)
		if (!snapshot->regions[r].same_boot && snapshot->regions[r].connections_count)
			la_say("%s: of an earlier boot of this machine: everything in it is "
			       "history",
				snapshot->regions[r].path);
}

/* LA_EXIT_OK, or why there is nothing to look at. */
static int read_regions(struct taking *taking, const char *file)
{
	const struct la_snapshot *snapshot = taking->snapshot;
	char denied[512] = "";
	int result;

	if (file) {
		read_one(file, taking);
		if (snapshot->regions_count)
			return LA_EXIT_OK;
		if (!snapshot->unreadable)
			la_say("%s: no such file", file);
		return taking->denied ? LA_EXIT_PERMISSION : LA_EXIT_PROCESS;
	}
	result = la_region_find(read_one, taking, denied);
	if (snapshot->unreadable > UNREADABLE_SAID)
		la_say("and %u more regions cannot be read: those of processes that have ended may "
		       "be "
		       "removed",
			snapshot->unreadable - UNREADABLE_SAID);
	if (result == -EACCES) {
		la_say("%s: permission denied: ask its owner, or root", denied);
		return LA_EXIT_PERMISSION;
	}
	if (!taking->pid || snapshot->regions_count)
		return LA_EXIT_OK;
	la_say("process %u is in no region: it is not preloaded, has had no TCP connection yet, or "
	       "keeps its region where LASTACK_DIR of its environment says",
		taking->pid);
	return LA_EXIT_PROCESS;
}

int la_snapshot_take(struct la_snapshot **out, uint32_t pid, const char *file)
{
	struct la_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct taking taking = {.snapshot = snapshot, .pid = pid};
	int status;

	if (!snapshot)
		return LA_EXIT_OWN_FAILURE;
	status = read_regions(&taking, file);
	if (status == LA_EXIT_OK) {
		bool failed = taking.failed || la_networks_ask(snapshot) < 0;

		snapshot->now_us = la_now_us();
		if (failed || join(snapshot) < 0) {
			la_say("out of memory");
			status = LA_EXIT_OWN_FAILURE;
		}
	}
	if (status != LA_EXIT_OK) {
		la_snapshot_free(snapshot);
		return status;
	}
	say_earlier_boots(snapshot);
	*out = snapshot;
	return LA_EXIT_OK;
}

void la_snapshot_free(struct la_snapshot *snapshot)
{
	size_t i;

	for (i = 0; i < snapshot->regions_count; i++)
		la_region_copy_free(&snapshot->regions[i]);
	free(snapshot->regions);
	free(snapshot->items);
	free(snapshot->asked);
	free(snapshot->sockets);
	free(snapshot->inodes);
	la_holders_free(&snapshot->holders);
	la_holders_free(&snapshot->outsiders);
	free(snapshot);
}

void la_snapshot_count(
	const struct la_snapshot *snapshot, bool dead_too, unsigned int counts[2][LA_STATE_COUNT])
{
	size_t i;

	memset(counts, 0, 2 * sizeof(counts[0]));
	for (i = 0; i < snapshot->items_count; i++)
		if (!snapshot->items[i].gone && snapshot->items[i].state < LA_STATE_COUNT &&
			(dead_too || snapshot->items[i].alive))
			counts[la_judge_side(&snapshot->items[i])][snapshot->items[i].state]++;
}
