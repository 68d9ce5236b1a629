/* SPDX-License-Identifier: MIT */
/*
 * A scene: threads that open, duplicate, close and tell of connections as the hooks do, and a check of what a region shows.
 *
 * Each connection ever opened has an id, which is its local address (127.128.0.0 + id). What may be seen of it follows from the id, and
 * what was told of it is kept beside the region. So whoever reads the region recognises a record made of two connections, a fact of
 * another connection and a fact that is missing.
 *
 * Few records are free to be used, all in one set of the rows: records and rows change hands all the time.
 */
#ifndef TORTURE_SCENE_H
#define TORTURE_SCENE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <lastack/kernel.h>
#include <lastack/region_reader.h>
#include <lastack/sys.h>
#include <lastack/track.h>

#include "../../src/track/internal.h"

enum {
	WORKERS = 4,
	SIBLING = WORKERS - 1, /* may be in a process of its own */
	HELD = 6,              /* connections that a worker holds */
	IDS = 1 << 22,         /* connections ever opened */
	RECORDS = 4096,        /* from so many on closed records are used again */
	USABLE = 36,           /* of these */
	STOPPED_TOO_LONG_S = 60,
};
#define FIRST_ADDRESS 0x7f800000u

struct identity {
	_Atomic uint64_t cookie, slot;
	_Atomic uint32_t told, tid;
	_Atomic int fd;
	_Atomic uint32_t port;
};
struct worker {
	_Atomic uint64_t done; /* operations */
	_Atomic uint64_t opened;
	_Atomic uint32_t tid;
	_Atomic uint32_t board[HELD]; /* ids of what it holds, 0: none */
	_Atomic uint64_t goal;        /* operations that it may do */
	uint64_t random;
};
struct scene {
	_Atomic bool over;
	_Atomic uint32_t ids;
	_Atomic uint64_t reads, reads_goal, shown, facts;
	_Atomic uint32_t aim;   /* what the first worker tells of: worker * HELD + place + 1 */
	_Atomic uint32_t goals; /* a futex: more may be done */
	_Atomic uint32_t failures;
	char why[256]; /* of the first */
	char region[256];
	struct worker workers[WORKERS];
	struct identity identities[IDS];
};
static struct scene *scene;

static inline void fail(const char *format, ...)
{
	va_list arguments;

	if (atomic_fetch_add(&scene->failures, 1) != 0)
		return;
	va_start(arguments, format);
	vsnprintf(scene->why, sizeof(scene->why), format, arguments);
	va_end(arguments);
}

/* splitmix64 */
static inline uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Facts that are told of a connection, if any; the others never are. A close is seen by the way. */
static inline uint32_t may_be_told(uint32_t id)
{
	uint64_t state = id;

	return (uint32_t)next(&state) & ((1u << LA_SEEN_COUNT) - 1) & ~(1u << LA_SEEN_CLOSE);
}

/* Stacks prove whose they are: facts of even and of odd connections are told by functions of their own. */
__attribute__((noinline, section("text_even"))) static void tell_even(
	uint64_t slot, enum la_seen seen)
{
	la_track_saw(slot, seen);
	__asm__ volatile(""); /* no tail call */
}

__attribute__((noinline, section("text_odd"))) static void tell_odd(
	uint64_t slot, enum la_seen seen)
{
	la_track_saw(slot, seen);
	__asm__ volatile("");
}

static inline uint32_t open_one(struct worker *worker, uint32_t place)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	uint32_t id = atomic_fetch_add(&scene->ids, 1) + 1;
	struct identity *identity = &scene->identities[id];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t cookie = 0;

	address.sin_addr.s_addr = htonl(FIRST_ADDRESS + id);
	if (id >= IDS - 16 || fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 ||
		getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
		la_kernel_cookie(fd, &cookie) < 0) {
		fail("no socket number %u: %s", id, strerror(errno));
		return 0;
	}
	atomic_store(&identity->cookie, cookie);
	atomic_store(&identity->port, ntohs(address.sin_port));
	atomic_store(&identity->fd, fd);
	atomic_store(&identity->tid, (uint32_t)la_sys(SYS_gettid));
	la_track_socket(fd, LA_SLOT_TCP);
	la_track_connected(fd, false);
	atomic_store(&identity->slot, la_slot_load(fd));
	atomic_fetch_add(&worker->opened, 1);
	atomic_store(&worker->board[place], id);
	return id;
}

static inline void close_tracked(int fd)
{
	struct la_release release = la_track_release(fd);

	if (release.last)
		la_track_closed(&release, fd);
	close(fd);
}

/* Whoever takes a connection off its board may close it. */
static inline bool close_one(_Atomic uint32_t *place, bool seen)
{
	uint32_t id = atomic_exchange(place, 0);
	int fd = atomic_load(&scene->identities[id].fd);

	if (id && seen)
		close_tracked(fd);
	else if (id)
		close(fd);
	return id != 0;
}

/* A second number for it, for a while. */
static inline void duplicate_one(_Atomic uint32_t *place)
{
	uint32_t id = atomic_exchange(place, 0);
	int from = atomic_load(&scene->identities[id].fd), to;
	uint64_t slot = la_slot_load(from);

	if (!id)
		return;
	la_track_giving(slot, 1);
	to = fcntl(from, F_DUPFD_CLOEXEC, 0);
	if (to >= 0)
		la_track_duplicated(slot, to);
	la_track_giving(slot, -1);
	if (to >= 0)
		close_tracked(to);
	atomic_store(place, id);
}

static inline _Atomic uint32_t *place_at(uint32_t number)
{
	return &scene->workers[number / HELD].board[number % HELD];
}

static inline void tell_one(uint64_t *random, bool aim)
{
	uint32_t number = (uint32_t)(next(random) % (WORKERS * HELD));
	_Atomic uint32_t *place = place_at(number);
	uint32_t id = atomic_load(place), may = may_be_told(id);
	enum la_seen seen = (enum la_seen)(next(random) % LA_SEEN_COUNT);
	uint64_t slot = atomic_load(&scene->identities[id].slot);

	if (!id || !(may >> seen & 1) || !slot)
		return;
	if (aim)
		atomic_store(&scene->aim, number + 1);
	if (id & 1)
		tell_odd(slot, seen);
	else
		tell_even(slot, seen);
	if (atomic_load(place) == id) /* open all the time: it must be there from now on */
		atomic_fetch_or(&scene->identities[id].told, 1u << seen);
}

/* What happens when a thread ends and the next takes over its table, rows and all. */
static inline void change_tables(void)
{
	struct la_thread_table *table = la_rows_mine(NULL);

	if (!table)
		return;
	la_rows_forget_mine();
	la_track_release_table(table);
}

/* As one thread reads and another closes: often just what the first worker is telling of. */
static inline void close_anothers(uint64_t *random)
{
	uint32_t number = (uint32_t)(next(random) % (SIBLING * HELD)), aim;

	if (next(random) % 2 && (aim = atomic_load(&scene->aim)) && aim <= SIBLING * HELD)
		number = aim - 1;
	close_one(place_at(number), true);
}

static inline void work(struct worker *worker)
{
	uint64_t *random = &worker->random;
	uint32_t at = (uint32_t)(next(random) % HELD);
	_Atomic uint32_t *place = &worker->board[at];
	int what = (int)(next(random) % 16), i;

	/* Most live long, so that there are more than a thread has rows for. */
	if (at > 1 && next(random) % 8 && (what < 4 || what == 6))
		what = 8;
	if (!atomic_load(place)) {
		open_one(worker, at);
	} else if (what < 4) {
		close_one(place, true);
		open_one(worker, at);
	} else if (what == 4) {
		duplicate_one(place);
	} else if (what == 5) {
		change_tables();
	} else if (what == 6) {
		/* Out of our sight: the next one on the number finds the old slot. */
		if (close_one(place, false))
			open_one(worker, at);
	} else if (what == 7 && worker != &scene->workers[SIBLING]) {
		close_anothers(random);
	} else {
		for (i = 0; i < 4; i++)
			tell_one(random, worker == &scene->workers[0]);
	}
	atomic_fetch_add(&worker->done, 1);
}

/* Workers and readers wait until more is wanted of them, so that one who stands has the processor for himself. */
static inline void wait_for_goal(_Atomic uint64_t *done, _Atomic uint64_t *goal)
{
	struct timespec tick = {.tv_nsec = 100000000};

	for (;;) {
		uint32_t goals = atomic_load(&scene->goals);

		if (atomic_load(&scene->over) || atomic_load(done) < atomic_load(goal))
			return;
		la_sys(SYS_futex, &scene->goals, FUTEX_WAIT, goals, &tick);
	}
}

static inline void new_goals(void)
{
	atomic_fetch_add(&scene->goals, 1);
	la_sys(SYS_futex, &scene->goals, FUTEX_WAKE, WORKERS + 1);
}

static inline void *work_on(void *argument)
{
	struct worker *worker = argument;

	atomic_store(&worker->tid, (uint32_t)la_sys(SYS_gettid));
	while (!atomic_load(&scene->over)) {
		wait_for_goal(&worker->done, &worker->goal);
		work(worker);
	}
	return NULL;
}

#include "scene_check.h"
#include "scene_start.h"

#endif
