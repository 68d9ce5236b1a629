/* SPDX-License-Identifier: MIT */
/*
 * FILTER: parsing and matching.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "filter.h"

enum { TOKENS = 96, TEXT = 1024 };

/* The tokens of all words; operators and ":" stand by themselves, so that "sport=:80" and "sport = :80" are the same. */
struct tokens {
	char text[TEXT];
	char *list[TOKENS];
	unsigned int count, at;
};

static bool is_operator(char c)
{
	return c == '=' || c == '<' || c == '>' || c == ':';
}

static int tokenize(struct tokens *tokens, int count, char *const words[], char error[200])
{
	size_t filled = 0;
	int i;

	memset(tokens, 0, sizeof(*tokens));
	for (i = 0; i < count; i++) {
		const char *at = words[i];

		while (*at) {
			size_t length = 0;

			if (*at == ' ' || *at == '\t') {
				at++;
				continue;
			}
			if (is_operator(*at))
				length = (*at == '<' || *at == '>') && at[1] == '=' ? 2 : 1;
			else
				while (at[length] && at[length] != ' ' && at[length] != '\t' &&
					!is_operator(at[length]))
					length++;
			if (tokens->count == TOKENS || filled + length + 1 > TEXT) {
				snprintf(error, 200, "the filter is too long");
				return -EINVAL;
			}
			tokens->list[tokens->count++] = tokens->text + filled;
			memcpy(tokens->text + filled, at, length);
			filled += length;
			tokens->text[filled++] = '\0';
			at += length;
		}
	}
	return 0;
}

static const char *next(struct tokens *tokens)
{
	return tokens->at < tokens->count ? tokens->list[tokens->at++] : NULL;
}

static int refuse(char error[200], const char *found, const char *wanted)
{
	if (found)
		snprintf(error, 200, "filter: \"%.60s\": write %s", found, wanted);
	else
		snprintf(error, 200, "filter: ends too early: write %s", wanted);
	return -EINVAL;
}

static bool number(const char *text, uint64_t most, uint64_t *value)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !errno && !*end && *value <= most;
}

static bool duration_us(const char *text, uint64_t *us)
{
	static const struct {
		const char *unit;
		uint64_t us;
	} units[] = {{"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};
	char *end;
	size_t i;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*us = strtoull(text, &end, 10);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!errno && strcmp(end, units[i].unit) == 0 && *us < (1ull << 50) / units[i].us) {
			*us *= units[i].us;
			return true;
		}
	return false;
}

static int condition(
	struct tokens *tokens, enum la_filter_kind *kind, uint64_t *value, char error[200])
{
	const char *key = next(tokens), *word;
	bool past;

	if (!key)
		return refuse(error, NULL, "a condition, as in: state close-wait");
	if (strcmp(key, "state") == 0) {
		word = next(tokens);
		*kind = LA_FILTER_STATE;
		if (word && strcasecmp(word, "half-closed") == 0) {
			*kind = LA_FILTER_HALF_CLOSED;
			return 0;
		}
		*value = word ? la_state_by_name(word) : LA_STATE_COUNT;
		return *value < LA_STATE_COUNT ? 0
					       : refuse(error, word,
							 "state and a position, as in: state "
							 "close-wait, or state half-closed");
	}
	if (strcmp(key, "sport") == 0 || strcmp(key, "dport") == 0) {
		*kind = key[0] == 's' ? LA_FILTER_SPORT : LA_FILTER_DPORT;
		word = next(tokens);
		if (word && strcmp(word, "=") == 0)
			word = next(tokens);
		if (word && strcmp(word, ":") == 0)
			word = next(tokens);
		return number(word, 65535, value)
			       ? 0
			       : refuse(error, word, "a port, as in: sport = :8080");
	}
	if (strcmp(key, "age") == 0) {
		word = next(tokens);
		if (!word || (*word != '<' && *word != '>'))
			return refuse(error, word, "age > or age <, as in: age > 5m");
		*kind = *word == '>' ? LA_FILTER_AGE_ABOVE : LA_FILTER_AGE_BELOW;
		/* ABOVE includes its value and BELOW does not; the others are those of the next microsecond. */
		past = strcmp(word, ">") == 0 || strcmp(word, "<=") == 0;
		word = next(tokens);
		if (!duration_us(word, value))
			return refuse(
				error, word, "a time with its unit (ms s m h), as in: age > 5m");
		*value += past;
		return 0;
	}
	if (strcmp(key, "eof") == 0) {
		word = next(tokens);
		*kind = LA_FILTER_EOF;
		*value = word && strcmp(word, "read") == 0     ? LA_EOF_READ
			 : word && strcmp(word, "unread") == 0 ? LA_EOF_UNREAD
							       : LA_EOF_NONE;
		return *value != LA_EOF_NONE ? 0 : refuse(error, word, "eof read or eof unread");
	}
	if (strcmp(key, "verdict") == 0) {
		word = next(tokens);
		*kind = LA_FILTER_VERDICT;
		*value = word ? la_verdict_by_name(word) : LA_VERDICT_COUNT;
		return *value < LA_VERDICT_COUNT
			       ? 0
			       : refuse(error, word, "a verdict, as in: verdict L1");
	}
	if (strcmp(key, "pid") == 0) {
		word = next(tokens);
		*kind = LA_FILTER_PID;
		return number(word, 0x7fffffff, value)
			       ? 0
			       : refuse(error, word, "a process id, as in: pid 4711");
	}
	return refuse(error, key, "state, sport, dport, age, eof, verdict or pid");
}

int la_filter_parse(struct la_filter *filter, int count, char *const words[], char error[200])
{
	struct tokens tokens;
	int result = tokenize(&tokens, count, words, error);

	filter->count = 0;
	if (result < 0 || tokens.count == 0)
		return result;
	for (;;) {
		const char *word;

		if (filter->count == LA_FILTER_CONDITIONS)
			return refuse(error, tokens.list[tokens.at], "at most 16 conditions");
		filter->conditions[filter->count].value = 0;
		result = condition(&tokens, &filter->conditions[filter->count].kind,
			&filter->conditions[filter->count].value, error);
		if (result < 0)
			return result;
		filter->count++;
		word = next(&tokens);
		if (!word)
			return 0;
		if (strcmp(word, "and") != 0)
			return refuse(error, word, "and between two conditions");
	}
}

static bool holds(enum la_filter_kind kind, uint64_t value, const struct la_item *item)
{
	switch (kind) {
	case LA_FILTER_STATE: return item->state == (enum la_state)value;
	case LA_FILTER_HALF_CLOSED:
		return item->state == LA_STATE_CLOSE_WAIT || item->state == LA_STATE_FIN_WAIT_1 ||
		       item->state == LA_STATE_FIN_WAIT_2;
	case LA_FILTER_SPORT: return item->local_port == value;
	case LA_FILTER_DPORT: return item->remote_port == value;
	case LA_FILTER_AGE_ABOVE: return item->age_us >= value;
	case LA_FILTER_AGE_BELOW: return item->age_us < value;
	case LA_FILTER_EOF: return item->eof == (enum la_eof)value;
	case LA_FILTER_VERDICT: return item->verdict == (enum la_verdict)value;
	case LA_FILTER_PID: return item->pid == value;
	}
	return false;
}

bool la_filter_holds(const struct la_filter *filter, const struct la_item *item)
{
	unsigned int i;

	for (i = 0; i < filter->count; i++)
		if (!holds(filter->conditions[i].kind, filter->conditions[i].value, item))
			return false;
	return true;
}

bool la_filter_wants(const struct la_filter *filter, enum la_verdict verdict)
{
	unsigned int i;

	for (i = 0; i < filter->count; i++)
		if (filter->conditions[i].kind == LA_FILTER_VERDICT &&
			filter->conditions[i].value == (uint64_t)verdict)
			return true;
	return false;
}
