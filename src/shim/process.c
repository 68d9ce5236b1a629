/* SPDX-License-Identifier: MIT */
/*
 * New processes, and the sandbox.
 *
 * fork is counted by pthread_atfork handlers (track/family.c). posix_spawn, system and popen use clone inside, and vfork
 * cannot be wrapped: what their children may inherit is shared from then on.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "shim.h"

LA_EXPORT pid_t fork(void)
{
	pid_t pid = la_real.fork();

	if (pid < 0)
		la_track_fork_failed();
	return pid;
}

static void share_inheritable(void)
{
	if (la_here())
		la_track_share_inheritable();
}

LA_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	share_inheritable();
	return la_real.posix_spawn(pid, path, actions, attributes, argv, envp);
}

LA_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	share_inheritable();
	return la_real.posix_spawnp(pid, file, actions, attributes, argv, envp);
}

LA_EXPORT int system(const char *command)
{
	share_inheritable();
	return la_real.system(command);
}

LA_EXPORT FILE *popen(const char *command, const char *type)
{
	share_inheritable();
	return la_real.popen(command, type);
}

/* In a vfork child, whose memory is its parent's: the new program will hold what the parent left inheritable. */
static void exec_in_vfork_child(void)
{
	if (la_on && la_track_here() == LA_HERE_VFORK_CHILD)
		la_track_share_inheritable();
}

LA_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	exec_in_vfork_child();
	return la_real.execve(path, argv, envp);
}

LA_EXPORT int execv(const char *path, char *const argv[])
{
	exec_in_vfork_child();
	return la_real.execv(path, argv);
}

LA_EXPORT int execvp(const char *file, char *const argv[])
{
	exec_in_vfork_child();
	return la_real.execvp(file, argv);
}

LA_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	exec_in_vfork_child();
	return la_real.execvpe(file, argv, envp);
}

/*
 * Before the filter is there: an unexpected system call would then kill the process (sshd's pre-auth sandbox), and the
 * helper's would be the first.
 */
void la_seccomp(void)
{
	if (la_track_here() != LA_HERE_SELF)
		return;
	la_enforce_stop();
	la_track_become_passive();
}

LA_EXPORT int prctl(int option, ...)
{
	va_list arguments;
	unsigned long a, b, c, d;

	va_start(arguments, option);
	a = va_arg(arguments, unsigned long);
	b = va_arg(arguments, unsigned long);
	c = va_arg(arguments, unsigned long);
	d = va_arg(arguments, unsigned long);
	va_end(arguments);
	/* A filter of NULL only asks whether there are filters. */
	if (option == PR_SET_SECCOMP &&
		(a == SECCOMP_MODE_STRICT || (a == SECCOMP_MODE_FILTER && b)))
		la_seccomp();
	return la_real.prctl(option, a, b, c, d);
}
