/* SPDX-License-Identifier: MIT */
/*
 * Part of region_reader_test.c: a region of many connections, still and while its process writes.
 */
#ifndef REGION_READER_LIVE_H
#define REGION_READER_LIVE_H

#include <sys/mman.h>

enum {
	MANY = 1700, /* several of the reader's chunks, the last one not full */
	WIDE = sizeof(struct la_connection_record) + 4, /* a later version's; entries unaligned */
	BUSY = 3, /* few, so that they change hands all the time */
	LOOKS = 20000,
};

static struct la_connection_record many[MANY];

/* The image, and behind it the many records, `stride` apart. */
static int write_many(uint32_t stride)
{
	int fd;

	image.header.sections[LA_REGION_S_CONNECTIONS] =
		(struct la_region_section){sizeof(image), MANY, stride};
	image.header.connections_high = MANY;
	write_bytes(&image, sizeof(image));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (uint32_t i = 0; i < MANY; i++) {
		many[i] = image.connections[0];
		many[i].cookie = i + 1;
		assert_int_equal(pwrite(fd, (void *)&many[i], sizeof(many[i]),
					 (off_t)(sizeof(image) + (size_t)i * stride)),
			sizeof(many[i]));
	}
	assert_int_equal(ftruncate(fd, (off_t)(sizeof(image) + (size_t)MANY * stride)), 0);
	return fd;
}

static void every_one_of_many_connections_is_read_whatever_its_alignment(void **state)
{
	static const uint32_t strides[] = {sizeof(struct la_connection_record), WIDE, 1 << 17};

	(void)state;
	for (size_t s = 0; s < sizeof(strides) / sizeof(strides[0]); s++) {
		close(write_many(strides[s]));
		la_region_copy_free(&copy);
		assert_int_equal(la_region_read(path, &copy, error), 0);
		assert_int_equal(copy.connections_count, MANY);
		for (uint32_t i = 0; i < MANY; i++) {
			assert_int_equal(copy.connections[i].index, i);
			assert_int_equal(copy.connections[i].cookie, i + 1);
		}
	}
}

struct recycler {
	struct la_connection_record *records;
	atomic_bool stop;
};

/* Gives few records to one connection after the other, as tracking does: each field tells whose it is. */
static void *recycles(void *context)
{
	struct recycler *recycler = context;
	const struct timespec pause = {0, 20000};

	for (uint32_t generation = GENERATION + 1; !atomic_load(&recycler->stop); generation++) {
		/* Now and then they stand still: on a fast machine the reader would find none that it can take. */
		if (generation % 8 == 0)
			nanosleep(&pause, NULL);
		for (uint32_t i = 0; i < BUSY; i++) {
			struct la_connection_record *record = &recycler->records[i];

			atomic_store_explicit(&record->word,
				LA_WORD_MAKE(generation, LA_PHASE_OPENING, 0),
				memory_order_relaxed);
			atomic_thread_fence(memory_order_release);
			atomic_store_explicit(&record->cookie, generation, memory_order_relaxed);
			atomic_store_explicit(&record->pid, generation, memory_order_relaxed);
			atomic_store_explicit(
				&record->drained_bytes, generation, memory_order_relaxed);
			atomic_store_explicit(&record->word,
				LA_WORD_MAKE(generation, LA_PHASE_OPEN, 0), memory_order_release);
		}
	}
	return NULL;
}

static void a_record_that_changes_hands_is_never_a_mixture_of_two(void **state)
{
	struct recycler recycler = {.stop = false};
	size_t bytes = sizeof(image) + sizeof(many);
	uint64_t taken = 0, mixed = 0;
	pthread_t thread;
	char *mapped;
	int fd, failed = 0;

	(void)state;
	fd = write_many(sizeof(struct la_connection_record));
	assert_int_equal(pwrite(fd, &(uint32_t){BUSY}, 4,
				 offsetof(struct la_region_header, connections_high)),
		4);
	mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	assert_true(mapped != MAP_FAILED);
	recycler.records = (void *)(mapped + sizeof(image));
	assert_int_equal(pthread_create(&thread, NULL, recycles, &recycler), 0);
	for (int look = 0; look < LOOKS * 10 && !failed && (look < LOOKS || taken <= LOOKS / 20);
		look++) {
		la_region_copy_free(&copy);
		failed = la_region_read(path, &copy, error);
		for (uint32_t i = 0; i < copy.connections_count; i++) {
			const struct la_read_connection *connection = &copy.connections[i];

			if (connection->generation == GENERATION)
				continue; /* not yet recycled */
			taken++;
			mixed += connection->cookie != connection->generation ||
				 connection->pid != connection->generation ||
				 connection->drained_bytes != connection->generation;
		}
	}
	atomic_store(&recycler.stop, true);
	pthread_join(thread, NULL);
	munmap(mapped, bytes);
	assert_int_equal(failed, 0);
	assert_true(taken > LOOKS / 20);
	assert_int_equal(mixed, 0);
}

#endif
