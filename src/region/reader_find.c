/* SPDX-License-Identifier: MIT */
/*
 * Where regions are: the folders of interface.md section 1.
 */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lastack/region_reader.h>

struct finding {
	void (*each)(const char *path, void *context);
	void *context;
	char *denied;
};

static int in_folder(const char *folder, const struct finding *finding)
{
	struct dirent *entry;
	DIR *list = opendir(folder);
	int count = 0;

	if (!list) {
		if (errno == EACCES && !finding->denied[0])
			snprintf(finding->denied, 512, "%s", folder);
		return 0;
	}
	while ((entry = readdir(list))) {
		size_t length = strlen(entry->d_name);
		char path[512];

		if (length <= 7 || strcmp(entry->d_name + length - 7, ".region") != 0 ||
			(size_t)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >=
				sizeof(path))
			continue;
		finding->each(path, finding->context);
		count++;
	}
	closedir(list);
	return count;
}

static int in_all(const char *pattern, const struct finding *finding)
{
	glob_t found;
	size_t i;
	int count = 0;

	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return 0;
	for (i = 0; i < found.gl_pathc; i++)
		count += in_folder(found.gl_pathv[i], finding);
	globfree(&found);
	return count;
}

static int in_default_folders(const struct finding *finding)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[512];
	int count = in_folder("/run/lastack", finding);

	if (geteuid() == 0) {
		count += in_all("/run/user/*/lastack", finding);
		/* root's XDG_RUNTIME_DIR is one of those, as a rule. */
		if (runtime && *runtime && strncmp(runtime, "/run/user/", 10) != 0) {
			snprintf(path, sizeof(path), "%s/lastack", runtime);
			count += in_folder(path, finding);
		}
		return count + in_all("/dev/shm/lastack-*", finding);
	}
	if (runtime && *runtime) {
		snprintf(path, sizeof(path), "%s/lastack", runtime);
		count += in_folder(path, finding);
	}
	snprintf(path, sizeof(path), "/dev/shm/lastack-%u", (unsigned int)geteuid());
	return count + in_folder(path, finding);
}

int la_region_find(void (*each)(const char *path, void *context), void *context, char denied[512])
{
	const struct finding finding = {.each = each, .context = context, .denied = denied};
	const char *wanted = getenv("LASTACK_DIR");
	int count;

	denied[0] = '\0';
	count = wanted && *wanted ? in_folder(wanted, &finding) : in_default_folders(&finding);
	return count == 0 && denied[0] ? -EACCES : count;
}
