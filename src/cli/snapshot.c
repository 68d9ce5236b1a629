/* SPDX-License-Identifier: MIT */
/*
 * Taking a snapshot: read the regions, ask the kernel, join by cookie.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "holders.h"
#include "judge.h"
#include "snapshot.h"

struct taking {
	struct la_snapshot *snapshot;
	uint32_t pid;
	size_t sockets_room;
	bool failed;
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
		char *name = la_safe(path);

		la_say("%s: %s", name ? name : "?", error);
		free(name);
		snapshot->unreadable++;
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

static bool add_socket(const struct la_diag_socket *socket, void *context)
{
	struct taking *taking = context;
	struct la_snapshot *snapshot = taking->snapshot;

	if (snapshot->sockets_count == taking->sockets_room) {
		size_t room = taking->sockets_room ? taking->sockets_room * 2 : 1024;
		struct la_diag_socket *sockets =
			realloc(snapshot->sockets, room * sizeof(*sockets));

		if (!sockets) {
			taking->failed = true;
			return false;
		}
		snapshot->sockets = sockets;
		taking->sockets_room = room;
	}
	snapshot->sockets[snapshot->sockets_count++] = *socket;
	return true;
}

static ino_t network_of(const char *pid)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	return stat(path, &status) == 0 ? status.st_ino : 0;
}

/* The sockets of another network namespace, from within it. */
static int dump_in(uint32_t pid, struct taking *taking)
{
	char path[64];
	int there, result, home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
		result = -errno;
	else
		result = la_diag_each(~0u, add_socket, taking);
	if (there >= 0)
		close(there);
	if (home >= 0) {
		if (setns(home, CLONE_NEWNET) < 0 && result == 0)
			result = -errno;
		close(home);
	}
	return result;
}

/* Each network namespace that a living process of ours is in, once. */
static void dump_all(struct taking *taking)
{
	struct la_snapshot *snapshot = taking->snapshot;
	ino_t seen[64], own = network_of("self");
	size_t seen_count = 0, r, s;
	uint32_t p;
	int result = la_diag_each(~0u, add_socket, taking);

	if (result < 0)
		la_say("the kernel does not list its sockets (%s): positions are those of the "
		       "region",
			strerror(-result));
	for (r = 0; r < snapshot->regions_count; r++)
		for (p = 0; p < snapshot->regions[r].processes_count; p++) {
			const struct la_read_process *process = &snapshot->regions[r].processes[p];
			char name[16];
			ino_t network;

			if (!process->alive)
				continue;
			snprintf(name, sizeof(name), "%u", process->pid);
			network = network_of(name);
			for (s = 0; s < seen_count && seen[s] != network; s++)
				;
			if (!network || network == own || s < seen_count || seen_count == 64)
				continue;
			seen[seen_count++] = network;
			result = dump_in(process->pid, taking);
			if (result < 0)
				la_say("process %u is in another network namespace (%s): its "
				       "positions are those of the region",
					process->pid, strerror(-result));
		}
}

static int compare_cookies(const void *left, const void *right)
{
	const struct la_diag_socket *a = left, *b = right;

	return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

static struct la_diag_socket *find_socket(const struct la_snapshot *snapshot, uint64_t cookie)
{
	struct la_diag_socket key = {.cookie = cookie};

	if (!cookie || !snapshot->sockets_count)
		return NULL;
	return bsearch(
		&key, snapshot->sockets, snapshot->sockets_count, sizeof(key), compare_cookies);
}

static struct la_item *add_item(struct la_snapshot *snapshot, size_t *room)
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

static bool someone_lives(const struct la_region_copy *region, uint64_t holders)
{
	uint32_t i;

	for (i = 0; i < region->processes_count; i++)
		if (region->processes[i].alive &&
			((holders & LA_HOLDER_UNKNOWN_BIT) ||
				(holders & 1ull << region->processes[i].index)))
			return true;
	return false;
}

static bool any_lives(const struct la_region_copy *region)
{
	return someone_lives(region, LA_HOLDER_UNKNOWN_BIT);
}

static int add_connection(struct la_snapshot *snapshot, const struct la_region_copy *region,
	const struct la_read_connection *connection, const struct la_holders *holders, size_t *room,
	bool *marks)
{
	struct la_diag_socket *socket = find_socket(snapshot, connection->cookie);
	const struct la_holder *holder = NULL;
	struct la_item *item;
	size_t holders_count = 0;

	if (socket)
		marks[socket - snapshot->sockets] = true;
	if (connection->role == LA_ROLE_LISTENER)
		return 0;
	if (!la_judge_is_shown(connection, socket))
		return 0;
	item = add_item(snapshot, room);
	if (!item)
		return -ENOMEM;
	if (socket && socket->inode)
		holder = la_holders_of(holders, socket->inode, &holders_count);
	item->region = region;
	item->connection = connection;
	item->socket = socket;
	item->cookie = connection->cookie;
	item->pid = holder ? holder->pid : connection->pid;
	item->fd = holder ? holder->fd : connection->fd;
	item->role = connection->role;
	item->local_port = connection->local_port;
	item->remote_port = connection->remote_port;
	memcpy(item->local, connection->local, 16);
	memcpy(item->remote, connection->remote, 16);
	item->alive = socket != NULL || someone_lives(region, connection->holders);
	la_judge(item, snapshot->now_us);
	if (socket && la_judge_disagrees(item))
		snapshot->disagreements++;
	return 0;
}

/* In a backlog: no descriptor, nobody closed it, and the port is one that a preloaded process listens on. */
static int add_backlog(
	struct la_snapshot *snapshot, const struct la_diag_socket *socket, size_t *room)
{
	size_t r;
	uint32_t c;

	if (socket->inode || (socket->state != 1 && socket->state != 8))
		return 0;
	for (r = 0; r < snapshot->regions_count; r++) {
		const struct la_region_copy *region = &snapshot->regions[r];

		if (!any_lives(region))
			continue;
		for (c = 0; c < region->connections_count; c++) {
			const struct la_read_connection *listener = &region->connections[c];
			struct la_item *item;

			if (listener->role != LA_ROLE_LISTENER ||
				listener->phase != LA_PHASE_OPEN ||
				listener->local_port != socket->names.local_port)
				continue;
			item = add_item(snapshot, room);
			if (!item)
				return -ENOMEM;
			item->region = region;
			item->socket = socket;
			item->cookie = socket->cookie;
			item->pid = listener->pid;
			item->fd = -1;
			item->role = LA_ROLE_SERVER;
			item->alive = true;
			item->local_port = socket->names.local_port;
			item->remote_port = socket->names.remote_port;
			memcpy(item->local, socket->names.local, 16);
			memcpy(item->remote, socket->names.remote, 16);
			la_judge(item, snapshot->now_us);
			return 0;
		}
	}
	return 0;
}

static int join(struct la_snapshot *snapshot)
{
	struct la_holders holders = {0};
	bool *marks = calloc(snapshot->sockets_count + 1, sizeof(*marks));
	size_t room = 0, r, s;
	uint32_t i;
	int result = marks ? 0 : -ENOMEM;

	for (r = 0; r < snapshot->regions_count; r++)
		for (i = 0; i < snapshot->regions[r].processes_count; i++)
			if (snapshot->regions[r].processes[i].alive)
				la_holders_add(&holders, snapshot->regions[r].processes[i].pid);
	la_holders_sort(&holders);
	for (r = 0; r < snapshot->regions_count && result == 0; r++)
		for (i = 0; i < snapshot->regions[r].connections_count && result == 0; i++)
			result = add_connection(snapshot, &snapshot->regions[r],
				&snapshot->regions[r].connections[i], &holders, &room, marks);
	for (s = 0; s < snapshot->sockets_count && result == 0; s++)
		if (!marks[s])
			result = add_backlog(snapshot, &snapshot->sockets[s], &room);
	la_holders_free(&holders);
	free(marks);
	return result;
}

int la_snapshot_take(struct la_snapshot **out, uint32_t pid, const char *file)
{
	struct la_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct taking taking = {.snapshot = snapshot, .pid = pid};
	int status = LA_EXIT_OK;

	if (!snapshot)
		return LA_EXIT_PERMISSION;
	if (file)
		read_one(file, &taking);
	else
		la_region_find(read_one, &taking);
	if (file && !snapshot->regions_count) {
		if (!snapshot->unreadable)
			la_say("%s: no such file", file);
		status = LA_EXIT_PROCESS;
	} else if (pid && !snapshot->regions_count) {
		la_say("process %u is in no region: it is not preloaded, has had no TCP connection "
		       "yet, or keeps its region where LASTACK_DIR of its environment says",
			pid);
		status = LA_EXIT_PROCESS;
	}
	if (status == LA_EXIT_OK) {
		dump_all(&taking);
		if (snapshot->sockets_count)
			qsort(snapshot->sockets, snapshot->sockets_count,
				sizeof(*snapshot->sockets), compare_cookies);
		snapshot->now_us = la_now_us();
		if (join(snapshot) < 0 || taking.failed) {
			la_say("out of memory");
			status = 125;
		}
	}
	if (status != LA_EXIT_OK) {
		la_snapshot_free(snapshot);
		return status;
	}
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
	free(snapshot->sockets);
	free(snapshot);
}

void la_snapshot_count(
	const struct la_snapshot *snapshot, bool dead_too, unsigned int counts[2][LA_STATE_COUNT])
{
	size_t i;

	memset(counts, 0, 2 * sizeof(counts[0]));
	for (i = 0; i < snapshot->items_count; i++)
		if (!snapshot->items[i].gone && (dead_too || snapshot->items[i].alive))
			counts[la_judge_side(&snapshot->items[i])][snapshot->items[i].state]++;
}
