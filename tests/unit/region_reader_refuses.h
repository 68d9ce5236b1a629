/* SPDX-License-Identifier: MIT */
/*
 * Part of region_reader_test.c: files that are damaged, of someone else, or no regions at all.
 */
#ifndef REGION_READER_REFUSES_H
#define REGION_READER_REFUSES_H

#include <time.h>

#include "region_promises.h"

enum { MUTATIONS = 100000, MUTATION_BYTES = 8 };

static uint64_t random_state;

/* splitmix64 */
static uint64_t random_bits(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void references_beyond_a_table_become_none(void **state)
{
	(void)state;
	image.connections[0].open_stack = 3;
	image.connections[0].stack[0] = LA_STACK_MAKE(GENERATION, 3);
	image.connections[0].role = 200;
	image.connections[0].ending = 200;
	image.connections[0].next_action = 200;
	image.connections[0].steps_done = 200;
	image.connections[0].family = 5;
	image.connections[0].fd = -7;
	image.connections[0].word = LA_WORD_MAKE(GENERATION, LA_PHASE_OPEN, 0xffffe0);
	image.stacks[0].frames[0].module = 2;
	image.stacks[1].depth = 1000;
	image.modules[0].build_id_bytes = 21;
	image.header.connections_high = 0xffffffff;
	assert_int_equal(read_image(), 0);
	assert_int_equal(copy.connections[0].open_stack, 0);
	assert_int_equal(copy.connections[0].eof_stack, 0);
	assert_int_equal(copy.connections[0].role, LA_ROLE_UNKNOWN);
	assert_int_equal(copy.connections[0].ending, LA_ENDING_NONE);
	assert_int_equal(copy.connections[0].next_action, LA_ACTION_NONE);
	assert_int_equal(copy.connections[0].steps_done, LA_POLICY_STEPS);
	assert_int_equal(copy.connections[0].family, 0);
	assert_int_equal(copy.connections[0].fd, -1);
	assert_int_equal(copy.connections[0].flags, 0);
	assert_int_equal(copy.stacks[0].frames[0].module, 0);
	assert_int_equal(copy.stacks[1].depth, LA_REGION_STACK_DEPTH);
	assert_int_equal(copy.modules[0].build_id_bytes, 0);
	assert_int_equal(copy.connections_count, 3);
}

static void entries_that_grew_in_a_later_version_are_stepped_over(void **state)
{
	(void)state;
	image.header.sections[LA_REGION_S_CONNECTIONS].stride *= 2;
	image.header.sections[LA_REGION_S_CONNECTIONS].count /= 2;
	assert_int_equal(read_image(), 0);
	/* The second entry is now where the third was: being opened; the others were never used. */
	assert_int_equal(copy.connections_count, 1);
	assert_int_equal(copy.connections[0].cookie, 0x1000);
}

static void a_policy_that_is_being_written_or_damaged_is_left_out(void **state)
{
	(void)state;
	image.header.policy_sequence = 3;
	assert_int_equal(read_image(), 0);
	assert_false(copy.has_policy);
	assert_int_equal(copy.policy.rules_count, 0);
	image_fill(&image);
	image.policy.rules_count = LA_POLICY_RULES + 1;
	assert_int_equal(read_image(), 0);
	assert_false(copy.has_policy);
	assert_int_equal(copy.policy.rules_count, 0);
}

static void a_region_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t length = 1; length < sizeof(image); length += 997) {
		write_bytes(&image, length);
		refuses(path, -EBADMSG,
			length < sizeof(image.header) ? "too short" : "lies outside the file");
	}
	write_bytes(&image, sizeof(image) - 1);
	refuses(path, -EBADMSG, "lies outside the file");
}

static void sections_outside_the_file_are_refused(void **state)
{
	static const struct la_region_section bad[] = {
		{0, 1, 1 << 16},                             /* over the header */
		{sizeof(image), 1, 1 << 16},                 /* behind the end */
		{UINT64_MAX - 1000, 1, 1 << 16},             /* the sum wraps */
		{sizeof(image.header), 0, 1 << 16},          /* no entry */
		{sizeof(image.header), 1, 1},                /* too small for an entry */
		{sizeof(image.header), 0xffffffff, 1 << 16}, /* more than there may be */
		{sizeof(image.header), 1, 0xffffffff},
	};

	(void)state;
	for (int s = 0; s < LA_REGION_S_COUNT; s++)
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			image_fill(&image);
			image.header.sections[s] = bad[i];
			write_bytes(&image, sizeof(image));
			refuses(path, -EBADMSG, "lies outside the file");
		}
}

/* What this process has read so far, by the kernel's account; 0 where it keeps none. */
static unsigned long long bytes_read(void)
{
	FILE *file = fopen("/proc/self/io", "re");
	unsigned long long bytes = 0;

	if (file && fscanf(file, "rchar: %llu", &bytes) != 1)
		bytes = 0;
	if (file)
		fclose(file);
	return bytes;
}

/* A sparse file is as long as its maker likes and costs them nothing: it must not cost the reader either. */
static void what_lies_between_entries_far_apart_is_not_read(void **state)
{
	enum { ENTRIES = 256, APART = 1 << 20 };
	unsigned long long before = bytes_read();

	(void)state;
	if (!before)
		skip();
	image.header.connections_high = ~0u;
	image.header.sections[LA_REGION_S_CONNECTIONS] =
		(struct la_region_section){offsetof(struct image, connections), ENTRIES, APART};
	write_bytes(&image, sizeof(image));
	assert_int_equal(truncate(path, sizeof(image) + (off_t)ENTRIES * APART), 0);
	assert_int_equal(la_region_read(path, &copy, error), 0);
	assert_int_equal(copy.connections_count, 1);
	assert_true(bytes_read() - before < (16 << 20));
}

static void what_is_no_region_is_refused_with_a_reason(void **state)
{
	static const char text[4096] = "# a text file\n";

	(void)state;
	refuses(path, -ENOENT, "No such file");
	refuses(folder, -EBADMSG, "not a regular file");
	assert_int_equal(mkfifo(other, 0600), 0);
	refuses(other, -EBADMSG, "not a regular file"); /* and does not wait for a writer */
	unlink(other);
	write_bytes("", 0);
	refuses(path, -EBADMSG, "too short");
	write_bytes(text, 14);
	refuses(path, -EBADMSG, "too short");
	write_bytes(text, sizeof(text));
	refuses(path, -EBADMSG, "not a lastack region");
	image.header.magic = 0;
	write_bytes(&image, sizeof(image));
	refuses(path, -EBADMSG, "look again");
	image_fill(&image);
	image.header.version = LA_REGION_VERSION + 1;
	write_bytes(&image, sizeof(image));
	refuses(path, -ENOTSUP, "another version");
	image_fill(&image);
	assert_int_equal(read_image(), 0);
	la_region_copy_free(&copy);
	assert_int_equal(symlink(path, other), 0);
	refuses(other, -ELOOP, "symbolic link");
}

/* Half of the time in the header, where the numbers are that everything else is found by. */
static void mutate(int fd)
{
	for (uint64_t left = 1 + random_bits() % MUTATION_BYTES; left; left--) {
		size_t room = random_bits() & 1 ? sizeof(image.header) : sizeof(image);
		uint8_t byte = (uint8_t)random_bits();

		if (random_bits() % 4 == 0)
			byte = random_bits() & 1 ? 0xff : 0;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)(random_bits() % room)), 1);
	}
	if (random_bits() % 64 == 0)
		assert_int_equal(ftruncate(fd, (off_t)(random_bits() % sizeof(image))), 0);
}

static void random_damage_never_crashes_the_reader(void **state)
{
	const char *given = getenv("LASTACK_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	unsigned int read = 0, refused = 0;
	int fd;

	(void)state;
	/* Said before, and not only by a failed assertion: a crash says nothing. */
	print_message("# LASTACK_SEED=%llu\n", (unsigned long long)seed);
	random_state = seed;
	image_row(&image, 0, 0, 0, GENERATION, LA_SEEN_EOF, 3000000);
	write_bytes(&image, sizeof(image));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (unsigned int i = 0; i < MUTATIONS; i++) {
		int result;

		assert_int_equal(pwrite(fd, &image, sizeof(image), 0), sizeof(image));
		mutate(fd);
		result = la_region_read(path, &copy, error);
		if (result < 0 ? !error[0] : !region_keeps_promises(&copy))
			fail_msg("LASTACK_SEED=%llu, mutation %u: %d \"%s\"",
				(unsigned long long)seed, i, result, error);
		result < 0 ? refused++ : read++;
		la_region_copy_free(&copy);
	}
	close(fd);
	/* Damage that is always found, or never, proves little. */
	assert_true(read > MUTATIONS / 20);
	assert_true(refused > MUTATIONS / 20);
}

#endif
