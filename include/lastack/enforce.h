/* SPDX-License-Identifier: MIT */
/*
 * Enforcement: closes that send a FIN and drain, half-closed states that end.
 *
 * Only src/enforce/act.c changes a socket of the application, and only through a dup whose SO_COOKIE it has just compared. The
 * work is done by the helper: a thread of the process that is started on demand, by a bare clone(2), so that
 *  - it may be started from any hook, also in a signal handler and in the child of a fork;
 *  - glibc still takes a single-threaded program for single-threaded (facts/cost.md section 1: 8 ns a call instead of 30);
 *  - exit, exec and a crash end it with the process.
 * The price: it has no thread-local storage of its own. What it calls must not touch errno, malloc, locks or liburcu's read side.
 */
#ifndef LASTACK_ENFORCE_H
#define LASTACK_ENFORCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lastack/policy.h>
#include <lastack/track.h>

struct la_enforce_settings {
	const struct la_policy *policy;        /* copied */
	const struct la_policy_error *refused; /* why the files were no policy, or NULL */
	const char *exe;                       /* base name of the program */
	char **argv;                           /* the program's words, where ps reads them */
	char *argv_first; /* set by the start: all of them, one behind the other */
	size_t argv_bytes;
	const char *log; /* LASTACK_LOG: a file, "syslog", "stderr", "none" or NULL */
};
/*
 * Before all else, by the constructor: the files that `list` (LASTACK_POLICY) names, into `policy`. 0; or -EINVAL with `error` filled, and then
 * `policy` says nothing. Unless all of them are the shipped `observe`, or one of them cannot be read twice (a pipe), they are looked at again from the
 * first connection on, once a second, by a thread of its own (src/enforce/watch.c), also when they were no policy at first: what they
 * say then is in force within 2 s. `observe`: nothing is acted on, whatever they will say.
 */
int la_policy_files_read(
	struct la_policy *policy, const char *list, bool observe, struct la_policy_error *error);

/* Once, by the constructor. 0, or -errno when the log cannot be written (all else works). */
int la_enforce_start(const struct la_enforce_settings *settings);

/* May any close be more than plain, now or after a change of the policy files? What is learnt for it is learnt from the start. Cheap, for the hooks. */
bool la_enforce_closes(void);

/*
 * A close of `fd` is about to happen; its slot has been released and no other number of this process holds the connection.
 * When it shall be graceful, the FIN is sent now and a place kept: returns its number, and the caller closes `fd` in its own
 * way (not by a call that can be cancelled) and then commits; until then all signals of the thread are blocked. Else -1, and nothing has
 * happened. Never blocks.
 */
int la_enforce_begin(int fd, const struct la_release *release);
/* The number is closed: the helper drains from now on. Nothing happens for place -1. */
void la_enforce_commit(int place);

/* Does any drain hold a number of this process? Cheap, for the hooks. */
bool la_enforce_drains(void);

/*
 * A write on a connection with LA_SLOT_ENFORCED has failed with EPIPE: was that our doing? Else its SIGPIPE is the application's. True also for
 * one that is closed meanwhile.
 */
bool la_enforce_has_ended(uint64_t slot);

/* A connection has come; bounds need the helper from now on. */
void la_enforce_connection(void);

/* A descriptor that is not followed has been sent to somebody. */
void la_enforce_gave_unknown(void);

/* The application's epoll_ctl(2) succeeded. */
void la_enforce_epoll(int epoll, int op, int fd);

/* The application wants a number that a drain of ours has (dup2): end the drain, wait until the number is free (at most 1 s). */
void la_enforce_give_way(int fd);

/*
 * The application has run out of descriptors (EMFILE): end the oldest drain, wait until its number is free (at most 1 s). False when
 * there is none to end: then it would have run out without us too.
 */
bool la_enforce_make_room(void);

/*
 * A message that may bring descriptors is about to be received by `fd`: what it finds no number for is lost, and nothing can be made once more. So
 * where the next number would be one of a drain's, all drains end (within 1 s).
 */
void la_enforce_leave_room(int fd);

/*
 * Around a change of credentials, and before the last thread ends by a raw exit: the C library does not know the helper, so it
 * would keep the old ones, or keep the process alive. `pause` waits until it has gone (at most 1 s). After `resume` one runs as before, if this thread may start it.
 */
void la_enforce_pause(void);
void la_enforce_resume(bool may_start);

/* Has the policy a say in how this process ends? Cheap. */
bool la_enforce_exits(void);
/*
 * The process is about to end, by whatever means but a crash, an abort and SIGKILL: what [exit] says, and then nothing of ours is left.
 * Returns within the longest `total` of [exit]. Async-signal-safe. Only what the C library does of itself may follow.
 */
void la_enforce_end(void);

/*
 * SIGTERM's default action, under [exit]. A handler of ours stands in its place, and whoever asks is told of the default. `la_enforce_guards`:
 * is it to stand there now? After the application may have set the default action, guard it again.
 */
bool la_enforce_guards(void);
void la_enforce_guard(void);
void la_enforce_terminate(int number); /* the handler */
/* It was found: what of its flags and restorer is not the application's. */
void la_enforce_guard_hide(unsigned long *flags, void (**restorer)(void));

/* End the helper and all enforcement: seccomp, or a descriptor table that is no longer the helper's. Never started again. */
void la_enforce_stop(void);

/* One turn of the helper: what is due now. Returns for how long there is nothing to do, in ns. For the helper and for tests. */
uint64_t la_enforce_turn(uint64_t now_ns);

#endif
