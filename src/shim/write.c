/* SPDX-License-Identifier: MIT */
/*
 * Writing. A write costs the load of its slot, before the call. On a connection that lastack ends it is made in a way that raises no SIGPIPE;
 * EPIPE comes as ever. When the end was not ours after all (src/enforce/sigpipe.c), the signal is the application's.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>

#include <lastack/sys.h>

#include "shim.h"

static const uint64_t sigpipe = LA_SIGNAL(SIGPIPE);
static_assert(sizeof(off_t) == sizeof(off64_t), "one offset");

/* Is the number still that connection, and may we make calls that the application did not? */
static bool is_it(int fd, uint64_t slot)
{
	return !la_track_is_passive() && la_track_is_still(fd, slot);
}

static void count_held(void)
{
	if (la_here())
		la_track_count(LA_COUNT_SIGPIPE_HELD);
}

/* To this thread. */
static void signal_self(const siginfo_t *info)
{
	long process = la_sys(SYS_getpid), thread = la_sys(SYS_gettid);

	la_sys(SYS_rt_tgsigqueueinfo, process, thread, SIGPIPE, info);
}

/* As the kernel does it: from this process. */
static void send_sigpipe(void)
{
	siginfo_t info = {.si_signo = SIGPIPE, .si_code = SI_USER};

	info.si_pid = (pid_t)la_sys(SYS_getpid);
	info.si_uid = (uid_t)la_sys(SYS_getuid);
	signal_self(&info);
}

LA_COLD int la_quiet_flag(int fd, uint64_t slot)
{
	return is_it(fd, slot) ? MSG_NOSIGNAL : 0;
}

LA_COLD void la_quiet_result(uint64_t slot, long result, int flags)
{
	if (result != -1 || errno != EPIPE)
		return;
	if (la_enforce_has_ended(slot)) {
		count_held();
	} else if (!(flags & MSG_NOSIGNAL)) {
		send_sigpipe();
		errno = EPIPE;
	}
}

static bool is_pending(void)
{
	uint64_t pending = 0;

	la_sys(SYS_rt_sigpending, &pending, sizeof(pending));
	return pending & sigpipe;
}

/*
 * What the kernel sends for this EPIPE waits in the thread's own queue, and a signal from there is taken before one of the process's: what somebody
 * else sends by kill() meanwhile is not lost. One that another thread sends to just this one (tgkill, pthread_kill) is sent on if it came
 * first; if second, the kernel has merged it with its own, as it would have without us. Where the application has blocked SIGPIPE, and one
 * waits already, none is taken.
 */
LA_COLD struct la_quiet la_quiet_begin(int fd, uint64_t slot)
{
	struct la_quiet quiet = {.slot = slot};
	uint64_t blocked = 0;
	int tries;

	if (!is_it(fd, slot))
		return quiet;
	quiet.on = true;
	for (tries = 0; tries < 8; tries++) {
		la_sys(SYS_rt_sigprocmask, SIG_BLOCK, &sigpipe, &blocked, sizeof(blocked));
		quiet.blocks = !(blocked & sigpipe);
		quiet.pending = is_pending();
		if (!quiet.pending || !quiet.blocks)
			break;
		/* It has come this moment: before the call. */
		la_sys(SYS_rt_sigprocmask, SIG_UNBLOCK, &sigpipe, NULL, sizeof(sigpipe));
		quiet.blocks = quiet.pending = false;
	}
	return quiet;
}

static void take_sigpipe(void)
{
	static const uint64_t no_time[2];
	siginfo_t info = {0};

	if (la_sys(SYS_rt_sigtimedwait, &sigpipe, &info, no_time, sizeof(sigpipe)) != SIGPIPE)
		return;
	if (info.si_code == SI_USER && info.si_pid == (pid_t)la_sys(SYS_getpid))
		count_held();
	else
		signal_self(&info);
}

void la_quiet_end(struct la_quiet *quiet, long result)
{
	if (!quiet->on)
		return;
	quiet->on = false;
	if (result == -1 && errno == EPIPE && !quiet->pending && la_enforce_has_ended(quiet->slot))
		take_sigpipe();
	if (quiet->blocks)
		la_sys(SYS_rt_sigprocmask, SIG_UNBLOCK, &sigpipe, NULL, sizeof(sigpipe));
}

/* For LA_QUIET: the thread is cancelled in the call. */
void la_quiet_cancelled(struct la_quiet *quiet)
{
	la_quiet_end(quiet, 0);
}

static LA_COLD ssize_t quiet_send(int fd, uint64_t slot, const void *data, size_t bytes, int flags,
	const struct sockaddr *to, socklen_t length)
{
	ssize_t result =
		la_real.sendto(fd, data, bytes, flags | la_quiet_flag(fd, slot), to, length);

	la_quiet_result(slot, result, flags);
	return result;
}

static LA_COLD ssize_t quiet_write(int fd, uint64_t slot, const void *data, size_t bytes)
{
	ssize_t result;

	if (!la_quiet_flag(fd, slot))
		return la_real.write(fd, data, bytes);
	result = la_real.send(fd, data, bytes, MSG_NOSIGNAL);
	la_quiet_result(slot, result, 0);
	return result;
}

/* A writev of no bytes succeeds everywhere, a message does not. What the kernel cannot read, it refuses either way. */
static bool is_nothing(const struct iovec *parts, size_t count)
{
	enum { IN_A_PAGE = 4096 / sizeof(struct iovec) };
	size_t i;

	for (i = 0; i < count; i += IN_A_PAGE)
		if (!la_sys_can_read(&parts[i]))
			return false;
	return la_sys_can_read(&parts[count - 1].iov_len) && la_room_of(parts, count) == 0;
}

static LA_COLD ssize_t quiet_writev(int fd, uint64_t slot, const struct iovec *parts, int count)
{
	struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
	ssize_t result;

	/* Another count is refused with another error than a message's. */
	if (count <= 0 || count > IOV_MAX || !la_quiet_flag(fd, slot) ||
		is_nothing(parts, (size_t)count))
		return la_real.writev(fd, parts, count);
	result = la_real.sendmsg(fd, &message, MSG_NOSIGNAL);
	la_quiet_result(slot, result, 0);
	return result;
}

LA_EXPORT ssize_t write(int fd, const void *data, size_t bytes)
{
	uint64_t slot = la_slot_load(fd);

	if (LA_SLOT_IS_ENFORCED(slot))
		return quiet_write(fd, slot, data, bytes);
	return la_real.write(fd, data, bytes);
}

LA_EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	uint64_t slot = la_slot_load(fd);

	if (LA_SLOT_IS_ENFORCED(slot))
		return quiet_writev(fd, slot, parts, count);
	return la_real.writev(fd, parts, count);
}

LA_EXPORT ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
	uint64_t slot = la_slot_load(fd);

	if (LA_SLOT_IS_ENFORCED(slot))
		return quiet_send(fd, slot, data, bytes, flags, NULL, 0);
	return la_real.send(fd, data, bytes, flags);
}

LA_EXPORT ssize_t sendto(int fd, const void *data, size_t bytes, int flags,
	const struct sockaddr *to, socklen_t length)
{
	uint64_t slot = la_slot_load(fd);

	if (LA_SLOT_IS_ENFORCED(slot))
		return quiet_send(fd, slot, data, bytes, flags, to, length);
	return la_real.sendto(fd, data, bytes, flags, to, length);
}

/*
 * Those that take no such flag. Of functions that differ in nothing but the name of an offset's type one stands for both.
 */
static LA_COLD ssize_t quiet_pwritev2(
	int fd, uint64_t slot, const struct iovec *parts, int count, off64_t offset, int flags)
{
	LA_QUIET quiet = la_quiet_begin(fd, slot);
	ssize_t result = la_real.pwritev64v2(fd, parts, count, offset, flags);

	la_quiet_end(&quiet, result);
	return result;
}

static LA_COLD ssize_t quiet_sendfile(int out, uint64_t slot, int in, off64_t *offset, size_t bytes)
{
	LA_QUIET quiet = la_quiet_begin(out, slot);
	ssize_t result = la_real.sendfile64(out, in, offset, bytes);

	la_quiet_end(&quiet, result);
	return result;
}

LA_COLD ssize_t la_quiet_splice(int in, off64_t *in_at, int out, uint64_t slot, off64_t *out_at,
	size_t bytes, unsigned int flags)
{
	LA_QUIET quiet = la_quiet_begin(out, slot);
	ssize_t result = la_real.splice(in, in_at, out, out_at, bytes, flags);

	la_quiet_end(&quiet, result);
	return result;
}

static LA_COLD int quiet_fflush(FILE *stream, uint64_t slot)
{
	LA_QUIET quiet = la_quiet_begin(fileno_unlocked(stream), slot);
	int result = la_real.fflush(stream);

	la_quiet_end(&quiet, result);
	return result;
}

/* At offset -1 it is a writev; at any other a socket refuses. */
LA_EXPORT ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	uint64_t slot = la_slot_load(fd);

	if (LA_SLOT_IS_ENFORCED(slot))
		return quiet_pwritev2(fd, slot, parts, count, offset, flags);
	return la_real.pwritev2(fd, parts, count, offset, flags);
}

LA_EXPORT ssize_t pwritev64v2(
	int fd, const struct iovec *parts, int count, off64_t offset, int flags)
{
	uint64_t slot = la_slot_load(fd);

	if (LA_SLOT_IS_ENFORCED(slot))
		return quiet_pwritev2(fd, slot, parts, count, offset, flags);
	return la_real.pwritev64v2(fd, parts, count, offset, flags);
}

LA_EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t bytes)
{
	uint64_t slot = la_slot_load(out);

	if (LA_SLOT_IS_ENFORCED(slot))
		return quiet_sendfile(out, slot, in, offset, bytes);
	return la_real.sendfile(out, in, offset, bytes);
}

LA_EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t bytes)
{
	uint64_t slot = la_slot_load(out);

	if (LA_SLOT_IS_ENFORCED(slot))
		return quiet_sendfile(out, slot, in, offset, bytes);
	return la_real.sendfile64(out, in, offset, bytes);
}

/* What stdio has gathered; where its buffer overflows, the C library writes without a hook. */
LA_EXPORT int fflush(FILE *stream)
{
	uint64_t slot = la_slot_of_stream(stream);

	if (LA_SLOT_IS_ENFORCED(slot))
		return quiet_fflush(stream, slot);
	return la_real.fflush(stream);
}

LA_EXPORT ssize_t __write(int fd, const void *data, size_t bytes) __attribute__((alias("write")));
LA_EXPORT ssize_t __send(int fd, const void *data, size_t bytes, int flags)
	__attribute__((alias("send")));
