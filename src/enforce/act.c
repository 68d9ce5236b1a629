/* SPDX-License-Identifier: MIT */
/*
 * The only file that changes an application's socket.
 *
 * Always on a dup, and the dup's SO_COOKIE is compared first: between a decision and the act another thread may have closed
 * the number and accepted a stranger there (facts/linux-close.md section 5). The application's number is never freed, and
 * SO_ERROR never read.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <lastack/sys.h>

#include "internal.h"

enum { HIGH_ENOUGH = 4096 };

long la_act_base(void)
{
	struct rlimit limit = {HIGH_ENOUGH, HIGH_ENOUGH};
	long base;

	la_sys(SYS_getrlimit, RLIMIT_NOFILE, &limit);
	/*
	 * The upper eighth: the lowest free number, which the application expects next, stays what it was. No higher than select() can be
	 * wrong about: each fork copies the table up to the highest number (2 us for a thousand of them).
	 */
	base = limit.rlim_cur > HIGH_ENOUGH ? HIGH_ENOUGH : (long)limit.rlim_cur;
	return base - base / 8;
}

int la_act_dup(int fd)
{
	return (int)la_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, la_act_base());
}

void la_act_close_copy(int fd, uint64_t cookie)
{
	uint64_t slot = la_slot_load(fd), found = 0;

	if (cookie && (slot == 0 || LA_SLOT_IS_OWN(slot)) && la_kernel_cookie(fd, &found) == 0 &&
		found == cookie)
		la_sys(SYS_close, fd);
}

/* Ours are the lowest that were free: where so many are unused, none follows. */
enum { UNUSED = 64 };

void la_act_close_copies(bool (*is_ours)(uint64_t cookie))
{
	int fd = (int)la_act_base(), unused = 0;
	uint64_t cookie = 0;

	for (; unused < UNUSED; fd++) {
		unused = la_sys(SYS_fcntl, fd, F_GETFD) < 0 ? unused + 1 : 0;
		if (unused == 0 && la_slot_load(fd) == 0 && la_kernel_cookie(fd, &cookie) == 0 &&
			is_ours(cookie))
			la_act_close_copy(fd, cookie);
	}
}

/*
 * The last connections that were acted on, and when: while the kernel copies the memory of a process for a fork, the helper goes on, and the
 * copy of the table may have the dup of any of these.
 */
enum { ACTED = 4096 };
static uint64_t acted_on[ACTED];
static uint32_t acted_at;
static uint64_t acted_ns;

static bool was_acted_on(uint64_t cookie)
{
	uint32_t i;

	for (i = 0; i < ACTED; i++)
		if (acted_on[i] == cookie)
			return true;
	return false;
}

void la_act_abandon(void)
{
	if (acted_ns && la_now_ns() < acted_ns + LA_FORK_TAKES_NS)
		la_act_close_copies(was_acted_on);
}

static void set_option(int fd, int level, int name, int value)
{
	la_sys(SYS_setsockopt, fd, level, name, &value, sizeof(value));
}

/*
 * What the application sees afterwards on its number (Linux 6.18; epoll also edge-triggered):
 *
 *                       shutdown               reset
 *   epoll               IN, RDHUP, HUP         ERR, HUP
 *   read                unread data, then 0    ECONNRESET once, then ENOTCONN; unread data is gone
 *   blocked in read     0                      EPIPE (ENOTCONN at the next)
 *   write               EPIPE                  ECONNRESET if no read was first, then EPIPE
 *   blocked in write    EPIPE, SIGPIPE         ECONNRESET
 *   shutdown            ENOTCONN               ENOTCONN
 *
 * So whoever waits is woken, and whoever reads learns that there is nothing more: it can close. SIGPIPE: sigpipe.c.
 */
static int act_on_dup(int fd, enum la_action action)
{
	switch (action) {
	case LA_ACTION_KEEPALIVE: return la_kernel_probe(fd);
	case LA_ACTION_SHUTDOWN: return la_kernel_shut_down(fd);
	case LA_ACTION_RESET: return la_kernel_reset(fd);
	default: return 0;
	}
}

static bool is_connection(int fd, uint64_t cookie)
{
	uint64_t found = 0;

	return cookie && la_kernel_cookie(fd, &found) == 0 && found == cookie;
}

int la_act(int fd, uint64_t cookie, enum la_action action)
{
	int dup, result;

	if (action == LA_ACTION_NONE || action == LA_ACTION_LOG)
		return 0;
	acted_ns = la_now_ns();
	acted_on[acted_at++ % ACTED] = cookie;
	dup = la_act_dup(fd);
	if (dup < 0)
		return dup == -EBADF ? -ESTALE : dup;
	if (!is_connection(dup, cookie))
		result = -ESTALE;
	else
		result = act_on_dup(dup, action);
	la_sys(SYS_close, dup);
	return result;
}

bool la_act_leave_epolls(int fd)
{
	_Atomic int *epolls = la_slot_epolls(fd);
	int i;

	if (!epolls)
		return true;
	if (atomic_load_explicit(&epolls[1], memory_order_relaxed) < 0)
		return false;
	for (i = 0; i < LA_SLOT_EPOLLS; i++) {
		int set = atomic_load_explicit(&epolls[i], memory_order_relaxed);
		struct epoll_event nothing;

		/* A set that is closed by now, or whose number is another file's, answers EBADF or EINVAL: as good. */
		if (set > 0)
			la_sys(SYS_epoll_ctl, set - 1, EPOLL_CTL_DEL, fd, &nothing);
	}
	return true;
}

int la_act_refuse_reset(int fd, uint64_t cookie)
{
	const struct linger off = {0, 0};

	if (!is_connection(fd, cookie))
		return -ESTALE;
	return (int)la_sys(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

/* -1 when it cannot be had. */
static int option_of(int fd, int name)
{
	int value = 0;
	unsigned int length = sizeof(value);

	return la_sys(SYS_getsockopt, fd, IPPROTO_TCP, name, &value, &length) == 0 ? value : -1;
}

/* TCP_LINGER2 can only be shorter than the kernel's own tcp_fin_timeout, which is 60 s unless somebody has changed it. */
enum { FIN_WAIT_2_DEFAULT_S = 60, LONGEST_MS = 0x7fffffff };

/*
 * Not where output waits for the peer's window: there the kernel counts TCP_USER_TIMEOUT from its first probe, and begins anew only when the window
 * takes the whole of the next buffer (up to 64 KiB). A peer that reads slowly all the time would be cut, and its answer with it.
 */
static bool waits_for_window(int fd)
{
	struct la_tcp tcp;

	return la_kernel_tcp(fd, &tcp) == 0 && tcp.notsent_bytes > 0;
}

void la_act_bound_orphan(int fd, uint64_t delivery_ns, uint64_t fin_wait_2_ns)
{
	uint64_t ms = delivery_ns / LA_MS_NS,
		 s = (fin_wait_2_ns + 999 * LA_MS_NS) / (1000 * LA_MS_NS);

	if (ms && !waits_for_window(fd) && option_of(fd, TCP_USER_TIMEOUT) == 0)
		set_option(
			fd, IPPROTO_TCP, TCP_USER_TIMEOUT, ms < LONGEST_MS ? (int)ms : LONGEST_MS);
	/* Shorter only, and -1 is as short as can be. */
	if (s && s < FIN_WAIT_2_DEFAULT_S && option_of(fd, TCP_LINGER2) > (int)s)
		set_option(fd, IPPROTO_TCP, TCP_LINGER2, (int)s);
}

int la_act_send_fin(int own_fd)
{
	return (int)la_sys(SYS_shutdown, own_fd, SHUT_WR);
}
