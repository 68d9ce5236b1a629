/* SPDX-License-Identifier: MIT */
/*
 * Shared inside the room only: the real functions, and what the hook files need of each other.
 *
 * A hook may be called at any time: before our constructor, in a signal handler, in a vfork child, in a thread that is about
 * to be cancelled, after our destructor. So it takes no lock, allocates nothing, calls no stdio, and leaves errno as the C library
 * would have left it.
 */
#ifndef LASTACK_SHIM_H
#define LASTACK_SHIM_H

#include <errno.h>
#include <pty.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <lastack/enforce.h>
#include <lastack/kernel.h>
#include <lastack/track.h>

/* <dirent.h> would bring <unistd.h>, whose attributes the aliases of our functions do not have. */
typedef struct __dirstream DIR;
/* Nor can <signal.h>, for the same reason. */
struct sigaction;

typedef void (*la_handler)(int number);

#define LA_EXPORT __attribute__((visibility("default")))
#define LA_COLD   __attribute__((cold, noinline))

/* Each pointer may be called from the first instruction on: first it is a raw system call, the constructor sets the rest. */
struct la_real {
#define CALL(result, name, parameters, before)    result(*name) parameters;
#define LIBC(result, name, parameters, arguments) result(*name) parameters;
#define LIBC_VOID(name, parameters, arguments)    void(*name) parameters;
#define VARIADIC(result, name, parameters)        result(*name) parameters;
#include "calls.def"
#undef CALL
#undef LIBC
#undef LIBC_VOID
#undef VARIADIC
};
extern struct la_real la_real;
void la_real_bind(void);

/* The hooks themselves; the _chk forms and the aliases are declared nowhere else. */
#define CALL(result, name, parameters, before)    result name parameters;
#define LIBC(result, name, parameters, arguments) result name parameters;
#define LIBC_VOID(name, parameters, arguments)    void name parameters;
#define VARIADIC(result, name, parameters)        result name parameters;
#include "calls.def"
#undef CALL
#undef LIBC
#undef LIBC_VOID
#undef VARIADIC
int __clone(int (*entry)(void *), void *stack, int flags, void *argument, ...);
int __close(int fd);
int __connect(int fd, const struct sockaddr *address, socklen_t length);
int __dup2(int from, int to);
int __fcntl(int fd, int command, ...);
pid_t __fork(void);
ssize_t __read(int fd, void *buffer, size_t bytes);
ssize_t __recv(int fd, void *buffer, size_t bytes, int flags);
ssize_t __send(int fd, const void *data, size_t bytes, int flags);
ssize_t __write(int fd, const void *data, size_t bytes);
int __sigaction(int number, const struct sigaction *set, struct sigaction *was);
la_handler bsd_signal(int number, la_handler handler);
la_handler ssignal(int number, la_handler handler);
la_handler sysv_signal(int number, la_handler handler);
int _IO_fclose(FILE *stream);
FILE *_IO_popen(const char *command, const char *type);

/* False: forward everything (LASTACK_DISABLE, AT_SECURE, before the constructor). Then no slot is ever set either. */
extern bool la_on;

/* May a change of a known number be followed? Costs a getpid. */
static inline bool la_here(void)
{
	return la_track_here() == LA_HERE_SELF;
}

/* The same for what concerns all threads, also those that have left our descriptor table. */
static inline bool la_here_or_apart(void)
{
	enum la_here here = la_track_here();

	return here == LA_HERE_SELF || here == LA_HERE_APART;
}

/*
 * The end of what `fd` was, in two halves around the call that really closes it. `place` < 0: plain. When `place` >= 0 the call between must
 * not be one that can be cancelled.
 */
struct la_closing {
	int place;
};
struct la_closing la_close_begin(int fd);
void la_close_done(struct la_closing closing);

/* close(2) by `real`, for a number that has a slot. Sets errno on failure. */
int la_close_known(int fd, int (*real)(int fd));
/* Before a number is copied, or made inheritable. */
void la_lent(int fd);
int la_dup2_by(int from, int to, int flags, int (*real)(int from, int to, int flags));
/* Around a call that copies `fd`, which is `slot`; and when it gave `to`. */
void la_copying(int fd, uint64_t slot);
void la_copied(uint64_t slot);
void la_duplicated(uint64_t slot, int to);
int la_close_range_by(unsigned int first, unsigned int last, int flags,
	int (*real)(unsigned int first, unsigned int last, int flags));

/* Out of descriptors (errno EMFILE, ENFILE), and a drain of ours has one: the application comes first. True when the call is worth another try. */
bool la_make_room(void);
/* The same for a new socket, and when the kernel is out of memory for one. */
bool la_make_room_for_socket(void);
/* The same for what a user may have but a few of, and EMFILE says that, too: no room that we make would help. */
bool la_make_room_for_one_of_few(void);

/* A new socket, which is not followed, has this number. */
static inline void la_forget_domain(int fd)
{
	_Atomic int *known = la_enforce_closes() ? la_slot_domain(fd) : NULL;

	if (known)
		atomic_store_explicit(known, 0, memory_order_relaxed);
}

/* After the real call, with its result; errno is kept. */
void la_opened_socket(int fd, int domain, int type, int protocol);
void la_opened_accept(int listener, int fd);
void la_opened_connect(int fd, const struct sockaddr *address, socklen_t length, int result);
void la_opened_listen(int fd);
void la_option_set(int fd, int level, int name, const void *value, socklen_t length);
void la_epoll_changed(int epoll, int op, int fd);
void la_half_closed(int fd, int how);
void la_read_ended(int fd, uint64_t slot, ssize_t result, size_t wanted);

/*
 * Writing on a connection that lastack ends (LA_SLOT_ENFORCED). MSG_NOSIGNAL, or 0 when the number is something else by now; and when such a
 * call, to which the application gave `flags`, has returned. Errno as the call left it.
 */
int la_quiet_flag(int fd, uint64_t slot);
void la_quiet_result(uint64_t slot, long result, int flags);
/* The same around a call that takes no such flag: SIGPIPE is blocked meanwhile. Ended by the end of LA_QUIET's scope at the latest. */
struct la_quiet {
	uint64_t slot;
	bool on, blocks, pending;
};
struct la_quiet la_quiet_begin(int fd, uint64_t slot);
void la_quiet_end(struct la_quiet *quiet, long result);
void la_quiet_cancelled(struct la_quiet *quiet);
ssize_t la_quiet_splice(int in, off64_t *in_at, int out, uint64_t slot, off64_t *out_at,
	size_t bytes, unsigned int flags);
#define LA_QUIET __attribute__((cleanup(la_quiet_cancelled))) struct la_quiet

/* The slot of a stream's number; 0 when it has none. Errno is kept. */
static inline uint64_t la_slot_of_stream(FILE *stream)
{
	int saved = errno, fd = stream ? fileno_unlocked(stream) : -1;

	errno = saved;
	return la_slot_load(fd);
}

/* How many bytes these buffers take. */
size_t la_room_of(const struct iovec *parts, size_t count);

/*
 * Messages that may carry descriptors. la_begin_giving() before the call, for `count` headers that stand `stride` bytes apart, and
 * la_end_giving() with its result, and the same, after it; the others after it succeeded.
 */
unsigned int la_begin_giving(int fd, const struct msghdr *first, size_t stride, unsigned int count);
void la_end_giving(const struct msghdr *first, size_t stride, unsigned int count);
void la_gave(const struct msghdr *message);
void la_received(struct msghdr *message);
/* The same after recvmmsg, which returned `result`: with the end of the stream, or an error. */
void la_received_all(int fd, uint64_t slot, struct mmsghdr *messages, int result);
/* Can messages of this socket carry descriptors? */
bool la_can_give(int fd);
/* Before a message is received on `fd`, which is `slot`. */
void la_receiving(int fd, uint64_t slot);

/* A process is about to be made by means that run no fork handlers; or this one is about to run another program. */
void la_uncounted_child(bool shares_table);
void la_uncounted_here(void);
void la_before_exec(void);

/* The process is about to end, by other means than exit(). */
void la_exiting(void);
/* In the constructor, before any other object can register a handler of its own. */
void la_exit_bind(void);

/* As the kernel has it; and what it said of `number` to a program that asked by syscall(2). */
struct la_kernel_action {
	la_handler handler;
	unsigned long flags;
	void (*restorer)(void);
};
void la_signal_seen(int number, struct la_kernel_action *was);

/* A seccomp filter is being installed. */
void la_seccomp(void);

/*
 * Around a call that the kernel makes for one thread only, or refuses to a process that has several: the helper ends before it, and one
 * that follows is as the caller then is. The ends keep errno.
 */
struct la_alone {
	bool on;
};
struct la_alone la_alone_begin(void);
void la_alone_end(struct la_alone alone);
/* The thread ends by the call: it starts none. */
void la_alone_leave(struct la_alone alone);

/* The same around a call by which this thread gets a descriptor table of its own. `leaves`: others keep the one that we follow. */
struct la_split {
	struct la_alone alone;
	bool leaves;
};
struct la_split la_split_begin(void);
void la_split_end(struct la_split split, bool succeeded);
int la_unshare_by(int flags, int (*real)(int flags));

#endif
