/* SPDX-License-Identifier: MIT */
/*
 * Connections: an open TCP description each. How they come, get more names, and are connected anew; how they end stands in endings.c.
 */
#include <string.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <lastack/kernel.h>
#include <lastack/sys.h>

#include "internal.h"

/*
 * A number that is opened again while we still know it was closed out of our sight (by an inline system call, io_uring). What
 * was there is over for this process.
 */
static void closed_unseen(uint64_t old)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = la_track_record(old, NULL);
	uint32_t index = LA_SLOT_INDEX(old);

	if (!record || atomic_fetch_sub(&la_local_refs[index], 1) != 1)
		return;
	if (la_holders_drop(region, record, la_track_my_bit()))
		atomic_store(&record->fd, -1);
}

static void publish(int fd, uint64_t slot)
{
	uint64_t old = la_slot_exchange(fd, slot);

	if (LA_SLOT_TRACKED(old))
		closed_unseen(old);
}

/* A new socket in this number: it is in no epoll set yet. */
static void publish_new(int fd, uint64_t slot)
{
	_Atomic int *epolls = la_slot_epolls(fd), *domain = la_slot_domain(fd);

	if (domain)
		atomic_store_explicit(domain, 0, memory_order_relaxed);
	if (epolls) {
		atomic_store_explicit(&epolls[0], 0, memory_order_relaxed);
		atomic_store_explicit(&epolls[1], 0, memory_order_relaxed);
	}
	publish(fd, slot);
}

/* A record for `fd`, published in its slot. */
static void open_record(int fd, enum la_role role, uint32_t slot_flags, uint32_t flags,
	const struct la_names *names)
{
	struct la_region *region = la_region_now();
	struct la_connection_record *record;
	uint32_t generation, number = 0, s;
	int64_t index;
	uint64_t cookie = 0;

	/* Its close would not be seen. */
	if (!la_slot_ready(fd))
		return;
	if (region)
		la_rows_mine(&number);
	index = region ? la_record_take(region) : -1;
	if (index < 0) {
		if (region) {
			la_track_lacks(LA_LACK_RECORDS, 0);
			la_track_count(LA_COUNT_DROPPED);
		}
		publish(fd, (uint64_t)slot_flags << 32);
		return;
	}
	record = &region->connections[index];
	generation = LA_WORD_GEN(atomic_load_explicit(&record->word, memory_order_relaxed));
	for (s = 0; s < LA_SEEN_COUNT; s++) {
		atomic_store_explicit(
			&record->own[s], LA_INSTANT_MAKE(generation, 0), memory_order_relaxed);
		atomic_store_explicit(
			&record->folded[s], LA_INSTANT_MAKE(generation, 0), memory_order_relaxed);
	}
	for (s = 0; s < 3; s++)
		atomic_store_explicit(
			&record->stack[s], LA_STACK_MAKE(generation, 0), memory_order_relaxed);
	/* Asked for now: the kernel gives out the name on demand, and the close is too late. */
	la_kernel_cookie(fd, &cookie);
	atomic_store_explicit(&record->cookie, cookie, memory_order_release);
	atomic_store_explicit(
		&record->opened, LA_INSTANT_MAKE(generation, la_now_us()), memory_order_relaxed);
	atomic_store_explicit(&record->owner, number, memory_order_relaxed);
	atomic_store_explicit(&record->open_stack, la_stack_here(), memory_order_relaxed);
	atomic_store_explicit(&record->pid, (uint32_t)la_sys(SYS_getpid), memory_order_relaxed);
	atomic_store_explicit(&record->tid, la_rows_tid(), memory_order_relaxed);
	atomic_store_explicit(&record->fd, fd, memory_order_relaxed);
	memcpy(record->local, names->local, 16);
	memcpy(record->remote, names->remote, 16);
	record->local_port = names->local_port;
	record->remote_port = names->remote_port;
	record->family = names->family;
	record->role = (uint8_t)role;
	atomic_store_explicit(&record->ending, LA_ENDING_NONE, memory_order_relaxed);
	atomic_store_explicit(&record->steps_done, 0, memory_order_relaxed);
	atomic_store_explicit(&record->next_action, LA_ACTION_NONE, memory_order_relaxed);
	atomic_store_explicit(&record->next_us, 0, memory_order_relaxed);
	atomic_store_explicit(&record->drained_bytes, 0, memory_order_relaxed);
	atomic_store_explicit(&la_local_refs[index], 1, memory_order_relaxed);
	atomic_store_explicit(&record->holders,
		la_track_my_bit() | (slot_flags & LA_SLOT_SHARED ? LA_HOLDER_UNKNOWN : 0),
		memory_order_relaxed);
	/* First: one too many, where a handler jumps away, costs nothing; one too few would be four thousand millions. */
	atomic_fetch_add_explicit(&region->header->connections_open, 1, memory_order_relaxed);
	atomic_store_explicit(&record->word, LA_WORD_MAKE(generation, LA_PHASE_OPEN, flags),
		memory_order_release);
	publish(fd, LA_SLOT_MAKE(index, slot_flags, generation));
	/* Either the fork handler's count saw the record, or we see the fork. Both are sequentially consistent. */
	if (atomic_load_explicit(&la_forking, memory_order_seq_cst))
		la_holders_add(record, LA_HOLDER_UNKNOWN);
	if (role == LA_ROLE_SERVER || role == LA_ROLE_CLIENT)
		la_track_count(
			role == LA_ROLE_SERVER ? LA_COUNT_OPENED_SERVER : LA_COUNT_OPENED_CLIENT);
}

static uint32_t linger_flags(uint32_t slot_flags)
{
	return (slot_flags & LA_SLOT_LINGER_RESET ? LA_CONNECTION_LINGER_RESET : 0) |
	       (slot_flags & LA_SLOT_LINGER_TIMED ? LA_CONNECTION_LINGER_TIMED : 0);
}

void la_track_socket(int fd, uint32_t slot_flags)
{
	if (slot_flags && atomic_load_explicit(&la_forking, memory_order_seq_cst))
		slot_flags |= LA_SLOT_SHARED;
	publish_new(fd, (uint64_t)slot_flags << 32);
}

/*
 * What is known of a socket that was not made before our eyes: inherited, received, or from an untracked time. Who else holds it is not.
 */
static uint64_t learn(int fd)
{
	uint64_t slot = la_slot_load(fd);

	if (slot || la_kernel_is_tcp(fd) != 1)
		return slot;
	slot = (uint64_t)(LA_SLOT_TCP | LA_SLOT_SHARED) << 32;
	publish(fd, slot);
	return slot;
}

void la_track_listening(int fd)
{
	uint64_t slot = learn(fd);
	struct la_names names;

	if (!(LA_SLOT_FLAGS(slot) & LA_SLOT_TCP) || LA_SLOT_TRACKED(slot) ||
		la_kernel_names(fd, &names) < 0)
		return;
	open_record(fd, LA_ROLE_LISTENER, LA_SLOT_FLAGS(slot) | LA_SLOT_LISTENER, 0, &names);
}

void la_track_accepted(int listener, int fd)
{
	uint64_t slot = la_slot_load(listener);
	uint32_t inherited;
	struct la_names names;

	if (!slot) {
		/* A listener inherited over exec or by socket activation. */
		la_track_listening(listener);
		slot = la_slot_load(listener);
		if (!slot)
			la_slot_exchange(listener, (uint64_t)LA_SLOT_OTHER << 32);
	}
	if (!(LA_SLOT_FLAGS(slot) & LA_SLOT_TCP)) {
		publish(fd, 0);
		return;
	}
	if (la_kernel_names(fd, &names) < 0) {
		publish(fd, 0);
		return;
	}
	publish_new(fd, (uint64_t)LA_SLOT_TCP << 32);
	inherited = LA_SLOT_FLAGS(slot) & (LA_SLOT_LINGER_RESET | LA_SLOT_LINGER_TIMED);
	open_record(fd, LA_ROLE_SERVER, LA_SLOT_TCP | inherited, linger_flags(inherited), &names);
}

/* The record is of an earlier attempt: this one has another port, or cannot have such a past. */
static bool is_of_the_past(int fd, uint64_t slot)
{
	struct la_connection_record *record = la_track_record(slot, NULL);
	struct la_names names;
	int state;

	if (!record) /* closed as far as we knew, while nobody counted us */
		return true;
	if (la_kernel_names(fd, &names) < 0)
		return false;
	if (names.local_port != record->local_port)
		return true;
	state = la_kernel_state(fd);
	return (state == TCP_SYN_SENT || state == TCP_ESTABLISHED) &&
	       la_track_facts(LA_SLOT_INDEX(slot), NULL);
}

void la_track_connected(int fd, bool in_progress)
{
	uint64_t slot = learn(fd);
	struct la_names names;

	if (!(LA_SLOT_FLAGS(slot) & LA_SLOT_TCP))
		return;
	if (LA_SLOT_TRACKED(slot) && is_of_the_past(fd, slot)) {
		la_track_disconnected(fd);
		slot = la_slot_load(fd);
	}
	if (LA_SLOT_TRACKED(slot)) { /* a second connect() that asks how the first went */
		struct la_connection_record *record = la_track_record(slot, NULL);
		uint64_t word = record ? atomic_load(&record->word) : 0;

		while (record && !in_progress && (LA_WORD_FLAGS(word) & LA_CONNECTION_CONNECTING))
			if (atomic_compare_exchange_weak(&record->word, &word,
				    word & ~(uint64_t)LA_CONNECTION_CONNECTING))
				break;
		return;
	}
	if (la_kernel_names(fd, &names) < 0)
		return;
	open_record(fd, LA_ROLE_CLIENT, LA_SLOT_FLAGS(slot),
		linger_flags(LA_SLOT_FLAGS(slot)) | (in_progress ? LA_CONNECTION_CONNECTING : 0),
		&names);
}

void la_track_disconnected(int fd)
{
	uint64_t slot = la_slot_load(fd);
	uint32_t flags = LA_SLOT_FLAGS(slot) & ~(uint32_t)(LA_SLOT_LISTENER | LA_SLOT_ENFORCED);

	if (!LA_SLOT_TRACKED(slot))
		return;
	/* The next connection is the same description: whoever holds it now will hold that, counted in this record. */
	if (!la_track_is_sole(slot)) {
		la_track_share(fd);
		flags |= LA_SLOT_SHARED;
	}
	la_track_saw(slot, LA_SEEN_RESET);
	publish(fd, (uint64_t)flags << 32);
}

bool la_track_is_dead(int fd)
{
	return la_kernel_state(fd) == TCP_CLOSE;
}

void la_track_duplicated(uint64_t slot, int to)
{
	struct la_connection_record *record = la_track_record(slot, NULL);
	uint64_t keep = LA_SLOT_TCP | LA_SLOT_LISTENER | LA_SLOT_LINGER_RESET |
			LA_SLOT_LINGER_TIMED | LA_SLOT_ENFORCED;
	uint64_t flags = LA_SLOT_FLAGS(slot) & keep;

	if (!record) {
		/* Two numbers of a socket that has no record yet to count them in. */
		publish(to, LA_SLOT_TRACKED(slot) || !slot ? 0 : (flags | LA_SLOT_SHARED) << 32);
		return;
	}
	if (!la_slot_ready(to)) {
		la_holders_add(record, LA_HOLDER_UNKNOWN);
		return;
	}
	atomic_fetch_add(&la_local_refs[LA_SLOT_INDEX(slot)], 1);
	publish_new(to, (slot & ~(0xffffull << 32)) | flags << 32);
	/* Ended since the slot was read: la_track_enforced() found the number, or the fact was there first. */
	if (LA_INSTANT_US(atomic_load(&record->folded[LA_SEEN_ENFORCED])))
		la_slot_change_flags(to, slot, LA_SLOT_ENFORCED, 0);
	if (atomic_load_explicit(&la_forking, memory_order_seq_cst))
		la_holders_add(record, LA_HOLDER_UNKNOWN);
}

void la_track_received(int fd)
{
	struct la_names names;
	uint64_t slot;

	la_track_socket(fd, 0);
	if (la_kernel_is_tcp(fd) != 1 || la_kernel_names(fd, &names) < 0 || !names.remote_port) {
		la_slot_exchange(fd, 0);
		return;
	}
	open_record(fd, LA_ROLE_UNKNOWN, LA_SLOT_TCP, 0, &names);
	slot = la_slot_load(fd);
	if (LA_SLOT_TRACKED(slot))
		la_track_share(fd);
}

bool la_track_adopt(int fd)
{
	struct linger linger = {0, 0};
	socklen_t length = sizeof(linger);
	struct la_names names;

	if (la_slot_load(fd) || la_kernel_names(fd, &names) < 0 || !names.remote_port)
		return false;
	open_record(fd, LA_ROLE_UNKNOWN, LA_SLOT_TCP, 0, &names);
	if (la_sys(SYS_getsockopt, fd, SOL_SOCKET, SO_LINGER, &linger, &length) == 0)
		la_track_linger(fd, linger.l_onoff, linger.l_linger);
	return LA_SLOT_TRACKED(la_slot_load(fd));
}

static void change_linger(struct la_connection_record *record, uint16_t tag, uint32_t set)
{
	uint32_t both = LA_CONNECTION_LINGER_RESET | LA_CONNECTION_LINGER_TIMED;
	uint64_t word = atomic_load(&record->word);

	while ((uint16_t)LA_WORD_GEN(word) == tag &&
		!atomic_compare_exchange_weak(&record->word, &word, (word & ~(uint64_t)both) | set))
		;
}

void la_track_linger(int fd, bool on, int seconds)
{
	uint64_t slot = la_slot_load(fd);
	struct la_connection_record *record = la_track_record(slot, NULL);
	uint32_t set = !on ? 0 : seconds == 0 ? LA_SLOT_LINGER_RESET : LA_SLOT_LINGER_TIMED;

	la_slot_change_flags(fd, slot, set, (LA_SLOT_LINGER_RESET | LA_SLOT_LINGER_TIMED) & ~set);
	if (!record)
		return;
	change_linger(record, LA_SLOT_TAG(slot), linger_flags(set));
}

void la_track_linger_refused(struct la_connection_record *record, uint32_t generation)
{
	change_linger(record, (uint16_t)generation, 0);
}
