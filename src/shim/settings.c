/* SPDX-License-Identifier: MIT */
/*
 * From the environment to settings. Raw system calls: this runs before the C library is initialised.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>

#include <lastack/enforce.h>
#include <lastack/sys.h>
#include <lastack/track.h>

#include "settings.h"

static const char *variable(char *const envp[], const char *name)
{
	size_t length = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
			return *envp + length + 1;
	return NULL;
}

static void complain(struct la_policy_error *error, const char *what, const char *why)
{
	size_t length = strlen(what), why_length = strlen(why);

	if (length > sizeof(error->text) - why_length - 3)
		length = sizeof(error->text) - why_length - 3;
	memcpy(error->text, what, length);
	memcpy(error->text + length, ": ", 2);
	memcpy(error->text + length + 2, why, why_length + 1);
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
	bool only_observe;
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
	only_observe = mode && strcmp(mode, "observe") == 0;
	settings->policy.observe = only_observe;
	strcpy(settings->policy.name, "observe");
	if (policy && *policy && strcmp(policy, "observe") != 0)
		settings->refused = la_policy_files_read(&settings->policy, policy, only_observe,
					    &settings->error) < 0;
	if (mode && *mode && !only_observe && !settings->error.text[0])
		complain(&settings->error, mode,
			"unknown LASTACK_MODE: write observe, or leave it out");
}
