/* SPDX-License-Identifier: MIT */
/*
 * From the environment to settings. Raw system calls: this runs before the C library is initialised.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include <lastack/sys.h>
#include <lastack/track.h>

#include "settings.h"

enum { FILE_BYTES = 64 * 1024, PATH_BYTES = 512 };

static const char *variable(char *const envp[], const char *name)
{
	size_t length = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
			return *envp + length + 1;
	return NULL;
}

static void join(char *path, size_t room, const char *first, size_t first_length,
	const char *second, const char *third, size_t third_length, const char *fourth)
{
	const char *parts[] = {first, second, third, fourth};
	size_t lengths[] = {first_length, strlen(second), third_length, strlen(fourth)};
	size_t at = 0, i;

	path[0] = '\0';
	for (i = 0; i < 4; i++) {
		if (at + lengths[i] >= room) {
			path[0] = '\0';
			return;
		}
		memcpy(path + at, parts[i], lengths[i]);
		at += lengths[i];
		path[at] = '\0';
	}
}

/* A name of a shipped policy: beside the build folder that we were loaded from, or installed. */
static int open_policy(const char *word, size_t length, char path[PATH_BYTES])
{
	bool is_file = memchr(word, '/', length) ||
		       (length > 7 && strncmp(word + length - 7, ".policy", 7) == 0);
	struct dl_find_object self;
	const char *mine = "", *slash = NULL;
	/* From build/, and from PREFIX/lib wherever PREFIX was moved to. */
	static const char *const beside[] = {"/../policies/", "/../share/lastack/policies/"};
	size_t i;
	int fd;

	if (is_file) {
		join(path, PATH_BYTES, word, length, "", "", 0, "");
		return (int)la_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	}
	if (_dl_find_object((void *)(uintptr_t)open_policy, &self) == 0)
		mine = self.dlfo_link_map->l_name;
	slash = strrchr(mine, '/');
	for (i = 0; slash && i < sizeof(beside) / sizeof(beside[0]); i++) {
		join(path, PATH_BYTES, mine, (size_t)(slash - mine), beside[i], word, length,
			".policy");
		fd = (int)la_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
		if (fd >= 0)
			return fd;
	}
	join(path, PATH_BYTES, LA_DATADIR, strlen(LA_DATADIR), "/policies/", word, length,
		".policy");
	return (int)la_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static void complain(
	struct la_policy_error *error, const char *what, size_t length, const char *why)
{
	join(error->text, sizeof(error->text), what, length > 200 ? 200 : length, ": ", why,
		strlen(why), "");
}

static bool read_policy(struct la_settings *settings, const char *word, size_t length)
{
	static char text[FILE_BYTES];
	char path[PATH_BYTES];
	size_t filled = 0;
	long got;
	int fd = open_policy(word, length, path);

	if (fd < 0) {
		complain(&settings->error, word, length,
			"no such policy: write the path of a file, or the name of a shipped one");
		return false;
	}
	while (filled < sizeof(text) &&
		(got = la_sys(SYS_read, fd, text + filled, sizeof(text) - filled)) > 0)
		filled += (size_t)got;
	la_sys(SYS_close, fd);
	if (filled == sizeof(text)) {
		complain(&settings->error, path, strlen(path), "longer than 64 KiB: no policy is");
		return false;
	}
	return la_policy_parse(&settings->policy, path, text, filled, &settings->error) == 0;
}

static void read_policies(struct la_settings *settings, const char *list)
{
	const char *word = list;
	size_t at;

	la_policy_init(&settings->policy);
	/* Shown by the command: nothing that a terminal would act on. */
	for (at = 0; at < sizeof(settings->policy.name) - 1 && list[at]; at++)
		settings->policy.name[at] =
			(unsigned char)list[at] > ' ' && list[at] < 0x7f ? list[at] : '?';
	while (*word) {
		size_t length = strcspn(word, ",");

		if (length && !read_policy(settings, word, length)) {
			/* All or nothing: half a policy is one that nobody wrote. */
			la_policy_init(&settings->policy);
			strcpy(settings->policy.name, "observe");
			return;
		}
		word += length;
		word += *word == ',';
	}
}

static uint32_t stack_depth(const char *text)
{
	uint32_t depth = 0;

	if (!text || !*text)
		return LA_REGION_STACK_DEPTH;
	for (; *text >= '0' && *text <= '9' && depth < 1000; text++)
		depth = depth * 10 + (uint32_t)(*text - '0');
	return depth > LA_REGION_STACK_DEPTH ? LA_REGION_STACK_DEPTH : depth;
}

/* Asked for again at the first connection, when a program that writes its title over its environment (sshd) has long done so. */
static const char *keep(char kept[256], const char *value)
{
	if (!value || strlen(value) >= 256)
		return value;
	return strcpy(kept, value);
}

void la_settings_read(struct la_settings *settings, char *const envp[])
{
	const char *disable = variable(envp, "LASTACK_DISABLE"),
		   *policy = variable(envp, "LASTACK_POLICY");
	const char *mode = variable(envp, "LASTACK_MODE"), *slash;
	long length = la_sys(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", settings->exe_path,
		sizeof(settings->exe_path) - 1);

	settings->exe_path[length > 0 ? length : 0] = '\0';
	if (length <= 0 && getauxval(AT_EXECFN)) /* no /proc: as it was called */
		strncpy(settings->exe_path, (const char *)getauxval(AT_EXECFN),
			sizeof(settings->exe_path) - 1);
	slash = strrchr(settings->exe_path, '/');
	settings->exe = slash ? slash + 1 : settings->exe_path;
	settings->disabled = disable && strcmp(disable, "1") == 0;
	settings->keep = variable(envp, "LASTACK_LEAK_CHECK") != NULL;
	settings->dir = keep(settings->dir_kept, variable(envp, "LASTACK_DIR"));
	settings->runtime_dir = keep(settings->runtime_dir_kept, variable(envp, "XDG_RUNTIME_DIR"));
	settings->log = variable(envp, "LASTACK_LOG");
	settings->stack_depth = stack_depth(variable(envp, "LASTACK_STACKS"));
	la_policy_init(&settings->policy);
	settings->error.text[0] = '\0';
	if (settings->disabled)
		return;
	if (policy && *policy && strcmp(policy, "observe") != 0)
		read_policies(settings, policy);
	else
		strcpy(settings->policy.name, "observe");
	if (mode && strcmp(mode, "observe") == 0)
		settings->policy.observe = 1;
	else if (mode && *mode && !settings->error.text[0])
		complain(&settings->error, mode, strlen(mode),
			"unknown LASTACK_MODE: write observe, or leave it out");
}
