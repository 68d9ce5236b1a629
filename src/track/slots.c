/* SPDX-License-Identifier: MIT */
/*
 * Descriptor slots: two levels, the second mapped when first written. No size is taken from RLIMIT_NOFILE, which is 1e9 in
 * some containers.
 */
#include <stddef.h>
#include <sys/mman.h>

#include <lastack/sys.h>

#include "internal.h"

la_slot *_Atomic la_slot_chunks[LA_SLOT_CHUNKS];

enum { CHUNK = 1 << LA_SLOT_CHUNK_BITS };

/* Behind the words of a chunk, away from the hot path: the epoll sets of each number, and its address family. */
struct cold {
	_Atomic int epoll[LA_SLOT_EPOLLS];
	_Atomic int domain;
};
enum { CHUNK_BYTES = CHUNK * (sizeof(la_slot) + sizeof(struct cold)) };

static _Atomic uint32_t
	chunks_high; /* chunks at and above it were never mapped: a scan ends there */

unsigned long la_slot_chunk_bytes(void)
{
	return CHUNK_BYTES;
}

static la_slot *slot_at(int fd)
{
	unsigned int number = (unsigned int)fd;
	la_slot *_Atomic *entry = &la_slot_chunks[number >> LA_SLOT_CHUNK_BITS];
	la_slot *chunk = atomic_load_explicit(entry, memory_order_acquire);
	uint32_t high;

	if (!chunk) {
		la_slot *expected = NULL;
		long mapped = la_sys(SYS_mmap, NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (mapped < 0 && mapped > -4096) {
			la_track_lacks(LA_LACK_NUMBERS, (int)mapped);
			return NULL;
		}
		high = atomic_load(&chunks_high);
		while (high <= number >> LA_SLOT_CHUNK_BITS &&
			!atomic_compare_exchange_weak(
				&chunks_high, &high, (number >> LA_SLOT_CHUNK_BITS) + 1))
			;
		chunk = (la_slot *)mapped;
		/* Pairs with the acquire in la_slot_load(). A signal handler or another thread may have been faster. */
		if (!atomic_compare_exchange_strong_explicit(
			    entry, &expected, chunk, memory_order_acq_rel, memory_order_acquire)) {
			la_sys(SYS_munmap, chunk, CHUNK_BYTES);
			chunk = expected;
		}
	}
	return &chunk[number & (CHUNK - 1)];
}

bool la_slot_ready(int fd)
{
	return fd >= 0 && (unsigned int)fd >> LA_SLOT_CHUNK_BITS < LA_SLOT_CHUNKS && slot_at(fd);
}

uint64_t la_slot_exchange(int fd, uint64_t slot)
{
	la_slot *at;

	if (fd < 0 || (unsigned int)fd >> LA_SLOT_CHUNK_BITS >= LA_SLOT_CHUNKS)
		return 0;
	if (slot == 0 && la_slot_load(fd) == 0)
		return 0;
	at = slot_at(fd);
	return at ? atomic_exchange_explicit(at, slot, memory_order_acq_rel) : 0;
}

static struct cold *cold_of(int fd)
{
	unsigned int number = (unsigned int)fd;
	la_slot *chunk;

	if (number >> LA_SLOT_CHUNK_BITS >= LA_SLOT_CHUNKS)
		return NULL;
	chunk = atomic_load_explicit(
		&la_slot_chunks[number >> LA_SLOT_CHUNK_BITS], memory_order_acquire);
	if (!chunk)
		return NULL;
	return &((struct cold *)(chunk + CHUNK))[number & (CHUNK - 1)];
}

_Atomic int *la_slot_epolls(int fd)
{
	struct cold *cold = cold_of(fd);

	return cold ? cold->epoll : NULL;
}

_Atomic int *la_slot_domain(int fd)
{
	struct cold *cold = cold_of(fd);

	return cold ? &cold->domain : NULL;
}

void la_slot_clear(int fd, uint64_t seen)
{
	la_slot *at = slot_at(fd);

	if (at)
		atomic_compare_exchange_strong_explicit(
			at, &seen, 0, memory_order_acq_rel, memory_order_relaxed);
}

void la_slot_change_flags(int fd, uint64_t seen, uint32_t set, uint32_t clear)
{
	la_slot *at;
	uint64_t old;

	if (!seen)
		return;
	at = slot_at(fd);
	if (!at)
		return;
	old = atomic_load_explicit(at, memory_order_relaxed);
	while (LA_SLOT_INDEX(old) == LA_SLOT_INDEX(seen) && LA_SLOT_TAG(old) == LA_SLOT_TAG(seen)) {
		uint64_t flags = (LA_SLOT_FLAGS(old) | set) & ~(uint64_t)clear;
		uint64_t new = (old & ~(0xffffull << 32)) | flags << 32;

		if (atomic_compare_exchange_weak_explicit(
			    at, &old, new, memory_order_acq_rel, memory_order_relaxed))
			return;
	}
}

int la_slot_next(int fd, int last)
{
	unsigned int number = fd < 0 ? 0 : (unsigned int)fd;

	while (number <= (unsigned int)last &&
		number >> LA_SLOT_CHUNK_BITS < atomic_load(&chunks_high)) {
		la_slot *chunk = atomic_load_explicit(
			&la_slot_chunks[number >> LA_SLOT_CHUNK_BITS], memory_order_acquire);

		if (!chunk) {
			number = ((number >> LA_SLOT_CHUNK_BITS) + 1) << LA_SLOT_CHUNK_BITS;
			continue;
		}
		if (atomic_load_explicit(&chunk[number & (CHUNK - 1)], memory_order_acquire))
			return (int)number;
		number++;
	}
	return -1;
}
