/* SPDX-License-Identifier: MIT */
/*
 * The program under test: what a process or thread is asked to do, and what it answers. Shared by all files of this folder.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PROCESSES = 5, /* 0: the driver; 1..3: its children; KEEPER */
	KEEPER = 4,    /* a stranger: not preloaded; holds what it is sent, and closes */
	THREADS = 3,
	FIRST_FD = 3, /* descriptors of the program: [FIRST_FD, FDS). Those of the test are above */
	FDS = 120,
	OWN_FDS = 200,
	CLOSED_AT_ONCE = 32,
};

enum op {
#define OP(id, name) OP_##id,
#include "ops.def"
#undef OP
	OP_COUNT
};

/* What accompanies the op differs by op; see program.c. */
struct request {
	enum op op;
	int how; /* which of several calls that do the same */
	int fd, to, last;
	int family; /* 4, 6; 46: an IPv6 socket that connects to an IPv4 address */
	uint32_t bytes;
	uint32_t mark;
	uint16_t port;
};

/* A descriptor as the process sees it. */
struct seen_fd {
	int16_t fd;
	uint16_t references; /* la_local_refs of its connection */
	uint32_t state;
	uint64_t slot, cookie;
};

/* What was about to be closed. */
struct closing_fd {
	int16_t fd;
	int state, unread;
};

struct answer {
	long result;
	int error;
	int state_before, state; /* kernel's, of `fd`, around the call; -1 */
	int wanted;              /* a read: bytes asked for */
	uint32_t received;       /* SCM: the number it has there */
	struct closing_fd closing[CLOSED_AT_ONCE];
	int closing_count;
	uint16_t local_port, remote_port; /* of a new connection */
	uint64_t cookie;
	struct seen_fd fds[FDS];
	int fds_count;
};

/* Carry it out, here and now; then look at the own descriptors. */
void perform(const struct request *request, struct answer *answer);

/* What both ends of the program's connections are told before they start. */
struct stage {
	int listener[2]; /* IPv4, IPv6 */
	uint16_t port[2], closed_port;
	int inbox[PROCESSES][2]; /* SCM_RIGHTS: [1] is written, [0] read */
	int commands[PROCESSES][2];
	int sink[2]; /* splice */
	int null;
};
extern struct stage stage;

/* fork, vfork, raw fork: in the child of FORK this serves its commands and never returns. */
void serve(int process);

#endif
