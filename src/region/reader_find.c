/* SPDX-License-Identifier: MIT */
/*
 * Where regions are: the folders of interface.md section 1.
 */
#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lastack/region_reader.h>

static int in_folder(
	const char *folder, void (*each)(const char *path, void *context), void *context)
{
	struct dirent *entry;
	DIR *list = opendir(folder);
	int count = 0;

	if (!list)
		return 0;
	while ((entry = readdir(list))) {
		size_t length = strlen(entry->d_name);
		char path[512];

		if (length <= 7 || strcmp(entry->d_name + length - 7, ".region") != 0 ||
			(size_t)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >=
				sizeof(path))
			continue;
		each(path, context);
		count++;
	}
	closedir(list);
	return count;
}

static int in_all(const char *pattern, void (*each)(const char *path, void *context), void *context)
{
	glob_t found;
	size_t i;
	int count = 0;

	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return 0;
	for (i = 0; i < found.gl_pathc; i++)
		count += in_folder(found.gl_pathv[i], each, context);
	globfree(&found);
	return count;
}

int la_region_find(void (*each)(const char *path, void *context), void *context)
{
	const char *wanted = getenv("LASTACK_DIR"), *runtime = getenv("XDG_RUNTIME_DIR");
	char path[512];
	int count = 0;

	if (wanted && *wanted)
		return in_folder(wanted, each, context);
	count += in_folder("/run/lastack", each, context);
	if (geteuid() == 0) {
		count += in_all("/run/user/*/lastack", each, context);
		/* root's XDG_RUNTIME_DIR is one of those, as a rule. */
		if (runtime && *runtime && strncmp(runtime, "/run/user/", 10) != 0) {
			snprintf(path, sizeof(path), "%s/lastack", runtime);
			count += in_folder(path, each, context);
		}
		return count + in_all("/dev/shm/lastack-*", each, context);
	}
	if (runtime && *runtime) {
		snprintf(path, sizeof(path), "%s/lastack", runtime);
		count += in_folder(path, each, context);
	}
	snprintf(path, sizeof(path), "/dev/shm/lastack-%u", (unsigned int)geteuid());
	return count + in_folder(path, each, context);
}
