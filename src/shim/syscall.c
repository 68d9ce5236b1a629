/* SPDX-License-Identifier: MIT */
/*
 * syscall(2), by which libuv, and so Node, closes every socket. Calls about sockets and descriptors are told as their named functions would;
 * all others go on as they came, six words.
 *
 * The number's own system call is made in each case: syscall() is no cancellation point, the named functions are.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "shim.h"

static int raw_close(int fd)
{
	return (int)la_real.syscall(SYS_close, fd);
}

static int raw_dup3(int from, int to, int flags)
{
	return (int)la_real.syscall(SYS_dup3, from, to, flags);
}

#ifdef SYS_dup2
static int raw_dup2(int from, int to, int flags)
{
	(void)flags;
	return (int)la_real.syscall(SYS_dup2, from, to);
}
#endif

static int raw_unshare(int flags)
{
	return (int)la_real.syscall(SYS_unshare, flags);
}

static int raw_close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)la_real.syscall(SYS_close_range, first, last, flags);
}

static size_t room_of_message(long word)
{
	const struct msghdr *message = (const struct msghdr *)word;

	return la_room_of(message->msg_iov, message->msg_iovlen);
}

/* Which number such a call writes to, or -1. */
static int written_by(long number, long first, long third)
{
	switch (number) {
	case SYS_write:
	case SYS_writev:
	case SYS_pwritev2:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_sendfile: return (int)first;
	case SYS_splice: return (int)third;
	default: return -1;
	}
}

LA_EXPORT long syscall(long number, ...)
{
	va_list arguments;
	long a, b, c, d, e, f, result, i;
	struct la_alone alone = {0};
	struct la_quiet quiet = {0};
	uint64_t slot;
	unsigned int given = 0;
	bool copies, few = number == SYS_inotify_init1;
	int written;

	va_start(arguments, number);
	a = va_arg(arguments, long);
	b = va_arg(arguments, long);
	c = va_arg(arguments, long);
	d = va_arg(arguments, long);
	e = va_arg(arguments, long);
	f = va_arg(arguments, long);
	va_end(arguments);

	switch (number) {
	case SYS_close:
		return la_slot_load((int)a) ? la_close_known((int)a, raw_close) : raw_close((int)a);
	case SYS_close_range:
		return la_close_range_by((unsigned int)a, (unsigned int)b, (int)c, raw_close_range);
	case SYS_dup3:
		return (int)a == (int)b ? la_real.syscall(number, a, b, c)
					: la_dup2_by((int)a, (int)b, (int)c, raw_dup3);
#ifdef SYS_dup2
	case SYS_dup2:
		return (int)a == (int)b ? la_real.syscall(number, a, b)
					: la_dup2_by((int)a, (int)b, 0, raw_dup2);
#endif
	case SYS_unshare: return la_unshare_by((int)a, raw_unshare);
	case SYS_prctl:
		if (a == PR_SET_SECCOMP &&
			(b == SECCOMP_MODE_STRICT || (b == SECCOMP_MODE_FILTER && c)))
			la_seccomp();
		break;
	case SYS_seccomp:
		if (a == SECCOMP_SET_MODE_STRICT || (a == SECCOMP_SET_MODE_FILTER && c))
			la_seccomp();
		break;
	case SYS_exit:
		/* Were this the last thread, the helper would keep the process. If not, the next close starts another. */
		la_alone_leave(la_alone_begin());
		break;
	case SYS_setns:
		if (b != CLONE_NEWPID)
			alone = la_alone_begin();
		break;
	/* Of this thread alone, as far as the kernel goes; the helper that follows has them too. */
	case SYS_setuid:
	case SYS_setgid:
	case SYS_setreuid:
	case SYS_setregid:
	case SYS_setresuid:
	case SYS_setresgid:
	case SYS_setgroups:
	case SYS_capset: alone = la_alone_begin(); break;
#ifdef SYS_fork
	case SYS_fork:
	case SYS_vfork:
#endif
	case SYS_clone3: la_uncounted_child(false); break;
	case SYS_clone: la_uncounted_child(a & CLONE_FILES); break;
	case SYS_execve:
	case SYS_execveat: la_before_exec(); break;
	case SYS_exit_group: la_exiting(); break;
	default: break;
	}

	slot = la_slot_load((int)a);
	copies = number == SYS_dup ||
		 (number == SYS_fcntl && (b == F_DUPFD || b == F_DUPFD_CLOEXEC));
	if (copies)
		la_copying((int)a, slot);
	if (number == SYS_recvmsg || number == SYS_recvmmsg)
		la_receiving((int)a, slot);
	if (number == SYS_sendmsg)
		given = la_begin_giving((int)a, (const struct msghdr *)b, 0, 1);
	else if (number == SYS_sendmmsg)
		given = la_begin_giving(
			(int)a, (const struct msghdr *)b, sizeof(struct mmsghdr), (unsigned int)c);
	written = written_by(number, a, c);
	if (LA_SLOT_IS_ENFORCED(la_slot_load(written)))
		quiet = la_quiet_begin(written, la_slot_load(written));
	result = la_real.syscall(number, a, b, c, d, e, f);
	la_quiet_end(&quiet, result);
	while (result == -1 && (few ? la_make_room_for_one_of_few() : la_make_room()))
		result = la_real.syscall(number, a, b, c, d, e, f);

	switch (number) {
	case SYS_socket:
		if (result >= 0)
			la_opened_socket((int)result, (int)a, (int)b, (int)c);
		break;
#ifdef SYS_accept
	case SYS_accept:
#endif
	case SYS_accept4:
		if (result >= 0)
			la_opened_accept((int)a, (int)result);
		break;
	case SYS_rt_sigaction:
		if (result == 0)
			la_signal_seen((int)a, (struct la_kernel_action *)c);
		if (result == 0 && a == SIGTERM && b && la_on)
			la_enforce_guard();
		break;
	case SYS_connect:
		la_opened_connect((int)a, (const struct sockaddr *)b, (socklen_t)c, (int)result);
		break;
	case SYS_listen:
		if (result == 0)
			la_opened_listen((int)a);
		break;
	case SYS_setsockopt:
		if (result == 0)
			la_option_set((int)a, (int)b, (int)c, (const void *)d, (socklen_t)e);
		break;
	case SYS_epoll_ctl:
		if (result == 0)
			la_epoll_changed((int)a, (int)b, (int)c);
		break;
	case SYS_sendmsg:
		if (result >= 0)
			la_gave((const struct msghdr *)b);
		break;
	case SYS_sendmmsg:
		for (i = 0; i < result; i++)
			la_gave(&((const struct mmsghdr *)b)[i].msg_hdr);
		break;
#ifdef SYS_fork
	case SYS_fork:
#endif
	case SYS_clone:
	case SYS_clone3:
		if (result == 0)
			la_uncounted_here();
		break;
	case SYS_recvmsg:
		if (result >= 0)
			la_received((struct msghdr *)b);
		if (result <= 0 && LA_SLOT_TRACKED(slot))
			la_read_ended((int)a, slot, result, result ? 0 : room_of_message(b));
		break;
	case SYS_recvmmsg: la_received_all((int)a, slot, (struct mmsghdr *)b, (int)result); break;
	case SYS_shutdown:
		if (result == 0)
			la_half_closed((int)a, (int)b);
		break;
	case SYS_dup:
	case SYS_fcntl:
		if (copies && result >= 0 && (slot || la_slot_load((int)result)))
			la_duplicated(slot, (int)result);
		break;
	case SYS_readv:
		if (result <= 0 && LA_SLOT_TRACKED(slot))
			la_read_ended((int)a, slot, result,
				result ? 0 : la_room_of((const struct iovec *)b, (size_t)c));
		break;
	case SYS_splice:
		if (result <= 0 && LA_SLOT_TRACKED(slot))
			la_read_ended((int)a, slot, result, (size_t)e);
		break;
	case SYS_read:
	case SYS_recvfrom:
		if (result <= 0 && LA_SLOT_TRACKED(slot))
			la_read_ended((int)a, slot, result, (size_t)c);
		break;
	default: break;
	}
	la_alone_end(alone);
	if (copies)
		la_copied(slot);
	la_end_giving((const struct msghdr *)b, sizeof(struct mmsghdr), given);
	return result;
}
