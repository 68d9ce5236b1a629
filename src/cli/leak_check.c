/* SPDX-License-Identifier: MIT */
/*
 * lastack run --leak-check: a command as a child, whose regions go to a folder of their own and stay until they were read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"
#include "leak_check.h"
#include "leaks.h"

/* Memory first: on a disk every page that a hook touches is written out sooner or later. */
static bool make_folder(char folder[4096])
{
	const char *const places[] = {"/dev/shm", getenv("TMPDIR"), "/tmp"};
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		/* The shim takes no longer one. */
		if (!places[i] || places[i][0] != '/' || strlen(places[i]) > 150)
			continue;
		snprintf(folder, 4096, "%s/lastack-leak-check.XXXXXX", places[i]);
		if (mkdtemp(folder))
			return true;
	}
	la_say("run --leak-check: no folder for the regions: %s", strerror(errno));
	return false;
}

/* Only regions were made there; somebody else's files stay, and so does the folder then. */
static void remove_folder(const char *folder)
{
	DIR *list = opendir(folder);
	const struct dirent *entry;

	while (list && (entry = readdir(list))) {
		const char *end = strrchr(entry->d_name, '.');

		if (end && strcmp(end, ".region") == 0)
			unlinkat(dirfd(list), entry->d_name, 0);
	}
	if (list)
		closedir(list);
	if (rmdir(folder) < 0)
		la_say("%s: %s", folder, strerror(errno));
}

int la_leak_check(char *const argv[], int leak_status)
{
	char folder[4096];
	int status, leaks;

	if (!make_folder(folder))
		return LA_EXIT_OWN_FAILURE;
	setenv("LASTACK_DIR", folder, 1);
	setenv("LASTACK_LEAK_CHECK", "1", 1);
	status = la_child_run(argv);
	/* The command's output is on standard output: it ends where the command ended. */
	fflush(stdout);
	leaks = dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || status < 0 ? -1 : la_leaks_report();
	fflush(stdout);
	remove_folder(folder);
	if (status < 0)
		return LA_EXIT_OWN_FAILURE;
	if (leaks > 0)
		return leak_status;
	status = la_child_end_as(status);
	return leaks < 0 && status == 0 ? LA_EXIT_OWN_FAILURE : status;
}
