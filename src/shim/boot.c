/* SPDX-License-Identifier: MIT */
/*
 * Start and end. The object is marked initfirst, so this constructor runs before any other; still there may have been calls.
 */
#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include <lastack/kernel.h>
#include <lastack/sys.h>

#include "settings.h"
#include "shim.h"

bool la_on;

static struct la_settings settings;

static void say(const char *text)
{
	char line[400] = "lastack: ";
	size_t length = strlen(text);

	if (length > sizeof(line) - 11)
		length = sizeof(line) - 11;
	memcpy(line + 9, text, length);
	line[9 + length] = '\n';
	la_sys_write_aside(2, line, length + 10);
}

/* At start; later the log has it. */
static void say_lack(enum la_lack lack, int error)
{
	(void)error;
	say(la_lack_meaning(lack));
}

/*
 * The C library's own clock, and no other preload's: one that plays with time must not move our instants. Not found by
 * dlopen(), which would run the C library's constructors here, before it knows its environment.
 */
static void use_clock(void)
{
	void *clock = dlsym(RTLD_NEXT, "clock_gettime");
	struct dl_find_object owner;
	const char *slash;

	if (!clock || _dl_find_object(clock, &owner) != 0)
		return;
	slash = strrchr(owner.dlfo_link_map->l_name, '/');
	if (slash && strcmp(slash, "/libc.so.6") == 0)
		la_kernel_use_clock((int (*)(int, struct timespec *))clock);
}

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
	struct la_track_settings track = {0};
	struct la_enforce_settings enforce = {0};

	(void)argc;
	la_real_bind();
	if (getauxval(AT_SECURE))
		return;
	la_settings_read(&settings, envp);
	if (settings.disabled)
		return;
	use_clock();
	if (settings.error.text[0])
		say(settings.error.text);
	track.dir = settings.dir;
	track.runtime_dir = settings.runtime_dir;
	track.exe = settings.exe;
	track.exe_path = settings.exe_path;
	track.stack_depth = settings.stack_depth;
	track.policy = &settings.policy;
	track.keep = settings.keep;
	enforce.policy = &settings.policy;
	enforce.refused = settings.refused ? &settings.error : NULL;
	enforce.exe = settings.exe;
	enforce.argv = argv;
	enforce.log = settings.log;
	la_track_on_lack(say_lack);
	la_track_start(&track);
	if (la_enforce_start(&enforce) < 0)
		say("the log named by LASTACK_LOG cannot be written: going on without");
	la_exit_bind();
	la_on = true;
}
