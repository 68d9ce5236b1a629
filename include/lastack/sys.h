/* SPDX-License-Identifier: MIT */
/*
 * System calls of our own, straight to the kernel.
 *
 * Each returns -errno and touches neither errno nor any other thread-local storage, is no cancellation point and calls
 * nothing that can be interposed. So they may be used in hooks (whose callers own errno), in signal handlers, before the
 * C library is initialised, and in the helper, which has no thread-local storage.
 */
#ifndef LASTACK_SYS_H
#define LASTACK_SYS_H

#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long la_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* A thread that runs entry() on a stack that ends below `top` (16-byte aligned), and then ends: its tid, or -errno. */
static inline long la_sys_thread(void (*entry)(void), void *top, long flags, void *child_tid)
{
	register void *r10 __asm__("r10") = child_tid;
	register long r8 __asm__("r8") = 0;
	register void (*r9)(void) __asm__("r9") = entry;
	long result = SYS_clone;

	__asm__ volatile(
		"syscall\n\t"
		"test %%rax, %%rax\n\t"
		"jnz 1f\n\t"
		"xor %%ebp, %%ebp\n\t"
		"call *%%r9\n\t"
		"xor %%edi, %%edi\n\t"
		"mov %[exit], %%eax\n\t"
		"syscall\n"
		"1:"
		: "+a"(result)
		: "D"(flags), "S"(top), "d"(0L), "r"(r10), "r"(r8), "r"(r9), [exit] "i"(SYS_exit)
		: "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static inline long la_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

static inline long la_sys_thread(void (*entry)(void), void *top, long flags, void *child_tid)
{
	register long x8 __asm__("x8") = SYS_clone;
	register long x0 __asm__("x0") = flags;
	register void *x1 __asm__("x1") = top;
	register long x2 __asm__("x2") = 0;
	register long x3 __asm__("x3") = 0;
	register void *x4 __asm__("x4") = child_tid;
	register void (*x9)(void) __asm__("x9") = entry;

	__asm__ volatile(
		"svc 0\n\t"
		"cbnz x0, 1f\n\t"
		"mov x29, xzr\n\t"
		"blr x9\n\t"
		"mov x0, xzr\n\t"
		"mov x8, %[exit]\n\t"
		"svc 0\n"
		"1:"
		: "+r"(x0)
		: "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x9), [exit] "i"(SYS_exit)
		: "memory");
	return x0;
}
#else
#error "lastack: no system call convention for this architecture (x86-64 and arm64 are known)"
#endif

#define la_sys(nr, ...) la_sys_pick(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define la_sys_pick(nr, a, b, c, d, e, f, ...) \
	la_sys6((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/*
 * Could the kernel read 8 bytes there? By a call that changes nothing: it reads a set of signals, and only then refuses to do with it what it
 * does not know.
 */
static inline int la_sys_can_read(const void *at)
{
	return at && la_sys(SYS_rt_sigprocmask, ~0, at, 0, sizeof(uint64_t)) != -14; /* EFAULT */
}

/*
 * All signals of this thread that may wait, glibc's own too: around the few steps that no handler may cut off by a jump, and no cancellation.
 * The handler runs at the restore. Those that an instruction raises cannot wait: where they are blocked, the kernel ends the process, and
 * a program that traps its own system calls (SIGSYS) or steps (SIGTRAP) means to go on.
 */
enum {
	LA_SIG_SETMASK = 2
}; /* the kernel's; <signal.h> would bring <unistd.h> to those who define its functions */
#define LA_SIGNALS_ALL    ~0ull
#define LA_SIGNAL(number) (1ull << ((number)-1))
#define LA_SIGNALS_RAISED \
	(LA_SIGNAL(4) | LA_SIGNAL(5) | LA_SIGNAL(7) | LA_SIGNAL(8) | LA_SIGNAL(11) | LA_SIGNAL(31))

static inline uint64_t la_signals_set(uint64_t blocked)
{
	uint64_t before = 0;

	la_sys(SYS_rt_sigprocmask, LA_SIG_SETMASK, &blocked, &before, sizeof(before));
	return before;
}

static inline uint64_t la_signals_block(void)
{
	return la_signals_set(LA_SIGNALS_ALL & ~LA_SIGNALS_RAISED);
}

static inline void la_signals_restore(uint64_t before)
{
	la_signals_set(before);
}

/*
 * To what may be anything by now, a pipe or a terminal: never waits for a reader (-EAGAIN), and raises nothing in a program that never wrote
 * there: no SIGPIPE, no SIGXFSZ, no SIGTTOU. Bytes written, or -errno.
 */
static inline long la_sys_write_aside(int fd, const char *text, unsigned long bytes)
{
	const uint64_t raised = LA_SIGNAL(13) | LA_SIGNAL(25); /* SIGPIPE, SIGXFSZ */
	const uint64_t waiting = raised | LA_SIGNAL(22);       /* SIGTTOU */
	const int64_t at_once[2] = {0, 0};
	struct {
		int fd;
		short events, found;
	} wait = {fd, 4 /* POLLOUT */, 0};
	uint64_t signals = 0, pending = 0;
	long result;

	la_sys(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &waiting, &signals, sizeof(signals));
	la_sys(SYS_rt_sigpending, &pending, sizeof(pending));
	result = la_sys(SYS_ppoll, &wait, 1, at_once, 0, 0);
	if (result == 1)
		result = la_sys(SYS_write, fd, text, bytes);
	else if (result == 0)
		result = -11; /* EAGAIN */
	/* It is this thread's own, and was not there before. */
	if (result < 0 && !(pending & raised))
		la_sys(SYS_rt_sigtimedwait, &raised, 0, at_once, sizeof(raised));
	la_signals_restore(signals);
	return result;
}

#endif
