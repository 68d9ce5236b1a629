/* SPDX-License-Identifier: MIT */
/*
 * The policy files that LASTACK_POLICY names: found at start, read then and whenever they have changed.
 *
 * Raw system calls: the first reading is before the C library is initialised, the others are the watcher's, which has no thread-local
 * storage. A path is kept as it was named, only made absolute: the program may change its folder, and a symbolic link in it may be turned to
 * another file (a Kubernetes ConfigMap).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <lastack/sys.h>

#include "internal.h"

enum { PATH_BYTES = 512, TEXT_BYTES = 64 * 1024 };

static char paths[LA_FILES][PATH_BYTES];
static uint32_t count;
static bool watched;
static bool observe; /* LASTACK_MODE: stays, whatever the files say */
static char name[sizeof(((struct la_policy *)0)->name)];
static char text[TEXT_BYTES];
static struct la_files_look at_start;

static bool join(char path[PATH_BYTES], const char *first, size_t first_length, const char *second,
	const char *third, size_t third_length, const char *fourth)
{
	const char *parts[] = {first, second, third, fourth};
	size_t lengths[] = {first_length, strlen(second), third_length, strlen(fourth)};
	size_t at = 0, i;

	path[0] = '\0';
	for (i = 0; i < 4; i++) {
		if (at + lengths[i] >= PATH_BYTES) {
			path[0] = '\0';
			return false;
		}
		memcpy(path + at, parts[i], lengths[i]);
		at += lengths[i];
		path[at] = '\0';
	}
	return true;
}

static void complain(struct la_policy_error *error, const char *what, const char *why)
{
	size_t length = strlen(what), room = sizeof(error->text) - strlen(why) - 3, at;

	if (length > room) {
		what += length - room;
		length = room;
	}
	for (at = 0; at < length; at++)
		error->text[at] = what[at] < ' ' || what[at] > '~' ? '?' : what[at];
	memcpy(error->text + at, ": ", 2);
	strcpy(error->text + at + 2, why);
}

/* By its path: no descriptor, so no number that the application could miss. */
static void look_at(const char *path, struct la_file_mark *mark)
{
	struct statx status;
	long result = path[0] ? la_sys(SYS_statx, AT_FDCWD, path, AT_STATX_SYNC_AS_STAT,
					STATX_BASIC_STATS, &status)
			      : -ENAMETOOLONG;

	*mark = (struct la_file_mark){.error = (int32_t)result};
	if (result < 0)
		return;
	mark->device = (uint64_t)status.stx_dev_major << 32 | status.stx_dev_minor;
	mark->inode = status.stx_ino;
	mark->bytes = status.stx_size;
	mark->mode = status.stx_mode & S_IFMT;
	mark->modified_ns = status.stx_mtime.tv_sec * 1000000000ll + status.stx_mtime.tv_nsec;
	mark->changed_ns = status.stx_ctime.tv_sec * 1000000000ll + status.stx_ctime.tv_nsec;
}

static bool exists(const char *path)
{
	struct la_file_mark mark;

	look_at(path, &mark);
	return mark.error == 0;
}

/* A name of a shipped policy: beside the build folder that we were loaded from, or installed. Where there is none, where it would be installed. */
static void find_shipped(const char *word, size_t length, char path[PATH_BYTES])
{
	/* From build/, and from PREFIX/lib wherever PREFIX was moved to. */
	static const char *const beside[] = {"/../policies/", "/../share/lastack/policies/"};
	struct dl_find_object self;
	const char *mine = "", *slash;
	size_t i;

	if (_dl_find_object((void *)(uintptr_t)find_shipped, &self) == 0)
		mine = self.dlfo_link_map->l_name;
	slash = strrchr(mine, '/');
	for (i = 0; slash && i < sizeof(beside) / sizeof(beside[0]); i++)
		if (join(path, mine, (size_t)(slash - mine), beside[i], word, length, ".policy") &&
			exists(path))
			return;
	join(path, LA_DATADIR, strlen(LA_DATADIR), "/policies/", word, length, ".policy");
}

static bool is_file(const char *word, size_t length)
{
	return memchr(word, '/', length) ||
	       (length > 7 && strncmp(word + length - 7, ".policy", 7) == 0);
}

static void find(const char *word, size_t length, char path[PATH_BYTES])
{
	char folder[PATH_BYTES] = "";

	if (!is_file(word, length))
		find_shipped(word, length, path);
	else if (word[0] == '/' || la_sys(SYS_getcwd, folder, sizeof(folder)) < 0 ||
		 folder[0] != '/')
		join(path, word, length, "", "", 0, "");
	else
		join(path, folder, strlen(folder), "/", word, length, "");
}

static const char *why_not(long error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR: return "there is no such file";
	case -EACCES:
	case -EPERM: return "this process may not read it";
	case -ELOOP: return "a symbolic link that leads nowhere";
	default: return "cannot be read";
	}
}

static bool will_pass(long error)
{
	return error == -ENFILE || error == -EMFILE || error == -ENOMEM || error == -EINTR;
}

/* Appends its rules. 0; -EINVAL: it is no policy, or there is none; -EAGAIN: another time it may be read. */
static int read_file(struct la_policy *policy, const char *path, const char *shown, int flags,
	struct la_policy_error *error)
{
	struct stat status;
	size_t filled = 0;
	long got = 0, fd = la_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | flags, 0);

	if (fd < 0) {
		complain(error, shown, why_not(fd));
		return will_pass(fd) ? -EAGAIN : -EINVAL;
	}
	/* At start it may be a pipe. */
	if ((flags & O_NONBLOCK) &&
		(la_sys(SYS_fstat, fd, &status) < 0 || !S_ISREG(status.st_mode))) {
		la_sys(SYS_close, fd);
		complain(error, shown, "no regular file any more");
		return -EINVAL;
	}
	while (filled < sizeof(text) &&
		(got = la_sys(SYS_read, fd, text + filled, sizeof(text) - filled)) > 0)
		filled += (size_t)got;
	la_sys(SYS_close, fd);
	if (got < 0 || filled == sizeof(text)) {
		complain(error, shown, got < 0 ? why_not(got) : "longer than 64 KiB: no policy is");
		return will_pass(got) ? -EAGAIN : -EINVAL;
	}
	return la_policy_parse(policy, shown, text, filled, error) == 0 ? 0 : -EINVAL;
}

/* The clock of the file system ticks every few ms: what has changed just now may change once more and look the same. */
enum { YOUNG_S = 2 };

static bool is_young(const struct la_file_mark *mark)
{
	struct timespec now = {0, 0};

	la_sys(SYS_clock_gettime, CLOCK_REALTIME, &now);
	return mark->changed_ns > (now.tv_sec - YOUNG_S) * 1000000000ll;
}

static bool can_be_watched(const struct la_file_mark *mark)
{
	return mark->error ? mark->error != -ENAMETOOLONG : mark->mode == S_IFREG;
}

/* Is there a file whose change could change anything? Not so the shipped one that says nothing. A pipe cannot be read twice. */
static bool shall_be_watched(void)
{
	char nothing[PATH_BYTES];
	struct la_file_mark shipped;
	bool any = false;
	uint32_t i;

	find_shipped("observe", strlen("observe"), nothing);
	look_at(nothing, &shipped);
	for (i = 0; i < count; i++) {
		const struct la_file_mark *mark = &at_start.files[i];

		if (!can_be_watched(mark))
			return false;
		any |= mark->error || shipped.error || mark->device != shipped.device ||
		       mark->inode != shipped.inode;
	}
	return any;
}

static int read_first(struct la_policy *policy, const char *word, size_t length, const char *path,
	struct la_policy_error *error)
{
	char shown[PATH_BYTES];

	join(shown, word, length, "", "", 0, "");
	if (!exists(path)) {
		complain(error, shown,
			"no such policy: write the path of a file, or the name of a shipped one");
		return -EINVAL;
	}
	return read_file(policy, path, is_file(word, length) ? shown : path, 0, error);
}

static void start_anew(struct la_policy *policy, const char *named)
{
	la_policy_init(policy);
	policy->observe = observe;
	strcpy(policy->name, named);
}

int la_policy_files_read(struct la_policy *policy, const char *list, bool only_observe,
	struct la_policy_error *error)
{
	const char *word = list;
	int result = 0;
	size_t at, length;

	observe = only_observe;
	/* Shown by the command: nothing that a terminal would act on. */
	for (at = 0; at < sizeof(name) - 1 && list[at]; at++)
		name[at] = (unsigned char)list[at] > ' ' && list[at] < 0x7f ? list[at] : '?';
	start_anew(policy, name);
	for (; *word; word += length + (word[length] == ',')) {
		length = strcspn(word, ",");
		if (!length)
			continue;
		if (count == LA_FILES) {
			complain(error, name, "more policies than 16: write fewer, longer ones");
			count = 0;
			start_anew(policy, "observe");
			return -EINVAL;
		}
		find(word, length, paths[count]);
		look_at(paths[count], &at_start.files[count]);
		if (result == 0)
			result = read_first(policy, word, length, paths[count], error);
		count++;
	}
	watched = shall_be_watched();
	for (at = 0; at < count; at++)
		if (is_young(&at_start.files[at]))
			at_start.files[at] = (struct la_file_mark){0};
	if (result < 0) {
		/* All or nothing: half a policy is one that nobody wrote. */
		start_anew(policy, "observe");
		at_start = (struct la_files_look){0};
	}
	return result;
}

bool la_files_watched(void)
{
	return watched;
}

const struct la_files_look *la_files_at_start(void)
{
	return &at_start;
}

void la_files_look(struct la_files_look *look)
{
	uint32_t i;

	*look = (struct la_files_look){0};
	for (i = 0; i < count; i++)
		look_at(paths[i], &look->files[i]);
}

int la_files_read_again(struct la_policy *policy, struct la_policy_error *error)
{
	uint32_t i;
	int result = 0;

	start_anew(policy, name);
	for (i = 0; i < count && result == 0; i++)
		result = read_file(policy, paths[i], paths[i], O_NONBLOCK | O_NOCTTY, error);
	return result;
}
