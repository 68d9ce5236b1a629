/* SPDX-License-Identifier: MIT */
/*
 * Policy files at random: a policy that is written out and read again is the same, and a damaged file is either read or
 * refused with a place, never more. LASTACK_SEED repeats a run; a failure prints the seed and the case.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lastack/policy.h>

enum { MUTATIONS = 200000, ROUND_TRIPS = 5000 };

static uint64_t seed, random_state;

/* splitmix64 */
static uint64_t random_bits(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t below(uint32_t limit)
{
	return (uint32_t)(random_bits() % limit);
}

#include "policy_file.h"

/* ---- a random policy ---- */

static struct la_prefix random_prefix(void)
{
	struct la_prefix prefix = {.bits = below(129)};

	for (int i = 0; i < 16; i++)
		prefix.address[i] = (uint8_t)random_bits();
	if (below(2)) {
		memcpy(prefix.address, (uint8_t[12]){[10] = 0xff, [11] = 0xff}, 12);
		prefix.bits = 96 + below(33);
	}
	for (uint32_t bit = prefix.bits; bit < 128; bit++)
		prefix.address[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return prefix;
}

static void random_ports(uint16_t *low, uint16_t *high)
{
	*low = (uint16_t)(1 + below(65535));
	*high = (uint16_t)(*low + below(65536u - *low));
}

static struct la_match random_match(void)
{
	struct la_match match = {.fields = 1 + below(LA_MATCH_ALL)};

	if (match.fields & LA_MATCH_ROLE)
		match.role = below(2) ? LA_ROLE_SERVER : LA_ROLE_CLIENT;
	if (match.fields & LA_MATCH_EOF)
		match.eof = below(2) ? LA_EOF_READ : LA_EOF_UNREAD;
	if (match.fields & LA_MATCH_LOCAL_PORT)
		random_ports(&match.local_port_low, &match.local_port_high);
	if (match.fields & LA_MATCH_REMOTE_PORT)
		random_ports(&match.remote_port_low, &match.remote_port_high);
	if (match.fields & LA_MATCH_LOCAL)
		match.local = random_prefix();
	if (match.fields & LA_MATCH_REMOTE)
		match.remote = random_prefix();
	if (match.fields & LA_MATCH_EXE)
		snprintf(match.exe, sizeof(match.exe), "server-%u", below(1000));
	return match;
}

static struct la_rule random_rule(uint32_t number)
{
	struct la_rule rule = {.section = below(LA_SECTION_COUNT), .match = random_match()};

	snprintf(rule.name, sizeof(rule.name), "rule-%u", number);
	switch (rule.section) {
	case LA_SECTION_CLOSE:
		rule.action = below(2);
		rule.linger = below(2);
		rule.idle_ns = 1000000ull * (1 + below(1000000));
		rule.drain_bytes = 1024ull * (1 + below(1 << 30));
		rule.max = 1 + below(1000000);
		/* fall through */
	case LA_SECTION_EXIT:
		rule.total_ns = 1000000ull * (1 + below(1000000));
		if (rule.section == LA_SECTION_EXIT)
			rule.action = below(3);
		break;
	case LA_SECTION_RESET: rule.action = below(2); break;
	default:
		rule.steps_count = 1 + below(LA_POLICY_STEPS);
		rule.max = below(1000001);
		for (uint32_t i = 0; i < rule.steps_count; i++) {
			rule.steps[i].after_ns = 1000000ull * (1 + below(1000000)) +
						 (i ? rule.steps[i - 1].after_ns : 0);
			rule.steps[i].action = 1 + below(LA_ACTION_COUNT - 1);
		}
	}
	return rule;
}

static void a_policy_that_is_written_and_read_again_is_the_same(void **state)
{
	static struct la_policy written, read;
	static struct file file;
	struct la_policy_error error;

	(void)state;
	for (unsigned int number = 0; number < ROUND_TRIPS; number++) {
		file = (struct file){.line = 0};
		la_policy_init(&written);
		la_policy_init(&read);
		written.rules_count = below(LA_POLICY_RULES + 1);
		for (uint32_t i = 0; i < written.rules_count; i++) {
			written.rules[i] = random_rule(i);
			put_rule(&file, &written.rules[i]);
		}
		assert_true(la_policy_is_sane(&written));
		if (la_policy_parse(&read, "r", file.text, file.length, &error))
			fail_msg("LASTACK_SEED=%llu, case %u: %s", (unsigned long long)seed, number,
				error.text);
		if (memcmp(&written, &read, sizeof(read)) != 0)
			fail_msg("LASTACK_SEED=%llu, case %u: read something else from\n%s",
				(unsigned long long)seed, number, file.text);
	}
}

/* ---- damaged files ---- */

static const char valid[] =
	"# a policy with everything in it\n"
	"[close-wait]          # also: fin-wait-1 fin-wait-2 closing last-ack\n"
	"after 30s = keepalive\nafter 60s = shutdown\nafter 5m = reset\nmax = 1000\n"
	"[close-wait vendor-pool]\n"
	"match = role client, remote-port 9200-9299, remote 10.0.0.0/8, eof unread\n"
	"after 10m = log\n"
	"[close six]\nmatch = local 2001:db8::/32, exe nginx, local-port 80\naction = plain\n"
	"[close]\naction = graceful\nlinger = needed\nidle = 5s\ntotal = 30s\ndrain = 16MiB\n"
	"max = 1024\n[exit]\naction = drain\ntotal = 10s\n[reset]\naction = refuse\n";

static const char *const pieces[] = {"[", "]", "=", ",", "#", "\n", "\r\n", "\0", "\x1b", " ", "-",
	"/", "::", ".", "%", "999999999999999999999", "0", "max", "match = ", "[close-wait x]\n",
	"after ", "\xff", "MiB", "ms", "h", "role ", "\t"};

static void replace(
	char *text, size_t *length, size_t at, size_t gone, const char *with, size_t size)
{
	if (*length - gone + size > TEXT)
		return;
	memmove(text + at + size, text + at + gone, *length - at - gone);
	memmove(text + at, with, size);
	*length += size - gone;
}

static void damage(char *text, size_t *length)
{
	size_t at = below((uint32_t)*length + 1), left = *length - at;
	char byte = (char)random_bits(), copy[64];
	size_t some = left ? below((uint32_t)(left < 64 ? left : 64)) : 0;
	const char *piece = pieces[below(sizeof(pieces) / sizeof(pieces[0]))];

	switch (below(6)) {
	case 0: replace(text, length, at, left ? 1 : 0, &byte, 1); break;
	case 1: replace(text, length, at, some, "", 0); break;
	case 2: replace(text, length, at, 0, piece, *piece ? strlen(piece) : 1); break;
	case 3: replace(text, length, at, left ? 1 : 0, piece, *piece ? strlen(piece) : 1); break;
	case 4:
		memcpy(copy, text + at, some);
		replace(text, length, below((uint32_t)*length + 1), 0, copy, some);
		break;
	default: *length = below(64) ? *length : at; break;
	}
}

static bool is_well_formed(const char *text)
{
	size_t length = strnlen(text, sizeof(((struct la_policy_error *)0)->text));
	char *end;

	if (length == sizeof(((struct la_policy_error *)0)->text) ||
		strncmp(text, "m.policy:", 9) != 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	if (strtoul(text + 9, &end, 10) == 0 || *end++ != ':')
		return false;
	if (*end != ' ' && (strtoul(end, &end, 10) == 0 || *end++ != ':'))
		return false;
	return *end == ' ' && strstr(end, "write ");
}

static void a_damaged_file_is_read_or_refused_with_a_place(void **state)
{
	static char text[TEXT];
	static struct la_policy policy, empty;
	unsigned int read = 0;

	(void)state;
	la_policy_init(&empty);
	la_policy_init(&policy);
	for (unsigned int number = 0; number < MUTATIONS; number++) {
		size_t length = sizeof(valid) - 1;
		unsigned int times = 1 + below(8);
		struct la_policy_error error;
		char *exact;
		int result;

		memcpy(text, valid, length);
		while (times--)
			damage(text, &length);
		/* A buffer of its own, so that a sanitizer sees one byte too far. */
		exact = malloc(length ? length : 1);
		assert_non_null(exact);
		memcpy(exact, text, length);
		memset(&error, 0xaa, sizeof(error));
		result = la_policy_parse(&policy, "m.policy", exact, length, &error);
		free(exact);
		if (result == 0) {
			read++;
			assert_true(la_policy_is_sane(&policy));
			la_policy_init(&policy);
		} else if (result != -EINVAL || !is_well_formed(error.text) ||
			   memcmp(&policy, &empty, sizeof(policy)) != 0) {
			fail_msg("LASTACK_SEED=%llu, case %u: %d %.*s", (unsigned long long)seed,
				number, result, (int)sizeof(error.text), error.text);
		}
	}
	/* Damage that is always found, or never, would test one half only. */
	assert_in_range(read, MUTATIONS / 100, MUTATIONS - MUTATIONS / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_that_is_written_and_read_again_is_the_same),
		cmocka_unit_test(a_damaged_file_is_read_or_refused_with_a_place),
	};
	const char *repeat = getenv("LASTACK_SEED");

	seed = repeat ? strtoull(repeat, NULL, 0) : (uint64_t)time(NULL);
	random_state = seed;
	printf("# LASTACK_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
