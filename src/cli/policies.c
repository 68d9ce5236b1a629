/* SPDX-License-Identifier: MIT */
/*
 * Finding and reading policy files, by path or by name. As the shim does it (src/shim/settings.c), but with room to explain.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lastack/policy.h>

#include "cli.h"

enum { FILE_BYTES = 64 * 1024 }; /* the shim reads no longer one */

const char *la_own_folder(void)
{
	static char folder[4096];
	ssize_t length;
	char *slash;

	if (folder[0])
		return folder;
	length = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	folder[length > 0 ? length : 0] = '\0';
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	return folder;
}

/* As it was named: a symbolic link in it may be turned later, and the process is to follow that. */
static void make_absolute(const char *word, char path[4096])
{
	char *folder = *word == '/' ? NULL : getcwd(NULL, 0);

	snprintf(path, 4096, "%s%s%s", folder ? folder : "", folder ? "/" : "", word);
	free(folder);
}

bool la_policy_file(const char *word, char path[4096])
{
	size_t length = strlen(word);
	char *absolute;

	if (strchr(word, '/') || (length > 7 && strcmp(word + length - 7, ".policy") == 0)) {
		make_absolute(word, path);
		return access(path, F_OK) == 0;
	}
	snprintf(path, 4096, "%.3800s/../policies/%.200s.policy", la_own_folder(), word);
	if (access(path, F_OK) != 0)
		snprintf(path, 4096, "%.3800s/../share/lastack/policies/%.200s.policy",
			la_own_folder(), word);
	if (access(path, F_OK) != 0)
		snprintf(path, 4096, "%s/policies/%.200s.policy", LA_DATADIR, word);
	if (access(path, F_OK) != 0)
		return false;
	absolute = realpath(path, NULL);
	if (absolute)
		snprintf(path, 4096, "%s", absolute);
	free(absolute);
	return true;
}

int la_policy_load(struct la_policy *policy, const char *path)
{
	static char text[FILE_BYTES + 1];
	struct la_policy_error error;
	FILE *file = fopen(path, "re");
	size_t length;
	char *name = la_safe(path);
	int status = LA_EXIT_POLICY;

	if (!file) {
		la_say("%s: %s", name ? name : "?", strerror(errno));
		free(name);
		return status;
	}
	length = fread(text, 1, sizeof(text), file);
	if (ferror(file))
		la_say("%s: %s", name ? name : "?", strerror(errno));
	else if (length > FILE_BYTES)
		la_say("%s: longer than 64 KiB: no policy is", name ? name : "?");
	else if (la_policy_parse(policy, name ? name : "?", text, length, &error) < 0)
		fprintf(stderr, "%s\n", error.text); /* FILE:LINE first, as compilers do */
	else
		status = LA_EXIT_OK;
	fclose(file);
	free(name);
	return status;
}
