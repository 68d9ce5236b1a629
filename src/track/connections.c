/* SPDX-License-Identifier: MIT */
/*
 * Connections: an open TCP description each, from the open to the last close.
 *
 * Records are taken in turn, so that a closed one stays to be seen for as long as there is room: the kernel may still be
 * ending the connection (FIN-WAIT, TIME-WAIT), and the command finds it by its cookie.
 */
#include <string.h>
#include <netinet/tcp.h>

#include <lastack/kernel.h>
#include <lastack/sys.h>

#include "internal.h"

enum {
	GROW = 256,   /* records made ready at a time */
	ROOMY = 4096, /* closed records are kept at least until there are so many */
};

/* Calls under way that may make another holder, by connection index: 16 bits of its generation, 16 bits of their number. */
static _Atomic uint32_t giving[LA_REGION_CONNECTIONS];
static _Atomic uint32_t hand; /* where the next free record is looked for */

struct la_connection_record *la_track_record(uint64_t slot, uint32_t *generation)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record;
	uint64_t word;

	if (!region || !LA_SLOT_TRACKED(slot) || LA_SLOT_INDEX(slot) >= LA_REGION_CONNECTIONS)
		return NULL;
	record = &region->connections[LA_SLOT_INDEX(slot)];
	word = atomic_load_explicit(&record->word, memory_order_acquire);
	if ((uint16_t)LA_WORD_GEN(word) != LA_SLOT_TAG(slot) ||
		LA_WORD_PHASE(word) != LA_PHASE_OPEN)
		return NULL;
	if (generation)
		*generation = LA_WORD_GEN(word);
	return record;
}

uint64_t la_track_cookie(uint64_t slot)
{
	struct la_connection_record *record = la_track_record(slot, NULL);
	/* Pairs with the release in open_record(): with a later connection's cookie comes its generation. */
	uint64_t cookie = record ? atomic_load_explicit(&record->cookie, memory_order_acquire) : 0;

	return la_track_record(slot, NULL) ? cookie : 0;
}

bool la_track_is_still(int fd, uint64_t slot)
{
	uint64_t known = la_track_cookie(slot), found = 0;

	return known && la_kernel_cookie(fd, &found) == 0 && found == known;
}

/* Move to `phase` and set flags, if it still is this connection and is not there yet. */
static bool change(
	struct la_connection_record *record, uint32_t generation, enum la_phase phase, uint32_t set)
{
	uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);

	while (LA_WORD_GEN(word) == generation && LA_WORD_PHASE(word) != phase)
		if (atomic_compare_exchange_weak_explicit(&record->word, &word,
			    LA_WORD_MAKE(generation, phase, LA_WORD_FLAGS(word) | set),
			    memory_order_acq_rel, memory_order_acquire))
			return true;
	return false;
}

static void grow(struct la_region *region, uint32_t high)
{
	uint32_t room = region->header->sections[LA_REGION_S_CONNECTIONS].count;
	uint32_t more = room - high < GROW ? room - high : GROW;

	if (more == 0 || la_region_populate(&region->connections[high],
				 more * sizeof(struct la_connection_record)) != 0)
		return;
	atomic_compare_exchange_strong(&region->header->connections_high, &high, high + more);
}

/* Index of a record in phase OPENING with a new generation, or -1. */
static int64_t take_record(struct la_region *region)
{
	uint32_t high =
		atomic_load_explicit(&region->header->connections_high, memory_order_acquire);
	uint32_t open =
		atomic_load_explicit(&region->header->connections_open, memory_order_relaxed);
	uint32_t tried;

	if (open * 2 >= high)
		grow(region, high);
	for (;;) {
		high = atomic_load_explicit(
			&region->header->connections_high, memory_order_acquire);
		for (tried = 0; tried < high; tried++) {
			uint32_t at =
				atomic_fetch_add_explicit(&hand, 1, memory_order_relaxed) % high;
			struct la_connection_record *record = &region->connections[at];
			uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
			enum la_phase phase = LA_WORD_PHASE(word);

			if (phase != LA_PHASE_FREE && phase != LA_PHASE_CLOSED)
				continue;
			/* Still worth showing, and there is room: rather a new one. */
			if (phase == LA_PHASE_CLOSED && high < ROOMY)
				break;
			if (atomic_compare_exchange_strong_explicit(&record->word, &word,
				    LA_WORD_MAKE(LA_WORD_GEN(word) + 1, LA_PHASE_OPENING, 0),
				    memory_order_acq_rel, memory_order_acquire))
				return at;
		}
		grow(region, high);
		if (atomic_load_explicit(&region->header->connections_high, memory_order_acquire) ==
			high)
			return -1;
		atomic_store_explicit(&hand, high, memory_order_relaxed);
	}
}

bool la_holders_drop(struct la_region *region, struct la_connection_record *record, uint64_t bits)
{
	uint64_t word = atomic_load(&record->word);

	/* The unknown one is many: none of them speaks for the others. */
	bits &= ~LA_HOLDER_UNKNOWN;
	if (atomic_fetch_and(&record->holders, ~bits) & ~bits & ~LA_HOLDER_UNKNOWN)
		return false;
	if (LA_WORD_PHASE(word) == LA_PHASE_OPEN) {
		la_track_fold(record, LA_WORD_GEN(word), LA_SEEN_CLOSE, la_now_us());
		if (change(record, LA_WORD_GEN(word), LA_PHASE_CLOSED, 0))
			atomic_fetch_sub(&region->header->connections_open, 1);
	}
	return true;
}

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

	if (region)
		la_rows_mine(&number);
	index = region ? take_record(region) : -1;
	if (index < 0) {
		if (region)
			la_track_count(LA_COUNT_DROPPED);
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

	if (LA_SLOT_TRACKED(slot) && is_of_the_past(fd, slot)) {
		la_track_disconnected(fd);
		slot = la_slot_load(fd);
	}

	if (!(LA_SLOT_FLAGS(slot) & LA_SLOT_TCP))
		return;
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
	uint32_t flags = LA_SLOT_FLAGS(slot) & ~(uint32_t)LA_SLOT_LISTENER;

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
	uint64_t keep =
		LA_SLOT_TCP | LA_SLOT_LISTENER | LA_SLOT_LINGER_RESET | LA_SLOT_LINGER_TIMED;
	uint64_t flags = LA_SLOT_FLAGS(slot) & keep;

	if (!record) {
		/* Two numbers of a socket that has no record yet to count them in. */
		publish(to, LA_SLOT_TRACKED(slot) || !slot ? 0 : (flags | LA_SLOT_SHARED) << 32);
		return;
	}
	atomic_fetch_add(&la_local_refs[LA_SLOT_INDEX(slot)], 1);
	publish_new(to, (slot & ~(0xffffull << 32)) | flags << 32);
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

void la_track_linger(int fd, bool on, int seconds)
{
	uint64_t slot = la_slot_load(fd), word;
	struct la_connection_record *record = la_track_record(slot, NULL);
	uint32_t set = !on ? 0 : seconds == 0 ? LA_SLOT_LINGER_RESET : LA_SLOT_LINGER_TIMED;

	la_slot_change_flags(fd, slot, set, (LA_SLOT_LINGER_RESET | LA_SLOT_LINGER_TIMED) & ~set);
	if (!record)
		return;
	word = atomic_load(&record->word);
	while (!atomic_compare_exchange_weak(&record->word, &word,
		(word & ~(uint64_t)(LA_CONNECTION_LINGER_RESET | LA_CONNECTION_LINGER_TIMED)) |
			linger_flags(set)))
		if ((uint16_t)LA_WORD_GEN(word) != LA_SLOT_TAG(slot))
			return;
}

void la_track_giving(uint64_t slot, int change)
{
	_Atomic uint32_t *calls = &giving[LA_SLOT_INDEX(slot)];
	uint32_t old = atomic_load(calls), tag = LA_SLOT_TAG(slot), count;

	if (!la_track_record(slot, NULL))
		return;
	do {
		count = old >> 16 == tag ? old & 0xffff
					 : 0; /* another generation's calls are over */
		/* Never below 0: in the child of a fork out of such a call (a signal handler's), the beginning is forgotten. */
		if (count == 0 && change < 0)
			return;
	} while (!atomic_compare_exchange_weak(
		calls, &old, tag << 16 | ((count + (uint32_t)change) & 0xffff)));
}

void la_giving_forget(void)
{
	int fd = -1;

	while ((fd = la_slot_next(fd + 1, 0x3fffffff)) >= 0)
		if (LA_SLOT_TRACKED(la_slot_load(fd)))
			atomic_store(&giving[LA_SLOT_INDEX(la_slot_load(fd))], 0);
}

static bool is_being_given(uint64_t slot)
{
	uint32_t calls = atomic_load(&giving[LA_SLOT_INDEX(slot)]);

	return calls >> 16 == LA_SLOT_TAG(slot) && (calls & 0xffff);
}

void la_track_share(int fd)
{
	uint64_t slot = la_slot_load(fd);
	struct la_connection_record *record = la_track_record(slot, NULL);

	if (record)
		la_holders_add(record, LA_HOLDER_UNKNOWN);
	else if (LA_SLOT_FLAGS(slot) & LA_SLOT_TCP)
		la_slot_change_flags(fd, slot, LA_SLOT_SHARED, 0);
}

/* Holders that died without a close: their bits come off, so that one crashed child does not make a connection shared. */
static uint64_t living_holders(struct la_region *region, struct la_connection_record *record)
{
	uint64_t others = atomic_load(&record->holders) & ~la_track_my_bit() & ~LA_HOLDER_UNKNOWN;

	while (others) {
		uint32_t i = (uint32_t)__builtin_ctzll(others);
		uint32_t pid = atomic_load(&region->processes[i].pid);

		others &= others - 1;
		if (pid == 0 || la_process_is_gone(pid))
			la_holders_drop(region, record, 1ull << i);
	}
	return atomic_load(&record->holders);
}

bool la_track_is_ours(uint64_t slot)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = la_track_record(slot, NULL);

	return record && !atomic_load_explicit(&la_forking, memory_order_seq_cst) &&
	       !is_being_given(slot) && la_track_my_bit() != LA_HOLDER_UNKNOWN &&
	       living_holders(region, record) == la_track_my_bit();
}

bool la_track_is_sole(uint64_t slot)
{
	return la_track_is_ours(slot) && atomic_load(&la_local_refs[LA_SLOT_INDEX(slot)]) == 1;
}

struct la_release la_track_release(int fd)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_release release = {.slot = la_slot_exchange(fd, 0)};
	uint64_t mine = la_track_my_bit() & ~LA_HOLDER_UNKNOWN, others;
	struct la_connection_record *record;
	bool given;

	if (!LA_SLOT_TRACKED(release.slot))
		return release;
	record = la_track_record(release.slot, &release.generation);
	if (!record)
		return release;
	release.tracked = true;
	release.index = LA_SLOT_INDEX(release.slot);
	if (atomic_fetch_sub(&la_local_refs[release.index], 1) != 1)
		return release;
	release.last_here = true;
	/* Before the holders: a call that ends in between has added its own. */
	given = is_being_given(release.slot);
	living_holders(region, record);
	atomic_store_explicit(&record->fd, -1, memory_order_relaxed);
	/* Once our bit is off, another process may end the record at any time: it is ours no more, unless ours was the last. */
	others = atomic_fetch_and(&record->holders, ~mine) & ~mine;
	release.last = others == 0 && mine &&
		       !atomic_load_explicit(&la_forking, memory_order_seq_cst) && !given;
	if (!release.last && (others & ~LA_HOLDER_UNKNOWN) == 0) {
		/* As far as we know it is closed; an unknown holder shows in the kernel (inode). */
		la_track_saw(release.slot, LA_SEEN_CLOSE);
		if (change(record, release.generation, LA_PHASE_CLOSED, 0))
			atomic_fetch_sub(&region->header->connections_open, 1);
	}
	return release;
}

void la_track_closed(const struct la_release *release, int fd)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = &region->connections[release->index];
	uint32_t flags = 0;
	uint64_t cookie = 0;
	bool reset;

	if (record->role != LA_ROLE_LISTENER) {
		/* One that the peer has reset already sends nothing. The number may be something else's by now, after an unseen close. */
		if (la_kernel_unread(fd) > 0 && la_kernel_state(fd) != TCP_CLOSE &&
			la_kernel_cookie(fd, &cookie) == 0 &&
			cookie == atomic_load_explicit(&record->cookie, memory_order_relaxed))
			flags |= LA_CONNECTION_UNREAD_AT_CLOSE;
		reset = flags ||
			(LA_WORD_FLAGS(atomic_load(&record->word)) & LA_CONNECTION_LINGER_RESET);
		la_track_saw(release->slot, LA_SEEN_CLOSE);
		la_track_count(reset ? LA_COUNT_CLOSED_RESET : LA_COUNT_CLOSED_FIN);
	}
	if (change(record, release->generation, LA_PHASE_CLOSED, flags))
		atomic_fetch_sub_explicit(
			&region->header->connections_open, 1, memory_order_relaxed);
}

void la_track_draining(const struct la_release *release)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = &region->connections[release->index];

	la_track_saw(release->slot, LA_SEEN_CLOSE);
	la_track_fold(record, release->generation, LA_SEEN_ENFORCED, la_now_us());
	la_track_count(LA_COUNT_CLOSED_GRACEFUL);
	/* The drain is ours: it ends with us, and then somebody must see that. */
	la_holders_add(record, la_track_my_bit());
	change(record, release->generation, LA_PHASE_DRAINING, 0);
}

void la_track_drained(uint32_t index, uint32_t generation, enum la_ending ending, uint64_t bytes)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	struct la_connection_record *record = &region->connections[index];

	if (LA_WORD_GEN(atomic_load(&record->word)) != generation)
		return;
	atomic_store(&record->ending, (uint8_t)ending);
	atomic_store(&record->drained_bytes, bytes);
	if (ending == LA_ENDING_RESET)
		la_track_fold(record, generation, LA_SEEN_RESET, la_now_us());
	if (ending == LA_ENDING_EOF)
		la_track_fold(record, generation, LA_SEEN_PEER_FIN, la_now_us());
	atomic_fetch_and(&record->holders, ~la_track_my_bit());
	if (change(record, generation, LA_PHASE_CLOSED, 0))
		atomic_fetch_sub(&region->header->connections_open, 1);
}
