/* SPDX-License-Identifier: MIT */
/*
 * One policy at a time: whoever loads the policy in force sees one generation, whole, while another thread swaps hundreds of them; and what the files
 * say is read only as a whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "track_helpers.h"

#include "../../src/enforce/internal.h"

enum { GENERATIONS = 400, READERS = 4, SECTIONS_BOUNDED = 5, STEP_S = 10 };

static char folder[] = "/tmp/lastack-reload-XXXXXX";
static _Atomic bool done;
static _Atomic uint64_t seen; /* rules that were looked at */

static void write_text(const char *name, const char *text, char path[64])
{
	FILE *file;

	snprintf(path, 64, "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* A policy that has `generation` in every rule. */
static void make_generation(struct la_policy_kept *kept, unsigned int generation)
{
	static const char *const sections[] = {
		"close-wait", "fin-wait-1", "fin-wait-2", "closing", "last-ack"};
	char text[8192] = "";
	size_t at = 0;

	for (unsigned int s = 0; s < SECTIONS_BOUNDED; s++)
		for (unsigned int r = 0; r < 1 + generation % 8; r++)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
				"[%s g%u-%u]\nmatch = local-port %u\nafter %us = log\n",
				sections[s], generation, r, 1 + generation, STEP_S + generation);
	memset(kept, 0, sizeof(*kept));
	assert_int_equal(la_policy_parse(&kept->policy, "generation", text, at, NULL), 0);
}

static bool is_of_one_generation(const struct la_policy *policy)
{
	unsigned int generation = 0, i;

	if (!policy->rules_count)
		return true;
	generation = policy->rules[0].match.local_port_low;
	if (policy->rules_count != SECTIONS_BOUNDED * (1 + (generation - 1) % 8))
		return false;
	for (i = 0; i < policy->rules_count; i++) {
		const struct la_rule *rule = &policy->rules[i];

		if (rule->match.local_port_low != generation || rule->steps_count != 1 ||
			rule->steps[0].after_ns !=
				(STEP_S + generation - 1ull) * 1000 * 1000 * 1000)
			return false;
	}
	atomic_fetch_add(&seen, policy->rules_count);
	return true;
}

static void *reader(void *unused)
{
	bool whole = true;

	(void)unused;
	while (whole && !atomic_load(&done))
		whole = is_of_one_generation(la_in_force());
	return whole ? NULL : &done;
}

static void every_rule_that_a_thread_sees_is_of_one_generation(void **state)
{
	static struct la_policy_kept kept[GENERATIONS];
	pthread_t readers[READERS];
	void *torn, *any = NULL;

	(void)state;
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, reader, NULL), 0);
	for (unsigned int g = 0; g < GENERATIONS; g++) {
		uint64_t before = atomic_load(&seen);

		make_generation(&kept[g], g);
		la_in_force_swap(&kept[g]);
		assert_ptr_equal(la_in_force(), &kept[g].policy);
		/* Each is in force for at least one look, so that a swap meets readers. */
		for (int tries = 0; tries < 10000 && atomic_load(&seen) == before; tries++)
			sched_yield();
	}
	atomic_store(&done, true);
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(readers[i], &torn), 0);
		any = torn ? torn : any;
	}
	assert_null(any);
	assert_true(atomic_load(&seen) > GENERATIONS);
}

static void files_are_read_whole_or_not_at_all(void **state)
{
	static struct la_policy policy;
	static struct la_policy_kept again;
	struct la_policy_error error;
	struct la_files_look look, later;
	char a[64], b[64], list[160];

	(void)state;
	write_text("a.policy", "[close-wait]\nafter 1m = log\n", a);
	write_text("b.policy", "[fin-wait-2]\nafter 2m = reset\n", b);
	snprintf(list, sizeof(list), "%s,%s", a, b);
	assert_int_equal(la_policy_files_read(&policy, list, true, &error), 0);
	assert_int_equal(policy.rules_count, 2);
	assert_int_equal(policy.observe, 1);
	assert_true(la_files_watched());
	/* So young that they may have changed unseen. */
	assert_int_equal(la_files_at_start()->files[0].inode, 0);

	la_files_look(&look);
	write_text("a.policy", "[close-wait]\nafter 1m = keepalive\n", a);
	la_files_look(&later);
	assert_memory_not_equal(&look, &later, sizeof(look));
	assert_int_equal(la_files_read_again(&again.policy, &error), 0);
	assert_int_equal(again.policy.rules_count, 2);
	assert_int_equal(again.policy.rules[0].steps[0].action, LA_ACTION_KEEPALIVE);
	assert_int_equal(again.policy.observe, 1);
	assert_string_equal(again.policy.name, policy.name);

	write_text("b.policy", "[fin-wait-2]\nafter 2 = reset\n", b);
	assert_int_equal(la_files_read_again(&again.policy, &error), -EINVAL);
	assert_non_null(strstr(error.text, b));
	assert_int_equal(unlink(b), 0);
	assert_int_equal(la_files_read_again(&again.policy, &error), -EINVAL);
	assert_non_null(strstr(error.text, "there is no such file"));
	/* A pipe would hold up the watcher, or read as nothing. */
	assert_int_equal(mkfifo(b, 0600), 0);
	assert_int_equal(la_files_read_again(&again.policy, &error), -EINVAL);
	assert_non_null(strstr(error.text, "no regular file"));
	unlink(a);
	unlink(b);
}

static int setup(void **state)
{
	(void)state;
	alarm(120);
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_that_a_thread_sees_is_of_one_generation),
		cmocka_unit_test(files_are_read_whole_or_not_at_all),
	};

	return cmocka_run_group_tests_name("reload", tests, setup, teardown);
}
