/* SPDX-License-Identifier: MIT */
/*
 * The machine as the scene has it. The linker's --wrap sends here what the command asks of the kernel, of /proc and of the
 * child that symbolizes; outside of a run, and for what is none of the scene's business, everything goes on to the real one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <lastack/kernel.h>

#include "../../src/cli/holders.h"
#include "fuzz.h"
#include "world.h"

enum { FD_REGION = 100000, FD_NETWORK, FD_CHILD, CHILD = 99999999 };

struct scene scene;

static struct scene untouched;
static const uint8_t *changes;
static size_t changes_bytes;
static unsigned int reads;
static bool running;

/* ---- the scene ---- */

static void apply(unsigned int now)
{
	for (size_t at = 0; at + CHANGE_HEAD < changes_bytes;) {
		size_t where = changes[at] | (size_t)changes[at + 1] << 8;
		unsigned int when = changes[at + 2];
		size_t bytes = changes[at + 3] % CHANGE_BYTES + 1;

		at += CHANGE_HEAD;
		if (bytes > changes_bytes - at)
			bytes = changes_bytes - at;
		if (when == now && where < sizeof(scene))
			memcpy((char *)&scene + where, changes + at,
				bytes < sizeof(scene) - where ? bytes : sizeof(scene) - where);
		at += bytes;
	}
}

void world_begin(const uint8_t *data, size_t size)
{
	if (!untouched.world.file_bytes)
		scene_fill(&untouched);
	scene = untouched;
	changes = data;
	changes_bytes = size;
	reads = 0;
	apply(0);
	running = true;
}

void world_end(void)
{
	running = false;
}

static bool has(enum oddity oddity)
{
	return scene.world.oddities & oddity;
}

static uint64_t file_bytes(void)
{
	return scene.world.file_bytes < LARGEST_FILE ? scene.world.file_bytes : LARGEST_FILE;
}

int __wrap_la_region_find(
	void (*each)(const char *path, void *context), void *context, char denied[512])
{
	denied[0] = '\0';
	each(world_path(), context);
	if (has(TWO_REGIONS))
		each("/fuzz/2.region", context);
	return has(TWO_REGIONS) ? 2 : 1;
}

const char *world_path(void)
{
	return has(ODD_PATH) ? "/fuzz/\x1b[31m\n\x9b\xe2\x80\xae.region" : "/fuzz/1.region";
}

uint64_t __wrap_la_now_ns(void)
{
	return running ? scene.world.now_us * 1000 : __real_la_now_ns();
}

/* ---- the region's file ---- */

int __wrap_open(const char *path, int flags, ...)
{
	va_list rest;
	int mode;

	va_start(rest, flags);
	mode = va_arg(rest, int);
	va_end(rest);
	if (!running || path[0] != '/')
		return __real_open(path, flags, mode);
	if (strncmp(path, "/fuzz/", 6) == 0 && strstr(path, ".region"))
		return FD_REGION;
	if (strstr(path, "/ns/net") && has(OTHER_NETWORK))
		return FD_NETWORK;
	/* A module's file: a path that is absolute, ends, and is one that a module has. */
	REQUIRE(strlen(path) < 300);
	errno = ENOENT;
	return -1;
}

int __wrap_close(int fd)
{
	return running && fd >= FD_REGION ? 0 : __real_close(fd);
}

int __wrap_fstat(int fd, struct stat *status)
{
	if (!running || fd != FD_REGION)
		return __real_fstat(fd, status);
	memset(status, 0, sizeof(*status));
	status->st_mode = S_IFREG | 0600;
	status->st_uid = status->st_gid = scene.world.owner_uid;
	status->st_size = (off_t)file_bytes();
	return 0;
}

ssize_t __wrap_pread(int fd, void *to, size_t bytes, off_t offset)
{
	uint64_t size = file_bytes(), at = (uint64_t)offset, there = 0;

	if (!running || fd != FD_REGION)
		return __real_pread(fd, to, bytes, offset);
	apply(++reads);
	if (at >= size)
		return 0;
	if (bytes > size - at)
		bytes = size - at;
	if (scene.world.short_reads == reads && bytes > 1)
		bytes /= 2;
	if (at < sizeof(scene.image))
		there = sizeof(scene.image) - at < bytes ? sizeof(scene.image) - at : bytes;
	memcpy(to, (const char *)&scene.image + at, there);
	memset((char *)to + there, 0, bytes - there);
	return (ssize_t)bytes;
}

/* ---- processes ---- */

int __wrap_kill(pid_t pid, int signal)
{
	if (!running)
		return __real_kill(pid, signal);
	if (pid >= FIRST_LIVING)
		return 0;
	errno = ESRCH;
	return -1;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	static char text[256];
	unsigned int pid;

	if (running && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
		return fmemopen((void *)"01010101-0101-0101-0101-010101010101\n", 37, "r");
	if (!running || sscanf(path, "/proc/%u/stat", &pid) != 1)
		return __real_fopen(path, mode);
	if (has(HIDDEN))
		return NULL;
	snprintf(text, sizeof(text),
		"%u (%.32s) %c 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 %u 0 4711 0\n", pid,
		scene.world.name, scene.world.state, scene.world.threads);
	return fmemopen(text, strlen(text), "r");
}

int __wrap_stat(const char *path, struct stat *status)
{
	if (!running || strncmp(path, "/proc/", 6) != 0)
		return __real_stat(path, status);
	memset(status, 0, sizeof(*status));
	status->st_ino = strncmp(path, "/proc/self", 10) != 0 && has(OTHER_NETWORK) ? 2 : 1;
	if (strncmp(path, "/proc/self", 10) == 0 || !(has(GONE) || has(HIDDEN)))
		return 0;
	errno = has(GONE) ? ENOENT : EACCES;
	return -1;
}

int __wrap_setns(int fd, int kind)
{
	return running ? 0 : __real_setns(fd, kind);
}

int __wrap_usleep(useconds_t us)
{
	return running ? 0 : __real_usleep(us);
}

/* ---- sockets, and who holds them ---- */

int la_diag_each(uint32_t states, bool (*each)(const struct la_diag_socket *socket, void *context),
	void *context)
{
	(void)states;
	if (has(NO_DIAG))
		return -EPERM;
	for (int i = 0; i < SOCKETS; i++) {
		const struct world_socket *from = &scene.world.sockets[i];
		struct la_diag_socket socket = {.cookie = from->cookie,
			.state = from->state,
			.inode = from->inode,
			.receive_queue = from->receive_queue,
			.send_queue = from->send_queue,
			.timer = from->timer,
			.expires_ms = from->expires_ms,
			.has_info = from->has_info & 1,
			.last_data_sent_ms = from->sent_ms,
			.last_data_received_ms = from->received_ms,
			.last_ack_received_ms = from->ack_ms,
			.names = {.family = 4,
				.local_port = from->local_port,
				.remote_port = from->remote_port}};

		socket.names.local[15] = from->address[0];
		memset(socket.names.remote, from->address[1], 16);
		if (from->there && !each(&socket, context))
			break;
	}
	return 0;
}

int __wrap_la_holders_add(struct la_holders *holders, uint32_t pid)
{
	for (int i = 0; i < HOLDERS; i++) {
		const struct world_holder *from = &scene.world.holders[i];
		struct la_holder *list;

		if (pid && from->pid != pid)
			continue;
		list = realloc(holders->list, (holders->count + 1) * sizeof(*list));
		REQUIRE(list);
		list[holders->count++] = (struct la_holder){from->inode, from->pid, from->fd};
		holders->list = list;
		holders->room = holders->count;
	}
	return 0;
}

void __wrap_la_holders_add_all(struct la_holders *holders)
{
	__wrap_la_holders_add(holders, 0);
	la_holders_sort(holders);
}

int __wrap_la_holders_inode(uint32_t pid, int32_t fd, uint32_t *inode)
{
	if (has(HIDDEN))
		return -EACCES;
	for (int i = 0; i < HOLDERS; i++) {
		*inode = scene.world.holders[i].inode;
		if (scene.world.holders[i].pid == pid && scene.world.holders[i].fd == fd)
			return 0;
	}
	return -ENOENT;
}

/* ---- the child that symbolizes: as hostile as the region ---- */

int __wrap_socketpair(int domain, int type, int protocol, int ends[2])
{
	if (!running)
		return __real_socketpair(domain, type, protocol, ends);
	ends[0] = ends[1] = FD_CHILD;
	return 0;
}

pid_t __wrap_fork(void)
{
	if (!running)
		return __real_fork();
	return has(NO_CHILD) ? -1 : CHILD;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags)
{
	return running && fd == FD_CHILD ? (ssize_t)size : __real_send(fd, bytes, size, flags);
}

int __wrap_poll(struct pollfd *list, nfds_t count, int ms)
{
	return running ? 1 : __real_poll(list, count, ms);
}

/* struct answer of src/cli/symbols.c: line, two flags, two texts; and what pads it, for a stranger may send that too. */
ssize_t __wrap_recv(int fd, void *to, size_t size, int flags)
{
	size_t text = (size - 8) / 2;
	uint8_t *at = to;

	if (!running || fd != FD_CHILD)
		return __real_recv(fd, to, size, flags);
	memcpy(at, &scene.world.answer_line, 4);
	at[4] = scene.world.answer_has & 15;
	at[5] = scene.world.answer_has >> 4;
	for (size_t i = 6; i < size; i++)
		at[i] = (uint8_t)(i < 6 + text ? scene.world.function[(i - 6) % 48]
					       : scene.world.file[(i - 6 - text) % 48]);
	return (ssize_t)(size - scene.world.answer_cut);
}

pid_t __wrap_waitpid(pid_t pid, int *status, int flags)
{
	return running ? pid : __real_waitpid(pid, status, flags);
}
