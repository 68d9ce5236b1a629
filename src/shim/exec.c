/* SPDX-License-Identifier: MIT */
/*
 * exec, in all its forms. The new program, and whoever it starts, will hold what was left inheritable, and nobody counts that: shared
 * from now on. In a vfork child too, whose memory is its parent's.
 */
#include <alloca.h>
#include <stdarg.h>
#include <unistd.h>

#include "shim.h"

void la_before_exec(void)
{
	if (!la_on || la_track_here() == LA_HERE_PASSIVE)
		return;
	la_track_share_inheritable();
	la_track_leaving(true);
}

LA_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	la_before_exec();
	return la_real.execve(path, argv, envp);
}

LA_EXPORT int execv(const char *path, char *const argv[])
{
	la_before_exec();
	return la_real.execv(path, argv);
}

LA_EXPORT int execvp(const char *file, char *const argv[])
{
	la_before_exec();
	return la_real.execvp(file, argv);
}

LA_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	la_before_exec();
	return la_real.execvpe(file, argv, envp);
}

LA_EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	la_before_exec();
	return la_real.fexecve(fd, argv, envp);
}

LA_EXPORT int execveat(
	int folder, const char *path, char *const argv[], char *const envp[], int flags)
{
	la_before_exec();
	return la_real.execveat(folder, path, argv, envp, flags);
}

/* The words of an execl call as an array, on the stack: this may be a vfork child. `last` is the parameter before the first word. */
#define TAKE_WORDS(words, after, first, last)          \
	va_list arguments;                             \
	char **words;                                  \
	size_t count = 1, at;                          \
	va_start(arguments, last);                     \
	while (va_arg(arguments, char *))              \
		count++;                               \
	va_end(arguments);                             \
	words = alloca((count + 1) * sizeof(char *));  \
	words[0] = (char *)(first);                    \
	va_start(arguments, last);                     \
	for (at = 1; at <= count; at++)                \
		words[at] = va_arg(arguments, char *); \
	after;                                         \
	va_end(arguments)

LA_EXPORT int execl(const char *path, const char *word, ...)
{
	TAKE_WORDS(words, (void)0, word, word);
	return execv(path, words);
}

LA_EXPORT int execlp(const char *file, const char *word, ...)
{
	TAKE_WORDS(words, (void)0, word, word);
	return execvp(file, words);
}

LA_EXPORT int execle(const char *path, const char *word, ...)
{
	char **environment;

	TAKE_WORDS(words, environment = va_arg(arguments, char **), word, word);
	return execve(path, words, environment);
}
