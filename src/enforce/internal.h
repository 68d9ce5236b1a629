/* SPDX-License-Identifier: MIT */
/*
 * Shared inside the room only.
 */
#ifndef LASTACK_ENFORCE_INTERNAL_H
#define LASTACK_ENFORCE_INTERNAL_H

#include <lastack/enforce.h>
#include <lastack/kernel.h>
#include <lastack/sys.h>

extern struct la_enforce_settings la_enforce_config;

/* ---- files.c */

enum { LA_FILES = 16 };

/* What tells one content of a file from another, without reading it. */
struct la_file_mark {
	uint64_t device, inode, bytes;
	int64_t modified_ns, changed_ns;
	uint32_t mode;
	int32_t error;
};
struct la_files_look {
	struct la_file_mark files[LA_FILES];
};

/* May the files change what is in force? Never changes after start. */
bool la_files_watched(void);
/* As they were when they were read first; all zero where they may have changed since unseen. */
const struct la_files_look *la_files_at_start(void);
/* Watcher: as they are now. Opens nothing. */
void la_files_look(struct la_files_look *look);
/*
 * Watcher: read them all. 0; -EINVAL with `error` filled when that is no policy; -EAGAIN when they may be read another time. Opens them: only where
 * that takes no number of the application's.
 */
int la_files_read_again(struct la_policy *policy, struct la_policy_error *error);

/* ---- in_force.c */

/* A policy that is, or was, in force, and the files from which it was read. */
struct la_policy_kept {
	struct la_policy policy;
	struct la_files_look files;
};

/*
 * The policy in force; never NULL, never freed or changed. Whoever decides one thing in several steps loads it once: the next load may be of
 * another one.
 */
const struct la_policy *la_in_force(void);
/* Its files. */
const struct la_files_look *la_in_force_files(void);
/* At start. Copies. */
void la_in_force_start(const struct la_policy *policy);
/* Helper: `kept` stays as it is for ever from now on. All threads have it with the one store. */
void la_in_force_swap(const struct la_policy_kept *kept);
/*
 * May it have a say in how connections are closed? In how long they may stand half-closed? Now, or once its files have changed: for what must be
 * learnt, or begun, from the start. Cheap.
 */
bool la_in_force_closes(void);
bool la_in_force_bounds(void);
/* In what an exit leaves? */
bool la_in_force_exits(void);

/* ---- watch.c */

/* By the helper, when it begins. */
void la_watch_start(void);
/* By who starts the helper: wait until the watcher holds no descriptor of the application any more (at most 0.1 s). */
void la_watch_await_ready(void);
/* When the helper has gone: end it, and wait for that (at most 1 s). */
void la_watch_end(void);
void la_watch_forked(void);
/* What the files say now, if that is news; the watcher waits until it has been dealt with. */
struct la_news {
	bool refused;
	struct la_policy_error why;
	struct la_policy_kept kept;
};
const struct la_news *la_watch_news(void);
void la_watch_dealt_with(void);

/* ---- reload.c */

/* At start: the files were no policy, and that was said. */
void la_reload_refused_at_start(const struct la_policy_error *why);
/* Helper: take up, or refuse, what the files say now. Returns ns until the next try. */
uint64_t la_reload_turn(void);

/* ---- shown.c */

/* Helper. To the region: the policy in force; why what the files say is refused, "" when it is not any more. */
void la_show_policy(const struct la_policy *policy);
void la_show_refusal(const char *why);

#define LA_MS_NS 1000000ull
#define LA_NEVER ~0ull

/* ---- act.c */

/* A descriptor number out of the application's way for a dup of `fd`: -errno when there is none. */
int la_act_dup(int fd);
/* Where such numbers begin. */
long la_act_base(void);
/*
 * Child of a fork: `fd` is closed if it is a copy of one of our dups of this connection; or all such, wherever they are. The child of a
 * process with much memory may begin as late as this after its table of descriptors was copied.
 */
#define LA_FORK_TAKES_NS (10000 * LA_MS_NS)
void la_act_close_copy(int fd, uint64_t cookie);
void la_act_close_copies(bool (*is_ours)(uint64_t cookie));
/* Child of a fork: what the helper was acting on. */
void la_act_abandon(void);
/* Carry out `action` on `fd` if it still is the connection named `cookie`; -ESTALE when it is not. */
int la_act(int fd, uint64_t cookie, enum la_action action);
/* Take `fd` out of every epoll set that it is known to be in. False when not all of them are known. */
bool la_act_leave_epolls(int fd);
/* Our FIN, on a dup of ours. */
int la_act_send_fin(int own_fd);
/* SO_LINGER off, on the application's number of the connection named `cookie`: its close sends a FIN. 0, -ESTALE or -errno. */
int la_act_refuse_reset(int fd, uint64_t cookie);
/*
 * How long the kernel may try to deliver what a close leaves to it, and how long it waits for the peer's FIN then; 0: as it would. What
 * the application has set itself stays.
 */
void la_act_bound_orphan(int fd, uint64_t delivery_ns, uint64_t fin_wait_2_ns);

/* ---- drains.c */

struct la_drain_order {
	int fd; /* ours */
	uint32_t index, generation;
	uint64_t cookie;
	uint64_t idle_ns, total_ns, bytes;
	uint32_t max;
	uint64_t signals; /* of the closing thread: blocked from the reservation to the commit */
	uint32_t at_exit; /* enum la_exit_action: how the process that exits goes on with it */
	bool by_exit;     /* begun by the exit, and not by a close */
	bool brief; /* begun for its output only: when that has arrived, there is nothing to wait for */
	bool fin_due; /* not sent yet: another thread may still be in a send() that fills the buffer */
};
/* Any thread: keep a place, before there is a dup, -1 when there is none; fill it, then hand it over, which tells order.signals; or give it back. */
int la_drains_reserve(uint64_t cookie);
void la_drains_fill(int place, const struct la_drain_order *order);
uint64_t la_drains_commit(int place);
void la_drains_cancel(int place);
/*
 * Any thread: more than `max` places are taken. The helper looks at all of them at its next turn, and ends the oldest of those that are not over
 * by themselves.
 */
void la_drains_crowded(uint32_t max);
uint32_t la_drains_count(void);
/* End the oldest one at the helper's next turn: somebody needs its number. */
void la_drains_evict_oldest(void);
/* Its number, -1 when there is none. */
int la_drains_oldest(void);
/* The numbers of all drains, one by one from *at = 0; -1: no more. */
int la_drains_next(uint32_t *at);
/* End the drain of this number. Returns false when there is none. */
bool la_drains_evict(int fd);
/* Helper: drain what is due; returns ns until the next is. */
uint64_t la_drains_turn(uint64_t now_ns);
/* Helper: it ends and none follows; or whoever cannot start one. */
void la_drains_end_all(void);
/* In place of the helper, which is gone: asks about each; one that is not kept is let go, as by the end of the process. How many are left. */
uint32_t la_drains_sift(bool (*keeps)(struct la_drain_order *order, uint64_t started_ns));
/* Child of a fork: the copies of our descriptors go, nothing is shut down. */
void la_drains_abandon(void);

/* ---- sigpipe.c */

/* Around the act that ends the connection of `slot`; `ended`: it did. `marked`: its side is still open, a write would work. */
void la_sigpipe_begin(int fd, uint64_t slot, bool marked);
void la_sigpipe_end(int fd, uint64_t slot, bool marked, bool ended);

/* ---- bounds.c */

/* Helper: look at every connection of this process; returns ns until the next look. */
uint64_t la_bounds_turn(uint64_t now_ns);
/* Any thread: a connection was published. */
void la_bounds_connection(void);

/* ---- helper.c */

/* Start it if it is not running. False when it cannot be. */
bool la_helper_ensure(void);
/* Something new to do. */
void la_helper_wake(void);
/* End it and wait until it has gone (at most 1 s). */
void la_helper_stop(void);
/* End it for a while, so that it does not outlive a change of this thread's credentials; it begins anew with the caller's, if it may. */
void la_helper_pause(void);
void la_helper_resume(bool may_start);
void la_helper_forked(void);
/* Of a pause: it did end in time. */
bool la_helper_is_gone(void);
/* Wait until a bare thread of ours has gone from the process (at most 1 s): `alive` is what the kernel clears then. False when it is still there. */
bool la_helper_await_end(_Atomic uint32_t *alive, int thread);
void la_helper_count(enum la_counter counter);
/* This thread does the helper's work from now on, and counts in a table of its own; false: no more. */
void la_helper_stand_in(bool begins);

/* ---- linger.c */

/* A graceful close of `fd` as `rule` bounds it: as la_enforce_begin(). */
int la_linger_begin(int fd, const struct la_release *release, const struct la_rule *rule);
/* The same at an exit, which leaves `fd` open: drained from now on. False when that cannot be. */
bool la_linger_at_exit(int fd, const struct la_release *release, const struct la_rule *rule);

/* ---- close.c */

/* What rules look at, from a record. */
struct la_view la_view_of(const struct la_connection_record *record, enum la_eof eof);

/* Could an RST destroy something, were the number closed now? */
bool la_close_is_needed(int fd, int state, enum la_close_linger linger);
/* Unread data waits, or more is on its way. */
bool la_close_expects_input(int fd);
/* What the close leaves to the kernel, which finds the connection in `state`. */
void la_close_bound_orphan(
	const struct la_policy *policy, int fd, int state, const struct la_view *view);
/* The RST that the application asked for: true when the close is to be orderly all the same. */
bool la_close_refuses_reset(const struct la_policy *policy, int fd,
	struct la_connection_record *record, uint32_t generation, const struct la_view *view);
/* The graceful [close] rule, or its defaults. */
const struct la_rule *la_close_bounds(const struct la_policy *policy, const struct la_view *view);

/* ---- exit.c */

/* The exiting thread does what the helper did: there is none, and there will be none. */
bool la_exit_is_served(void);
/* Turn by turn, until nothing drains, `until_ns` has come, or one of the signals `asked` comes. With all signals blocked. */
void la_exit_wait(uint64_t until_ns, uint64_t asked);
void la_exit_forked(void);

/* ---- inherited.c */

enum {
	LA_INHERITED_NUMBERS = 16
}; /* where they may be: 0 to 2 are inetd's, systemd's begin at 3 */
/* Connections that this process was started with, and that nobody else holds: they have records from now on. */
void la_inherited_adopt(void);

/* ---- handover.c */

/* A detached child takes over the drains with at_exit = LA_EXIT_HANDOVER, until then. False when there is none: nothing has happened. */
bool la_hand_over(uint64_t until_ns);

/* ---- shed.c */

/* In the heir: all memory of the application goes. Nothing but this library may run afterwards. */
void la_shed_memory(void);

/* ---- terminate.c */

/* From now on SIGTERM, where it has its default action, first ends our connections; or it has that action again. */
void la_terminate_guard(void);
/* A connection is there: the first calls for it. Cheap. */
void la_terminate_connection(void);
void la_terminate_unguard(void);

/* ---- signals */

struct la_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};
static inline int la_sigaction(int number, const struct la_sigaction *set, struct la_sigaction *was)
{
	return (int)la_sys(SYS_rt_sigaction, number, set, was, sizeof(uint64_t));
}

/* ---- log.c */

struct la_log_line {
	const char *action, *rule_section, *rule_name, *result;
	const struct la_connection_record *record;
	int fd;
	uint64_t idle_ns;
	uint64_t bytes;
	bool keeps_address; /* TIME-WAIT follows, and without SO_REUSEADDR nobody can bind the address meanwhile */
	int unacked; /* bytes of our output that the peer's kernel has not acknowledged */
};
/* At start, before there are threads. 0 or -errno. */
int la_log_open(const char *where);
/* The application wants this number: true when the log had it, and has moved away. */
bool la_log_gives_way(int fd);
void la_log(const struct la_log_line *line);
/* In the heir, which keeps no file open: each line opens it anew. */
void la_log_detach(void);
/* Something is lacking; see la_track_lacks(). */
void la_log_lack(enum la_lack lack, int error);
/* Of the policy as a whole: it was taken, or refused, and why (NULL: no reason). */
void la_log_policy(const char *result, const char *name, const char *why);

#endif
