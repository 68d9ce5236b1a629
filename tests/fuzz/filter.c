/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the FILTER of `lastack list`. The input is the filter; a newline ends a word of the command line.
 *
 * What is refused is refused with a sentence that is harmless on a terminal. What is accepted means the same however the
 * words are cut, survives being written out and read again, and holds for what each of its conditions holds for.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "../../src/cli/cli.h"
#include "../../src/cli/filter.h"
#include "fuzz.h"
#include "harmless.h"

enum { MOST = 4096, WORDS = 64, ITEMS = 24, WRITTEN = 2048 };

static const struct {
	const char *is, *is_not;
} comparisons[] = {{">", "<="}, {">=", "<"}, {"<", ">="}, {"<=", ">"}};

static int parse(const char *text, struct la_filter *filter, char error[200])
{
	char *words[] = {(char *)text};

	return la_filter_parse(filter, 1, words, error);
}

static bool same(const struct la_filter *a, const struct la_filter *b)
{
	for (unsigned int i = 0; i < a->count && a->count == b->count; i++)
		if (a->conditions[i].kind != b->conditions[i].kind ||
			a->conditions[i].value != b->conditions[i].value)
			return false;
	return a->count == b->count;
}

/* An age condition is a whole number of milliseconds, or a microsecond beyond: > and <= against >= and <. */
static void write_age(char *to, size_t room, bool above, uint64_t value, bool negated)
{
	unsigned int which = above ? (value % 1000 ? 0 : 1) : (value % 1000 ? 3 : 2);

	snprintf(to, room, "age %s %llums",
		negated ? comparisons[which].is_not : comparisons[which].is,
		(unsigned long long)(value / 1000));
}

static void write_condition(char *to, size_t room, enum la_filter_kind kind, uint64_t value)
{
	unsigned long long number = value;

	switch (kind) {
	case LA_FILTER_STATE:
		REQUIRE(value < LA_STATE_COUNT);
		snprintf(to, room, "state %s", la_state_name((enum la_state)value));
		break;
	case LA_FILTER_HALF_CLOSED: snprintf(to, room, "state half-closed"); break;
	case LA_FILTER_SPORT:
	case LA_FILTER_DPORT:
		REQUIRE(value <= 65535);
		snprintf(to, room, "%s = :%llu", kind == LA_FILTER_SPORT ? "sport" : "dport",
			number);
		break;
	case LA_FILTER_AGE_ABOVE:
	case LA_FILTER_AGE_BELOW:
		REQUIRE(value % 1000 < 2 && value <= (1ull << 50) + 1);
		write_age(to, room, kind == LA_FILTER_AGE_ABOVE, value, false);
		break;
	case LA_FILTER_EOF:
		REQUIRE(value == LA_EOF_READ || value == LA_EOF_UNREAD);
		snprintf(to, room, "eof %s", value == LA_EOF_READ ? "read" : "unread");
		break;
	case LA_FILTER_VERDICT:
		REQUIRE(value > LA_VERDICT_NONE && value < LA_VERDICT_COUNT);
		snprintf(to, room, "verdict %s", la_verdict_id((enum la_verdict)value));
		break;
	case LA_FILTER_PID:
		REQUIRE(value <= 0x7fffffff);
		snprintf(to, room, "pid %llu", number);
		break;
	default: REQUIRE(!"a kind of condition");
	}
}

/* A connection with, for each condition, the value asked for or one beside it: chosen by the bits of `choice`. */
static struct la_item item_for(const struct la_filter *filter, uint32_t choice)
{
	struct la_item item = {.state = (enum la_state)(choice % (LA_STATE_COUNT + 1)),
		.eof = (enum la_eof)(choice % 3),
		.verdict = (enum la_verdict)(choice % LA_VERDICT_COUNT),
		.pid = choice,
		.age_us = choice * 1000003ull};

	for (unsigned int i = 0; i < filter->count; i++) {
		uint64_t value = filter->conditions[i].value, off = choice >> i & 3;

		switch (filter->conditions[i].kind) {
		case LA_FILTER_STATE:
			if (off)
				item.state = (enum la_state)value;
			break;
		case LA_FILTER_SPORT: item.local_port = (uint16_t)(value + off % 2); break;
		case LA_FILTER_DPORT: item.remote_port = (uint16_t)(value + off % 2); break;
		case LA_FILTER_AGE_ABOVE:
		case LA_FILTER_AGE_BELOW: item.age_us = value + off - (value ? 1 : 0); break;
		case LA_FILTER_EOF:
			if (off)
				item.eof = (enum la_eof)value;
			break;
		case LA_FILTER_VERDICT:
			if (off)
				item.verdict = (enum la_verdict)value;
			break;
		case LA_FILTER_PID: item.pid = (uint32_t)(value + off % 2); break;
		default: break;
		}
	}
	return item;
}

/* The condition alone and its opposite, read from text: exactly one of the two holds. */
static bool one_holds(
	const struct la_filter *filter, unsigned int at, const struct la_item *item, bool *opposite)
{
	char text[64], error[200];
	struct la_filter single;
	enum la_filter_kind kind = filter->conditions[at].kind;
	uint64_t value = filter->conditions[at].value;
	bool holds;

	write_condition(text, sizeof(text), kind, value);
	REQUIRE(parse(text, &single, error) == 0 && single.count == 1, "%s: %s\n", text, error);
	holds = la_filter_holds(&single, item);
	*opposite = !holds;
	if (kind == LA_FILTER_AGE_ABOVE || kind == LA_FILTER_AGE_BELOW) {
		write_age(text, sizeof(text), kind == LA_FILTER_AGE_ABOVE, value, true);
		REQUIRE(parse(text, &single, error) == 0, "%s: %s\n", text, error);
		*opposite = la_filter_holds(&single, item);
	}
	return holds;
}

static void check_meaning(const struct la_filter *filter)
{
	for (uint32_t n = 0; n < ITEMS; n++) {
		struct la_item item = item_for(filter, n * 0x9e3779b9u >> 4);
		bool all = true, holds = la_filter_holds(filter, &item);

		REQUIRE(holds == la_filter_holds(filter, &item));
		for (unsigned int i = 0; i < filter->count; i++) {
			bool opposite, one = one_holds(filter, i, &item, &opposite);

			REQUIRE(one != opposite);
			all = all && one;
		}
		REQUIRE(holds == all);
		for (int v = 0; holds && v < LA_VERDICT_COUNT; v++)
			REQUIRE(!la_filter_wants(filter, (enum la_verdict)v) ||
				item.verdict == (enum la_verdict)v);
	}
}

static void check_written(const struct la_filter *filter)
{
	char text[WRITTEN] = "", error[200];
	struct la_filter again;
	size_t length = 0;

	for (unsigned int i = 0; i < filter->count; i++) {
		if (i)
			length += (size_t)snprintf(text + length, WRITTEN - length, " and ");
		write_condition(text + length, WRITTEN - length, filter->conditions[i].kind,
			filter->conditions[i].value);
		length = strlen(text);
	}
	REQUIRE(parse(text, &again, error) == 0, "%s: %s\n", text, error);
	REQUIRE(same(filter, &again), "%s\n", text);
}

static void check_sentence(const char error[200])
{
	char *safe;

	REQUIRE(strnlen(error, 200) < 200 && error[0]);
	REQUIRE(strstr(error, "write ") || strstr(error, "too long"), "%s\n", error);
	safe = la_safe(error);
	REQUIRE(safe && is_harmless(safe, strlen(safe)), "%s\n", error);
	free(safe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[MOST + 1], joined[MOST + 1], error[200], error_joined[200], *words[WORDS];
	struct la_filter filter, other;
	int count = 0, result;

	if (size > MOST)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	memcpy(joined, text, size + 1);
	for (char *at = text; count < WORDS; at++) {
		words[count++] = at;
		at += strcspn(at, "\n");
		if (!*at)
			break;
		*at = '\0';
	}
	if (count == WORDS)
		return 0;
	for (char *at = joined; *at; at++)
		if (*at == '\n')
			*at = ' ';
	memset(error, 0xaa, sizeof(error));
	memset(error_joined, 0xaa, sizeof(error_joined));
	result = la_filter_parse(&filter, count, words, error);
	REQUIRE(result == parse(joined, &other, error_joined));
	if (result == 0) {
		REQUIRE(filter.count <= LA_FILTER_CONDITIONS && same(&filter, &other));
		check_written(&filter);
		check_meaning(&filter);
	} else {
		REQUIRE(result == -EINVAL);
		check_sentence(error);
		REQUIRE(strcmp(error, error_joined) == 0, "%s\n%s\n", error, error_joined);
	}
	return 0;
}
