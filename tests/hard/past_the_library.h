/* SPDX-License-Identifier: MIT */
/*
 * System calls that no interposed function sees: by an instruction of our own, and by io_uring (one operation at a time, without
 * liburing). Results as the kernel gives them: -errno.
 */
#ifndef PAST_THE_LIBRARY_H
#define PAST_THE_LIBRARY_H

#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "../../include/lastack/sys.h"

#define by_hand(number, a, b, c, d, e, f) la_sys6(number, a, b, c, d, e, f)

struct ring {
	int fd;
	unsigned int *submitted, *completed, *taken, submit_mask, complete_mask, *order;
	struct io_uring_sqe *operations;
	struct io_uring_cqe *results;
};

/* 0, or -errno: -ENOSYS and -EPERM where there is none to be had. */
static inline int ring_open(struct ring *ring)
{
	struct io_uring_params facts;
	char *queue, *done;

	memset(&facts, 0, sizeof(facts));
	ring->fd = (int)by_hand(SYS_io_uring_setup, 8, (long)&facts, 0, 0, 0, 0);
	if (ring->fd < 0)
		return ring->fd;
	/* PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE */
	queue = (char *)by_hand(SYS_mmap, 0, (long)(facts.sq_off.array + facts.sq_entries * 4), 3,
		0x8001, ring->fd, IORING_OFF_SQ_RING);
	done = (char *)by_hand(SYS_mmap, 0,
		(long)(facts.cq_off.cqes + facts.cq_entries * sizeof(struct io_uring_cqe)), 3,
		0x8001, ring->fd, IORING_OFF_CQ_RING);
	ring->operations = (struct io_uring_sqe *)by_hand(SYS_mmap, 0,
		(long)(facts.sq_entries * sizeof(struct io_uring_sqe)), 3, 0x8001, ring->fd,
		IORING_OFF_SQES);
	ring->submitted = (unsigned int *)(queue + facts.sq_off.tail);
	ring->submit_mask = *(unsigned int *)(queue + facts.sq_off.ring_mask);
	ring->order = (unsigned int *)(queue + facts.sq_off.array);
	ring->taken = (unsigned int *)(done + facts.cq_off.head);
	ring->completed = (unsigned int *)(done + facts.cq_off.tail);
	ring->complete_mask = *(unsigned int *)(done + facts.cq_off.ring_mask);
	ring->results = (struct io_uring_cqe *)(done + facts.cq_off.cqes);
	return 0;
}

/* One operation, to its end. `address` and `length` as IORING_OP_CONNECT takes them. */
static inline int by_ring(struct ring *ring, int what, int fd, const void *address, uint64_t length)
{
	unsigned int at = *ring->submitted & ring->submit_mask, done = *ring->taken;
	struct io_uring_sqe *operation = &ring->operations[at];
	int result;

	memset(operation, 0, sizeof(*operation));
	operation->opcode = (uint8_t)what;
	operation->fd = fd;
	operation->addr = (uint64_t)(uintptr_t)address;
	operation->off = length;
	ring->order[at] = at;
	__atomic_store_n(ring->submitted, *ring->submitted + 1, __ATOMIC_RELEASE);
	do
		by_hand(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0);
	while (__atomic_load_n(ring->completed, __ATOMIC_ACQUIRE) == done);
	result = ring->results[done & ring->complete_mask].res;
	__atomic_store_n(ring->taken, done + 1, __ATOMIC_RELEASE);
	return result;
}

#endif
