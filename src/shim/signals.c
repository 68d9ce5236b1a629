/* SPDX-License-Identifier: MIT */
/*
 * What SIGTERM does, as the program sees it: where our handler stands for the default action (enforce/terminate.c), it is the default action.
 *
 * What the program sets replaces ours, or ours stands for SIG_DFL, by the one system call of the real function: there is no moment at which
 * the signal would do something else. Flags and mask are the program's.
 */
#include <signal.h>

#include "shim.h"

static la_handler seen(la_handler handler)
{
	return handler == la_enforce_terminate ? SIG_DFL : handler;
}

static la_handler to_set(int number, la_handler handler)
{
	return number == SIGTERM && handler == SIG_DFL && la_on && la_enforce_guards()
		       ? la_enforce_terminate
		       : handler;
}

void la_signal_seen(int number, struct la_kernel_action *was)
{
	if (number != SIGTERM || !was || was->handler != la_enforce_terminate)
		return;
	was->handler = SIG_DFL;
	la_enforce_guard_hide(&was->flags, &was->restorer);
}

LA_EXPORT int sigaction(int number, const struct sigaction *set, struct sigaction *was)
{
	struct sigaction ours;
	int result;

	if (number != SIGTERM)
		return la_real.sigaction(number, set, was);
	if (set && to_set(number, set->sa_handler) != set->sa_handler) {
		ours = *set;
		ours.sa_handler = la_enforce_terminate;
		set = &ours;
	}
	result = la_real.sigaction(number, set, was);
	if (result == 0 && was && was->sa_handler == la_enforce_terminate) {
		unsigned long flags = (unsigned long)(unsigned int)was->sa_flags;

		was->sa_handler = SIG_DFL;
		la_enforce_guard_hide(&flags, &was->sa_restorer);
		was->sa_flags = (int)flags;
	}
	return result;
}

LA_EXPORT la_handler signal(int number, la_handler handler)
{
	return seen(la_real.signal(number, to_set(number, handler)));
}

LA_EXPORT la_handler __sysv_signal(int number, la_handler handler)
{
	return seen(la_real.__sysv_signal(number, to_set(number, handler)));
}

LA_EXPORT la_handler sigset(int number, la_handler handler)
{
	return seen(la_real.sigset(number, to_set(number, handler)));
}

LA_EXPORT int __sigaction(int number, const struct sigaction *set, struct sigaction *was)
	__attribute__((alias("sigaction"), nothrow, leaf));
LA_EXPORT la_handler ssignal(int number, la_handler handler)
	__attribute__((alias("signal"), nothrow, leaf));
LA_EXPORT la_handler bsd_signal(int number, la_handler handler)
	__attribute__((alias("signal"), nothrow, leaf));
LA_EXPORT la_handler sysv_signal(int number, la_handler handler)
	__attribute__((alias("__sysv_signal"), nothrow, leaf));
