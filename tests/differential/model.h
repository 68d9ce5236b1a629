/* SPDX-License-Identifier: MIT */
/*
 * What must be true after what was done: who holds which end, and what hooks must have seen of it. Nothing here comes from the shim
 * but the place of a record, which is learned when the connection is made.
 */
#ifndef MODEL_H
#define MODEL_H

#include <sys/types.h>

#include <lastack/table.h>

#include "kernel.h"
#include "program.h"

enum { ENDS = 128, RECORDS = 512, NOBODY = -1 };

/* A socket of the kernel. */
struct end {
	bool used;
	bool connected; /* connect or accept succeeded, or is under way */
	bool server;
	bool blocking; /* until its connect */
	bool lent; /* a number was given away before there was a connection: names that no hook can know of */
	bool fin;     /* the application shut down its side */
	bool excused; /* there was a reason to be CLOSED: the peer, a timeout, the kernel */
	int peer;
	int family;
	uint16_t local_port, remote_port;
	uint32_t mark;
	int linger;
	uint64_t cookie;
	enum la_state state, before; /* now, and a step ago */
	bool handshake;              /* neither has a place in the table */
	bool listed;                 /* the kernel's list has it */
	uint32_t inode, receive_queue;
	bool ended_by_close;
	bool ended_by_shim;
	int holders, holders_before; /* processes */
	bool forgotten;              /* a record of it, closed, had to make room */
};

/* A record of the shim: an end as one line of inheritance sees it. */
struct record {
	bool used, server, received;
	bool told_end, maybe_told_end, told_reset, shut, shared, may_be_shared, may_be_shut,
		may_be_told_reset;
	bool killed;   /* a holder died without a close */
	bool released; /* nobody who is counted holds it */
	bool unread_at_close;
	bool past; /* its end is another connection by now */
	bool wanted_drain;
	int linger;
	int end;
	uint32_t index, generation;
};

enum kind { KIND_NONE, KIND_TCP, KIND_NULL };
struct handle {
	enum kind kind;
	int end, record; /* record NOBODY: no hook can know */
	bool counted;    /* it is in the mask of holders */
	int linger;      /* set by this name, before there was a connection */
};

struct process {
	bool alive, uncounted; /* made by a raw fork */
	pid_t pid;
	struct handle fds[FDS];
};

struct model {
	struct end ends[ENDS];
	struct record records[RECORDS];
	struct process processes[PROCESSES];
	int backlog[2]; /* connections that wait to be accepted, about */
	bool enforces;
	uint64_t ended;                   /* by lastack */
	uint64_t reached[LA_STATE_COUNT]; /* how often an end came to a position */
};
extern struct model model;

/* What was done by `process`. False, with a sentence in `why`, when the answer cannot be. */
bool model_apply(
	int process, const struct request *request, const struct answer *answer, char why[256]);
void model_look(const struct kernel_view *view);
/* After the checks: what is over is forgotten. */
void model_forget(void);

int handles_of_end(int end);
/* Of those that are counted when `counted`; in one process, or NOBODY: all. */
int handles_of_record(int record, int process, bool counted);

/* For apply.c. NOBODY: no room, or the shim does not follow it. */
int new_end(const struct answer *answer, int family);
int new_record(int end, const struct answer *answer, int fd);
/* Does the shim take `fd` for this record, still? */
bool is_still(const struct record *record, const struct answer *answer, int fd);
void hold(int process, int fd, int end, int record);
/* `answer` NULL: by the end of the process. */
void let_go(int process, int fd, const struct answer *answer);
void lend(int end);

#endif
