/* SPDX-License-Identifier: MIT */
/*
 * SIGTERM's default action, under [exit].
 *
 * That action is the kernel's, and no code of the process runs. So a handler stands in its place, as long as the policy has an [exit]
 * rule and the application has not said otherwise; the hooks of sigaction(2) and its like answer SIG_DFL in its place, and what the
 * application sets replaces it, by the same system call (shim/signals.c). An exec takes it away, as any handler. It ends our connections and
 * then sends the signal again, with the default action: the parent sees what it would have seen. (A thread of the helper's kind could
 * not stand in for it: a signal that is not handled ends the process whichever thread takes it.)
 *
 * The price: a signal that has a handler does not wake a sleep that only a fatal one ends (a file system that does not answer, the parent
 * of a vfork). So it stands in only where there is something to lose: from the first connection on, or where the process was started with one.
 *
 * Not for process 1 of a PID namespace: its kernel drops signals that have the default action.
 */
#include <signal.h>

#include "internal.h"

#define TAKES_RESTORER 0x04000000ul /* SA_RESTORER */

#if defined(__x86_64__)
/* The kernel wants one, and the C library's is not exported. */
void la_enforce_sigreturn(void);
__asm__(".pushsection .text\n"
	".hidden la_enforce_sigreturn\n"
	".globl la_enforce_sigreturn\n"
	".type la_enforce_sigreturn, @function\n"
	"la_enforce_sigreturn:\n\t"
	"mov $15, %eax\n\t"
	"syscall\n"
	".size la_enforce_sigreturn, .-la_enforce_sigreturn\n"
	".popsection");
#endif

static bool has_something_to_lose(void)
{
	int fd;

	if (atomic_load_explicit(&la_track_region, memory_order_relaxed))
		return true;
	for (fd = 0; fd < LA_INHERITED_NUMBERS; fd++)
		if (la_kernel_is_tcp(fd) == 1)
			return true;
	return false;
}

bool la_enforce_guards(void)
{
	return la_enforce_exits() && !la_in_force()->observe && la_sys(SYS_getpid) != 1 &&
	       has_something_to_lose();
}

void la_terminate_connection(void)
{
	static _Atomic bool first_seen;

	/* From now on whatever changes the policy or the action looks for itself. */
	if (!atomic_load_explicit(&first_seen, memory_order_relaxed) &&
		!atomic_exchange(&first_seen, true))
		la_enforce_guard();
}

/* Ours, or the application's: whoever sets one later wins. Between the look and the step another thread may have set its own. */
static void replace(void (*from)(int), void (*to)(int))
{
	struct la_sigaction was = {0}, now;

	if (la_sigaction(SIGTERM, NULL, &was) < 0 || was.handler != from)
		return;
	now = was; /* flags and mask are the application's */
	now.handler = to;
#if defined(__x86_64__)
	if (!(now.flags & TAKES_RESTORER)) {
		now.flags |= TAKES_RESTORER;
		now.restorer = la_enforce_sigreturn;
	}
#endif
	if (la_sigaction(SIGTERM, &now, &was) == 0 && was.handler != from)
		la_sigaction(SIGTERM, &was, NULL);
}

void la_terminate_guard(void)
{
	if (la_sys(SYS_getpid) != 1 && has_something_to_lose())
		replace(SIG_DFL, la_enforce_terminate);
}

void la_terminate_unguard(void)
{
	replace(la_enforce_terminate, SIG_DFL);
}

void la_enforce_guard_hide(unsigned long *flags, void (**restorer)(void))
{
#if defined(__x86_64__)
	if (*restorer != la_enforce_sigreturn)
		return;
	*flags &= ~TAKES_RESTORER;
	*restorer = NULL;
#else
	(void)flags;
	(void)restorer;
#endif
}

void la_enforce_guard(void)
{
	if (la_enforce_guards())
		la_terminate_guard();
}

void la_enforce_terminate(int number)
{
	static const struct la_sigaction by_default = {.handler = SIG_DFL};
	long process = la_sys(SYS_getpid), thread = la_sys(SYS_gettid);

	(void)number;
	if (process == 1)
		return;
	la_enforce_end();
	la_sigaction(SIGTERM, &by_default, NULL);
	la_sys(SYS_tgkill, process, thread, SIGTERM);
	la_signals_set(LA_SIGNALS_ALL & ~LA_SIGNAL(SIGTERM));
	la_sys(SYS_exit_group, 128 + SIGTERM); /* not reached */
}
