/* SPDX-License-Identifier: MIT */
/*
 * The environment (interface.md section 1) and the policy files that it names. Constructor only.
 */
#ifndef LASTACK_SETTINGS_H
#define LASTACK_SETTINGS_H

#include <lastack/policy.h>

struct la_settings {
	bool disabled, keep;
	const char *dir, *runtime_dir, *log;
	char dir_kept[256], runtime_dir_kept[256];
	uint32_t stack_depth;
	char exe_path[256];
	const char *exe;
	struct la_policy policy;
	bool refused;                 /* the policy files were none: `policy` says nothing */
	struct la_policy_error error; /* text "" when all is well */
};
void la_settings_read(struct la_settings *settings, char *const envp[]);

#endif
