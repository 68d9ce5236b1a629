/* SPDX-License-Identifier: MIT */
/*
 * Plugins that come and go, and open and close connections as they do.
 *
 * plugged keep FOLDER: alpha and omega come, at the same place, open a connection that they forget, and go. Their peers hang up.
 * plugged churn FOLDER TIMES: they come and go so many times and close what they opened.
 * plugged deep FOLDER: alpha comes with RTLD_DEEPBIND, opens a connection, and goes, which closes it.
 */
#include <dlfcn.h>

#include "hard.h"

static void *come(const char *folder, const char *name, int flags)
{
	char path[512];
	void *plugin;

	snprintf(path, sizeof(path), "%s/%s.so", folder, name);
	plugin = dlopen(path, RTLD_NOW | flags);
	if (!plugin)
		printf("%s\n", dlerror());
	NEEDED(plugin);
	return plugin;
}

static void come_and_go(const char *folder, const char *name, int flags, bool keeps)
{
	void *plugin = come(folder, name, flags);
	int fd = accept(listener, NULL, NULL);

	NEEDED(fd >= 0);
	dlclose(plugin);
	if (!keeps)
		NEEDED(peer_reads(fd) == 0);
	close(fd);
}

int main(int count, char **arguments)
{
	static const char *const names[] = {"alpha", "omega"};
	const char *how = count > 2 ? arguments[1] : "";
	int times = count > 3 ? atoi(arguments[3]) : 2, i;
	bool keeps = strcmp(how, "keep") == 0;
	char port[16];

	begin();
	snprintf(port, sizeof(port), "%d", ntohs(address.sin_port));
	setenv("PLUGIN_PORT", port, 1);
	if (keeps)
		setenv("PLUGIN_KEEPS", "1", 1);
	for (i = 0; i < times; i++)
		come_and_go(arguments[2], names[i % 2],
			strcmp(how, "deep") == 0 ? RTLD_DEEPBIND : 0, keeps);
	printf("listening %s\n", port);
	getchar();
	return 0;
}
