/* SPDX-License-Identifier: MIT */
/*
 * Connections that a process was started with (inetd, socket activation for each connection): is it the only one to hold them?
 *
 * No system call says how often a description is held. But what is held by a descriptor shows in /proc, if all of /proc may be read: as
 * root, or where all processes are the user's; and if we did not come into this PID namespace from outside, where nobody is seen. The
 * holders of a description can only come from its holders, so where there is none but us, nobody but us can make another. Whatever is
 * not certain leaves the connection as it is. (A descriptor that is under way in a Unix socket is not seen: who was started with a
 * connection was not started by somebody who gives it to others that way as well.)
 *
 * Asked only when the process ends, an [exit] rule is in force, and such a connection has unread input or unacknowledged output. One
 * exiting thread at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

enum { ENTRIES_BYTES = 4096 };
#define PROVED_WITHIN_NS (500 * LA_MS_NS)

struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

static struct {
	int fd;
	uint64_t inode;
	bool held; /* by another, or that is not known */
} candidates[LA_INHERITED_NUMBERS];
static int count;
static uint64_t until_ns;
static bool gave; /* the application has sent descriptors that we do not follow */

void la_enforce_gave_unknown(void)
{
	gave = true;
}

static bool is_candidate(int fd, uint64_t *inode)
{
	struct stat about;

	if (la_slot_load(fd) || la_kernel_is_tcp(fd) != 1 ||
		!la_close_is_needed(fd, la_kernel_state(fd), LA_LINGER_NEEDED) ||
		la_sys(SYS_fstat, fd, &about) < 0)
		return false;
	*inode = about.st_ino;
	return true;
}

static void find_candidates(void)
{
	uint64_t inode;
	int fd, i;

	count = 0;
	for (fd = 0; fd < LA_INHERITED_NUMBERS; fd++) {
		if (!is_candidate(fd, &inode))
			continue;
		for (i = 0; i < count && candidates[i].inode != inode; i++)
			;
		if (i < count)
			continue; /* 0 and 1 are one connection */
		candidates[count].fd = fd;
		candidates[count].inode = inode;
		candidates[count++].held = false;
	}
}

static bool is_number(const char *text)
{
	return *text >= '0' && *text <= '9';
}

static long number_of(const char *text)
{
	long number = 0;

	for (; is_number(text); text++)
		number = number * 10 + (*text - '0');
	return number;
}

/* "socket:[INODE]" */
static void see_link(const char *link)
{
	static const char kind[] = "socket:[";
	int i;

	if (memcmp(link, kind, sizeof(kind) - 1) != 0)
		return;
	for (i = 0; i < count; i++)
		if ((uint64_t)number_of(link + sizeof(kind) - 1) == candidates[i].inode)
			candidates[i].held = true;
}

/* Of each entry of an open folder whose name is a number: false stops, and means that not all was seen. */
static bool each(int folder, char buffer[ENTRIES_BYTES], bool (*see)(int folder, const char *name))
{
	long got, at;

	while ((got = la_sys(SYS_getdents64, folder, buffer, ENTRIES_BYTES)) > 0)
		for (at = 0; at < got; at += ((struct entry *)(buffer + at))->bytes) {
			const char *name = ((struct entry *)(buffer + at))->name;

			if (is_number(name) && !see(folder, name))
				return false;
		}
	/* A process that has ended meanwhile holds nothing. */
	return got == 0 || got == -ENOENT || got == -ESRCH;
}

static bool see_descriptor(int folder, const char *name)
{
	char link[64] = "";
	long length = la_sys(SYS_readlinkat, folder, name, link, sizeof(link) - 1);

	if (length > 0)
		see_link(link);
	return length > 0 || length == -ENOENT || length == -ESRCH;
}

static bool see_folder(int folder, const char *path, bool (*see)(int folder, const char *name))
{
	static char buffers[2][ENTRIES_BYTES]; /* threads, and the descriptors of one */
	int inner = (int)la_sys(
		SYS_openat, folder, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
	bool all;

	if (inner < 0)
		return inner == -ENOENT || inner == -ESRCH;
	all = each(inner, buffers[see == see_descriptor], see);
	la_sys(SYS_close, inner);
	return all;
}

static long process, self;

/* A thread may have a table of its own. */
static bool see_thread(int folder, const char *name)
{
	long thread = number_of(name);
	char path[40];
	size_t length = strlen(name);

	if (thread != process && la_sys(SYS_kcmp, process, thread, KCMP_FILES, 0, 0) == 0)
		return true;
	memcpy(path, name, length);
	memcpy(path + length, "/fd", 4);
	return see_folder(folder, path, see_descriptor);
}

static bool see_process(int folder, const char *name)
{
	char path[40];
	size_t length = strlen(name);

	process = number_of(name);
	if (process == self)
		return true;
	if (la_now_ns() > until_ns)
		return false;
	memcpy(path, name, length);
	memcpy(path + length, "/task", 6);
	return see_folder(folder, path, see_thread);
}

/* Field 4 of its stat: behind a name that may hold anything. 0: it has none that we could see; -1: not known. */
static long parent_of(int folder, long pid)
{
	char path[40], text[512], *at;
	size_t length = 0;
	long got, rest = pid;
	int fd;

	do
		length++;
	while ((rest /= 10));
	memcpy(path + length, "/stat", 6);
	for (rest = pid; length; rest /= 10)
		path[--length] = (char)('0' + rest % 10);
	fd = (int)la_sys(SYS_openat, folder, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	got = la_sys(SYS_read, fd, text, sizeof(text) - 1);
	la_sys(SYS_close, fd);
	text[got > 0 ? got : 0] = '\0';
	at = strrchr(text, ')');
	return at && strlen(at) > 4 ? number_of(at + 4) : -1;
}

/*
 * Do we come from process 1 of this PID namespace? Then what we were started with came from inside, or with that process. What came in later
 * from outside (nsenter) has a parent there, who is not seen.
 */
static bool comes_from_inside(int folder)
{
	long pid = self, generations;

	for (generations = 0; pid > 1 && generations < 1000; generations++)
		pid = parent_of(folder, pid);
	return pid == 1 && self != 1;
}

/* /proc/1 as well: a /proc that hides others does not show that it does. */
static bool has_seen_all(int folder)
{
	static char buffer[ENTRIES_BYTES];

	return comes_from_inside(folder) &&
	       la_sys(SYS_faccessat, folder, "1/fd", 4 /* R_OK */) == 0 &&
	       each(folder, buffer, see_process);
}

void la_inherited_adopt(void)
{
	int folder, i;
	bool all;

	find_candidates();
	if (!count || gave)
		return;
	folder = (int)la_sys(SYS_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (folder < 0)
		return;
	self = la_sys(SYS_getpid);
	until_ns = la_now_ns() + PROVED_WITHIN_NS;
	all = has_seen_all(folder);
	la_sys(SYS_close, folder);
	for (i = 0; all && i < count; i++)
		if (!candidates[i].held)
			la_track_adopt(candidates[i].fd);
}
