/* SPDX-License-Identifier: MIT */
/*
 * More names for one description: dup, dup2, dup3, fcntl. A dup2 onto a connection closes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/resource.h>

#include <lastack/sys.h>

#include "shim.h"

/* A vfork child arranges its descriptors for the program that it will run: what it copies, that program may hold. */
void la_lent(int fd)
{
	if (la_on && la_track_here() == LA_HERE_VFORK_CHILD)
		la_track_share(fd);
}

LA_COLD void la_duplicated(uint64_t slot, int to)
{
	if (la_here())
		la_track_duplicated(slot, to);
}

/*
 * Between the real call and the count of its result another thread may close the number it came from: not for the last time, though
 * the count still says so. Before there is a connection there is no count.
 */
void la_copying(int fd, uint64_t slot)
{
	if (slot)
		la_lent(fd);
	if (LA_SLOT_TRACKED(slot))
		la_track_giving(slot, 1);
	else if (slot)
		la_track_share(fd);
}

void la_copied(uint64_t slot)
{
	if (LA_SLOT_TRACKED(slot))
		la_track_giving(slot, -1);
}

LA_EXPORT int dup(int fd)
{
	uint64_t slot = la_slot_load(fd);
	int to;

	la_copying(fd, slot);
	to = la_real.dup(fd);
	while (to < 0 && la_make_room())
		to = la_real.dup(fd);
	if (to >= 0 && (slot || la_slot_load(to)))
		la_duplicated(slot, to);
	la_copied(slot);
	return to;
}

/* What the kernel refuses must not cost the target its connection; `to` may have been opened under a higher limit. */
static bool will_replace(int from, int to)
{
	struct rlimit limit = {0, 0};

	return la_sys(SYS_fcntl, from, F_GETFD) >= 0 &&
	       la_sys(SYS_getrlimit, RLIMIT_NOFILE, &limit) == 0 &&
	       (unsigned int)to < limit.rlim_cur;
}

/* `from` and `to` differ. */
LA_COLD int la_dup2_by(int from, int to, int flags, int (*real)(int from, int to, int flags))
{
	uint64_t slot = la_slot_load(from), target = la_slot_load(to);
	struct la_closing closing = {.place = -1};
	int result;

	if ((!slot && !target) || (flags & ~O_CLOEXEC) || !la_here()) {
		if (slot)
			la_lent(from);
		return real(from, to, flags);
	}
	if (LA_SLOT_IS_OWN(slot)) {
		errno = EBADF;
		return -1;
	}
	if (target && will_replace(from, to)) {
		if (LA_SLOT_IS_OWN(target))
			la_enforce_give_way(to);
		else
			closing = la_close_begin(to);
	}
	la_copying(from, slot);
	result = real(from, to, flags);
	la_close_done(closing);
	if (result >= 0)
		la_duplicated(slot, to);
	la_copied(slot);
	return result;
}

static int real_dup2(int from, int to, int flags)
{
	(void)flags;
	return la_real.dup2(from, to);
}

LA_EXPORT int dup2(int from, int to)
{
	return from == to ? la_real.dup2(from, to) : la_dup2_by(from, to, 0, real_dup2);
}

LA_EXPORT int dup3(int from, int to, int flags)
{
	return from == to ? la_real.dup3(from, to, flags)
			  : la_dup2_by(from, to, flags, la_real.dup3);
}

static int control(int fd, int command, void *argument, int (*real)(int fd, int command, ...))
{
	uint64_t slot = la_slot_load(fd);
	int result;

	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
		la_copying(fd, slot);
		result = real(fd, command, argument);
		while (result < 0 && la_make_room())
			result = real(fd, command, argument);
		if (result >= 0 && (slot || la_slot_load(result)))
			la_duplicated(slot, result);
		la_copied(slot);
		return result;
	}
	return real(fd, command, argument);
}

LA_EXPORT int fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return control(fd, command, argument, la_real.fcntl);
}

LA_EXPORT int fcntl64(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return control(fd, command, argument, la_real.fcntl64);
}

LA_EXPORT int __dup2(int from, int to) __attribute__((alias("dup2")));
LA_EXPORT int __fcntl(int fd, int command, ...) __attribute__((alias("fcntl")));
