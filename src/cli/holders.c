/* SPDX-License-Identifier: MIT */
/*
 * Who holds a socket: the links of /proc/PID/fd read "socket:[INODE]".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "holders.h"

static int read_link(int folder, const char *name, uint32_t *inode)
{
	char target[64];
	ssize_t length = readlinkat(folder, name, target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	target[length] = '\0';
	return sscanf(target, "socket:[%" SCNu32 "]", inode) == 1 ? 0 : -ENOTSOCK;
}

int la_holders_inode(uint32_t pid, int32_t fd, uint32_t *inode)
{
	char path[64], protocol[16] = "TCP";

	snprintf(path, sizeof(path), "/proc/%u/fd/%d", pid, fd);
	/* "TCP", "TCPv6"; also assumed where that may not be asked. */
	if (getxattr(path, "system.sockprotoname", protocol, sizeof(protocol)) > 0 &&
		strncmp(protocol, "TCP", 3) != 0)
		return -ENOTSOCK;
	return read_link(AT_FDCWD, path, inode);
}

int la_holders_add(struct la_holders *holders, uint32_t pid)
{
	struct dirent *entry;
	char path[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	folder = opendir(path);
	if (!folder)
		return -errno;
	while ((entry = readdir(folder))) {
		uint32_t inode;

		if (read_link(dirfd(folder), entry->d_name, &inode) < 0)
			continue;
		if (holders->count == holders->room) {
			size_t room = holders->room ? holders->room * 2 : 256;
			struct la_holder *list = realloc(holders->list, room * sizeof(*list));

			if (!list) {
				closedir(folder);
				return -ENOMEM;
			}
			holders->list = list;
			holders->room = room;
		}
		holders->list[holders->count++] =
			(struct la_holder){.inode = inode, .pid = pid, .fd = atoi(entry->d_name)};
	}
	closedir(folder);
	return 0;
}

void la_holders_add_all(struct la_holders *holders)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			la_holders_add(holders, (uint32_t)strtoul(entry->d_name, NULL, 10));
	closedir(folder);
	la_holders_sort(holders);
}

static int compare(const void *left, const void *right)
{
	const struct la_holder *a = left, *b = right;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->fd < b->fd ? -1 : a->fd > b->fd;
}

void la_holders_sort(struct la_holders *holders)
{
	if (holders->count)
		qsort(holders->list, holders->count, sizeof(*holders->list), compare);
}

const struct la_holder *la_holders_of(
	const struct la_holders *holders, uint32_t inode, size_t *count)
{
	size_t low = 0, high = holders->count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (holders->list[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < holders->count && holders->list[end].inode == inode; end++)
		;
	*count = end - low;
	return *count ? &holders->list[low] : NULL;
}

void la_holders_free(struct la_holders *holders)
{
	free(holders->list);
	memset(holders, 0, sizeof(*holders));
}
