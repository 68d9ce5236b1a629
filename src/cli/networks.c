/* SPDX-License-Identifier: MIT */
/*
 * Asking the kernel for its sockets, one network namespace after the other.
 *
 * That a socket is missing proves something only when the namespace it lived in was asked: a region remembers whether all of its were.
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
#include "networks.h"

enum { NETWORKS = 64 };

struct network {
	ino_t inode;
	bool asked;
};

struct asking {
	struct la_snapshot *snapshot;
	size_t room;
	bool failed; /* no memory */
	struct network networks[NETWORKS];
	size_t networks_count;
};

static bool add_socket(const struct la_diag_socket *socket, void *context)
{
	struct asking *asking = context;
	struct la_snapshot *snapshot = asking->snapshot;

	if (snapshot->sockets_count == asking->room) {
		size_t room = asking->room ? asking->room * 2 : 1024;
		struct la_diag_socket *sockets =
			realloc(snapshot->sockets, room * sizeof(*sockets));

		if (!sockets) {
			asking->failed = true;
			return false;
		}
		snapshot->sockets = sockets;
		asking->room = room;
	}
	snapshot->sockets[snapshot->sockets_count++] = *socket;
	return true;
}

/* The sockets of another network namespace, from within it. */
static int dump_in(uint32_t pid, struct asking *asking)
{
	char path[64];
	int there, result, home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
		result = -errno;
	else
		result = la_diag_each(~0u, add_socket, asking);
	if (there >= 0)
		close(there);
	if (home >= 0) {
		if (setns(home, CLONE_NEWNET) < 0 && result == 0)
			result = -errno;
		close(home);
	}
	return result;
}

static int network_of(const char *pid, ino_t *inode)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	if (stat(path, &status) < 0)
		return -errno;
	*inode = status.st_ino;
	return 0;
}

static struct network *add_network(struct asking *asking, ino_t inode)
{
	struct network *network = &asking->networks[asking->networks_count++];

	network->inode = inode;
	network->asked = true;
	return network;
}

/* Was, or is now, the namespace of this process asked? Says why not, once a namespace. */
static bool ask_for(struct asking *asking, uint32_t pid)
{
	struct network *network;
	char name[16];
	ino_t inode = 0;
	size_t i;
	int result;

	snprintf(name, sizeof(name), "%u", pid);
	result = network_of(name, &inode);
	if (result < 0) {
		if (result == -ENOENT) /* it ended while we looked */
			return true;
		la_say("process %u cannot be looked into (%s): what the kernel does not list is "
		       "shown as the region last saw it",
			pid, strerror(-result));
		return false;
	}
	for (i = 0; i < asking->networks_count; i++)
		if (asking->networks[i].inode == inode)
			return asking->networks[i].asked;
	if (asking->networks_count == NETWORKS)
		return false;
	network = add_network(asking, inode);
	result = dump_in(pid, asking);
	network->asked = result == 0;
	if (result < 0)
		la_say("process %u is in another network namespace (%s): its connections are shown "
		       "as the region last saw them. Run this as root, or by nsenter",
			pid, strerror(-result));
	return network->asked;
}

static int compare_cookies(const void *left, const void *right)
{
	const struct la_diag_socket *a = left, *b = right;

	return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

static int compare_inodes(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

static int sort(struct la_snapshot *snapshot)
{
	size_t i;

	snapshot->inodes = calloc(snapshot->sockets_count + 1, sizeof(*snapshot->inodes));
	if (!snapshot->inodes)
		return -ENOMEM;
	if (!snapshot->sockets_count)
		return 0;
	qsort(snapshot->sockets, snapshot->sockets_count, sizeof(*snapshot->sockets),
		compare_cookies);
	for (i = 0; i < snapshot->sockets_count; i++)
		snapshot->inodes[i] = snapshot->sockets[i].inode;
	qsort(snapshot->inodes, snapshot->sockets_count, sizeof(*snapshot->inodes), compare_inodes);
	return 0;
}

int la_networks_ask(struct la_snapshot *snapshot)
{
	struct asking asking = {.snapshot = snapshot};
	ino_t own = 0;
	size_t r;
	uint32_t p;
	int result;

	snapshot->asked = calloc(snapshot->regions_count + 1, sizeof(*snapshot->asked));
	if (!snapshot->asked)
		return -ENOMEM;
	result = la_diag_each(~0u, add_socket, &asking);
	if (result < 0)
		la_say("the kernel does not list its sockets (%s): connections are shown as the "
		       "region last saw them",
			strerror(-result));
	if (network_of("self", &own) == 0)
		add_network(&asking, own)->asked = result == 0;
	for (r = 0; r < snapshot->regions_count; r++) {
		const struct la_region_copy *region = &snapshot->regions[r];

		snapshot->asked[r] = true;
		for (p = 0; p < region->processes_count; p++)
			if (region->processes[p].alive &&
				!ask_for(&asking, region->processes[p].pid))
				snapshot->asked[r] = false;
	}
	return asking.failed ? -ENOMEM : sort(snapshot);
}

const struct la_diag_socket *la_networks_find(
	const struct la_snapshot *snapshot, uint64_t cookie, uint16_t local_port)
{
	const struct la_diag_socket *end, *found, *at;
	struct la_diag_socket key = {.cookie = cookie};

	if (!cookie || !snapshot->sockets_count)
		return NULL;
	end = snapshot->sockets + snapshot->sockets_count;
	found = bsearch(
		&key, snapshot->sockets, snapshot->sockets_count, sizeof(key), compare_cookies);
	while (found && found > snapshot->sockets && found[-1].cookie == cookie)
		found--;
	for (at = found; at && at < end && at->cookie == cookie; at++)
		if (at->names.local_port == local_port)
			return at;
	return found;
}

bool la_networks_has_inode(const struct la_snapshot *snapshot, uint32_t inode)
{
	return snapshot->sockets_count && bsearch(&inode, snapshot->inodes, snapshot->sockets_count,
						  sizeof(inode), compare_inodes);
}
