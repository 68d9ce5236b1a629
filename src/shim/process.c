/* SPDX-License-Identifier: MIT */
/*
 * New processes, and the sandbox.
 *
 * fork is counted by pthread_atfork handlers (track/family.c). posix_spawn, system and popen use clone inside, and vfork
 * cannot be wrapped: what their children may inherit is shared from then on.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "shim.h"

LA_EXPORT pid_t fork(void)
{
	uint32_t outer = la_track_before_fork();
	pid_t pid = la_real.fork();

	la_track_after_fork(pid, outer);
	return pid;
}

/* These two fork inside the C library, which may fail. */
LA_EXPORT pid_t forkpty(
	int *controller, char *name, const struct termios *mode, const struct winsize *size)
{
	uint32_t outer = la_track_before_fork();
	pid_t pid = la_real.forkpty(controller, name, mode, size);

	la_track_after_fork(pid, outer);
	return pid;
}

/* Returns to a parent only when there is no child. */
LA_EXPORT int daemon(int keep_folder, int keep_output)
{
	uint32_t outer = la_track_before_fork();
	int result = la_real.daemon(keep_folder, keep_output);

	la_track_after_fork(result, outer);
	return result;
}

static void share_inheritable(void)
{
	if (la_here())
		la_track_share_inheritable();
}

/* File actions can hand on any descriptor, also one that would be closed by the exec. */
static void share_for_spawn(const posix_spawn_file_actions_t *actions)
{
	if (!actions)
		share_inheritable();
	else if (la_here())
		la_track_share_all();
}

LA_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	share_for_spawn(actions);
	return la_real.posix_spawn(pid, path, actions, attributes, argv, envp);
}

LA_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	share_for_spawn(actions);
	return la_real.posix_spawnp(pid, file, actions, attributes, argv, envp);
}

LA_EXPORT int system(const char *command)
{
	share_inheritable();
	return la_real.system(command);
}

LA_EXPORT FILE *popen(const char *command, const char *type)
{
	FILE *stream;

	share_inheritable();
	stream = la_real.popen(command, type);
	while (!stream && la_make_room())
		stream = la_real.popen(command, type);
	return stream;
}

/* Nobody counts these: both ends must take everything for shared. */
void la_uncounted_child(bool shares_table)
{
	if (!shares_table && la_here())
		la_track_share_all();
}

/* Found out now, in the child itself: a vfork child of its own, in the same memory, could not be told from it. */
void la_uncounted_here(void)
{
	int saved = errno;

	(void)la_here();
	errno = saved;
}

LA_EXPORT pid_t _Fork(void)
{
	pid_t pid;

	la_uncounted_child(false);
	pid = la_real._Fork();
	if (pid == 0)
		la_uncounted_here();
	return pid;
}

LA_EXPORT int clone(int (*entry)(void *), void *stack, int flags, void *argument, ...)
{
	va_list arguments;
	void *a, *b, *c;

	va_start(arguments, argument);
	a = va_arg(arguments, void *);
	b = va_arg(arguments, void *);
	c = va_arg(arguments, void *);
	va_end(arguments);
	la_uncounted_child(flags & CLONE_FILES);
	return la_real.clone(entry, stack, flags, argument, a, b, c);
}

/*
 * Before the filter is there: an unexpected system call would then kill the process (sshd's pre-auth sandbox), and the
 * helper's would be the first.
 */
void la_seccomp(void)
{
	if (!la_here_or_apart())
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
	if (option == PR_SET_NO_NEW_PRIVS || option == PR_CAPBSET_DROP) {
		/* Of one thread only, as far as the kernel goes; the helper follows the caller. */
		struct la_alone alone = la_alone_begin();
		int result = la_real.prctl(option, a, b, c, d);

		la_alone_end(alone);
		return result;
	}
	return la_real.prctl(option, a, b, c, d);
}

LA_EXPORT pid_t __fork(void) __attribute__((alias("fork"), nothrow));
LA_EXPORT int __clone(int (*entry)(void *), void *stack, int flags, void *argument, ...)
	__attribute__((alias("clone"), nothrow, leaf));
LA_EXPORT FILE *_IO_popen(const char *command, const char *type)
	__attribute__((alias("popen"), malloc));
