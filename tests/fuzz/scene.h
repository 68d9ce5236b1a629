/* SPDX-License-Identifier: MIT */
/*
 * What an input of the region's target describes: a valid small region and the machine around it, with bytes of either
 * changed.
 *
 * The input is a list of changes: where in struct scene (2 bytes), when (1 byte), how many bytes (1 byte, at most
 * CHANGE_BYTES), and the bytes. `when` is 0 for before it is read, n for behind the n-th read of the region: its writer
 * is alive and hostile. So an input is a few dozen bytes, and every one gets past the checks that it does not aim at.
 */
#ifndef LASTACK_FUZZ_SCENE_H
#define LASTACK_FUZZ_SCENE_H

#include "../unit/region_image.h"

enum {
	CHANGE_HEAD = 4,
	CHANGE_BYTES = 64,
	SOCKETS = 6,
	HOLDERS = 6,
	FIRST_LIVING = 0x400001, /* beyond the kernel's highest pid: /proc has no such folder */
	LARGEST_FILE = 1 << 22,  /* a longer one holds nothing but zeros, and time */
};

enum command { READ, LIST, LIST_JSON, REPORT, REPORT_JSON, TABLE, TABLE_JSON, SYMBOLIZE, COMMANDS };

enum oddity {
	TWO_REGIONS = 1 << 0,
	ODD_PATH = 1 << 1,      /* the region's name wants to talk to the terminal */
	NO_DIAG = 1 << 2,       /* the kernel does not list its sockets */
	OTHER_NETWORK = 1 << 3, /* processes live in another network namespace */
	HIDDEN = 1 << 4,        /* of processes in /proc nothing may be seen */
	GONE = 1 << 5,          /* /proc knows them no more */
	LOOK_AGAIN = 1 << 6,    /* report --min-age 1s instead of 0s */
	NO_CHILD = 1 << 7,      /* fork fails: nobody symbolizes */
};

struct world_socket {
	uint64_t cookie;
	uint32_t state, inode, receive_queue, send_queue, timer, expires_ms, sent_ms, received_ms,
		ack_ms;
	uint16_t local_port, remote_port;
	uint8_t has_info, there, address[2];
};

struct world_holder {
	uint32_t inode, pid;
	int32_t fd;
};

/* No bool and no enum: any byte may be anywhere. */
struct world {
	uint8_t command, oddities;
	uint8_t short_reads; /* the n-th read ends early; 0: none */
	uint8_t reserved;
	uint32_t owner_uid;
	uint64_t file_bytes, now_us;
	struct world_socket sockets[SOCKETS];
	struct world_holder holders[HOLDERS];
	char name[32], state; /* in /proc/PID/stat */
	uint8_t threads, answer_cut, answer_has;
	uint32_t answer_line;
	char function[48], file[48]; /* what the child says; without a zero, all 2048 bytes of it */
	char filter[48];
};

struct scene {
	struct world world;
	struct image image;
};
_Static_assert(sizeof(struct scene) <= 1 << 16, "a change says where in two bytes");

/* The scene in which nothing was changed, the same in every run. */
void scene_fill(struct scene *scene);

#endif
