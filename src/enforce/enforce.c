/* SPDX-License-Identifier: MIT */
/*
 * Enforcement as the hooks see it: begun, stopped, held up, and taken up again in the child of a fork.
 */
#include <string.h>

#include "internal.h"

struct la_enforce_settings la_enforce_config;

static _Atomic bool stopped;

bool la_enforce_closes(void)
{
	return la_in_force_closes() && !stopped;
}

bool la_enforce_exits(void)
{
	return la_in_force_exits() && !stopped;
}

static void fork_child(void)
{
	la_drains_abandon();
	la_act_abandon();
	la_helper_forked();
	la_exit_forked();
	/* The first of a PID namespace: the kernel drops the signal only while it has its default action. */
	if (la_sys(SYS_getpid) == 1)
		la_terminate_unguard();
}

/* One behind the other, as the kernel laid them out. */
static void measure_words(void)
{
	char **words = la_enforce_config.argv, *end = words ? words[0] : NULL;

	for (; end && *words == end; words++)
		end += strlen(end) + 1;
	la_enforce_config.argv_bytes = end ? (size_t)(end - la_enforce_config.argv[0]) : 0;
	la_enforce_config.argv_first = end ? la_enforce_config.argv[0] : NULL;
}

int la_enforce_start(const struct la_enforce_settings *settings)
{
	int result;

	la_enforce_config = *settings;
	measure_words();
	la_in_force_start(settings->policy);
	la_track_on_fork_child(fork_child);
	result = la_log_open(settings->log);
	la_track_on_lack(la_log_lack);
	if (settings->refused)
		la_reload_refused_at_start(settings->refused);
	return result;
}

void la_enforce_connection(void)
{
	if (!stopped && atomic_load_explicit(&la_track_region, memory_order_relaxed))
		la_terminate_connection();
	if (!stopped && la_in_force_bounds()) {
		la_helper_ensure();
		la_bounds_connection();
	}
}

void la_enforce_pause(void)
{
	la_helper_pause();
}

void la_enforce_resume(bool may_start)
{
	la_helper_resume(may_start);
}

void la_enforce_stop(void)
{
	stopped = true;
	la_terminate_unguard();
	la_helper_stop();
}
