/* SPDX-License-Identifier: MIT */
/* A policy file, line by line. */
#include <errno.h>

#include "keys.h"
#include "words.h"

struct reader {
	struct la_place place;
	struct la_policy *policy;
	uint32_t first; /* rules of this file start here */
	uint32_t count;
	uint32_t seen;          /* keys of the section that is open */
	struct la_place header; /* where that section began */
	const char *header_at;
};

static struct la_rule *open_rule(struct reader *reader)
{
	return reader->count > reader->first ? &reader->policy->rules[reader->count - 1] : NULL;
}

static int finish_section(struct reader *reader)
{
	const struct la_rule *rule = open_rule(reader);

	return rule ? la_rule_check_complete(&reader->header, reader->header_at, rule, reader->seen)
		    : 0;
}

static bool is_taken(const struct reader *reader, uint32_t section, struct la_span name)
{
	for (uint32_t i = reader->first; i < reader->count; i++) {
		const struct la_rule *rule = &reader->policy->rules[i];

		if (rule->section == section && la_span_is(name, rule->name))
			return true;
	}
	return false;
}

static int check_name(
	const struct reader *reader, const char *section, struct la_span name, struct la_span rest)
{
	const struct la_place *place = &reader->place;

	if (rest.length)
		return la_policy_complain(place, rest.at,
			"%q is a third word: write [%s NAME] with a name of one word", &rest,
			section);
	if (name.length >= LA_POLICY_NAME)
		return la_policy_complain(place, name.at,
			"the name %q is too long: write at most %u bytes", &name,
			(uint64_t)LA_POLICY_NAME - 1);
	if (!la_span_is_name(name))
		return la_policy_complain(place, name.at,
			"the name %q has other characters: write letters, digits, \"-\", \"_\" and "
			"\".\" only",
			&name);
	return 0;
}

/* What stands between the brackets: a section and perhaps the name of a rule. */
static int open_section(struct reader *reader, const char *at, struct la_span inside)
{
	const struct la_place *place = &reader->place;
	struct la_span rest = inside, section = la_span_word(&rest), name = la_span_word(&rest);
	const struct la_word *word = la_word_find(la_words_section, section);
	struct la_rule *rule;

	inside = la_span_trim(inside);
	if (section.length == 0)
		return la_policy_complain(place, at, "a section without a name: write %c",
			la_words_section, &section);
	if (!word)
		return la_policy_complain(place, section.at, "unknown section %q: write %c",
			&section, la_words_section, &section);
	if (check_name(reader, word->text, name, rest))
		return -EINVAL;
	if (is_taken(reader, word->value, name))
		return la_policy_complain(place, at,
			"%q stands twice: write its settings under one header%s", &inside,
			name.length ? ", or give the rule another name" : "");
	if (reader->count >= LA_POLICY_RULES)
		return la_policy_complain(
			place, at, "more than %u sections: write fewer", (uint64_t)LA_POLICY_RULES);
	rule = &reader->policy->rules[reader->count++];
	la_rule_defaults(rule, word->value);
	rule->line = place->line;
	la_span_copy(rule->name, name);
	reader->seen = 0;
	reader->header = *place;
	reader->header_at = at;
	return 0;
}

static int read_header(struct reader *reader, struct la_span line)
{
	struct la_span rest = {line.at + 1, line.length - 1}, inside = la_span_before(&rest, ']');
	int error = finish_section(reader);

	if (error)
		return error;
	if (!la_span_has(line, ']'))
		return la_policy_complain(&reader->place, line.at,
			"%q has no closing bracket: write ] behind it", &line);
	rest = la_span_trim(rest);
	if (rest.length)
		return la_policy_complain(&reader->place, rest.at,
			"%q stands behind a section: write it on a line of its own", &rest);
	return open_section(reader, line.at, inside);
}

static int read_setting(struct reader *reader, struct la_span line)
{
	struct la_span value = line, left = la_span_before(&value, '=');
	struct la_setting setting = {
		.key = la_span_word(&left), .argument = left, .value = la_span_trim(value)};

	if (!la_span_has(line, '='))
		return la_policy_complain(&reader->place, line.at,
			"%q has no \"=\": write one between the key and its value", &line);
	if (setting.key.length == 0)
		return la_policy_complain(&reader->place, line.at,
			"there is no key before the \"=\": write KEY = VALUE");
	if (!open_rule(reader))
		return la_policy_complain(&reader->place, setting.key.at,
			"%q stands before any section: write a section such as [close-wait] first",
			&setting.key);
	return la_rule_set(&reader->place, open_rule(reader), &setting, &reader->seen);
}

static struct la_span without_comment(struct la_span line)
{
	size_t end = 0;

	while (end < line.length && line.at[end] != '#' && line.at[end] != ';')
		end++;
	line.length = end;
	return la_span_trim(line);
}

static int read_line(struct reader *reader, struct la_span line)
{
	reader->place.line++;
	reader->place.line_start = line.at;
	if (line.length && line.at[line.length - 1] == '\r')
		line.length--;
	if (line.length > LA_POLICY_LINE)
		return la_policy_complain(&reader->place, NULL,
			"the line is longer than %u bytes: write a shorter one",
			(uint64_t)LA_POLICY_LINE);
	for (size_t i = 0; i < line.length; i++) {
		if (line.at[i] == '\0')
			return la_policy_complain(&reader->place, line.at + i,
				"a zero byte: write plain text (UTF-8)");
	}
	line = without_comment(line);
	if (line.length == 0)
		return 0;
	return line.at[0] == '[' ? read_header(reader, line) : read_setting(reader, line);
}

static int read_lines(struct reader *reader, struct la_span text)
{
	/* Editors that mark UTF-8 do so with these three bytes. */
	if (text.length >= 3 && text.at[0] == '\xef' && text.at[1] == '\xbb' &&
		text.at[2] == '\xbf')
		text.at += 3, text.length -= 3;
	while (text.length) {
		int error = read_line(reader, la_span_before(&text, '\n'));

		if (error)
			return error;
	}
	return finish_section(reader);
}

/* Named rules move before the unnamed ones; otherwise the order of the file stays. */
static void named_rules_first(struct la_rule *rules, uint32_t count)
{
	uint32_t named = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct la_rule rule = rules[i];

		if (rule.name[0] == '\0')
			continue;
		for (uint32_t j = i; j > named; j--)
			rules[j] = rules[j - 1];
		rules[named++] = rule;
	}
}

int la_policy_parse(struct la_policy *policy, const char *file, const char *text, size_t length,
	struct la_policy_error *error)
{
	struct reader reader = {
		.place = {.file = file, .error = error},
		.policy = policy,
		.first = policy->rules_count,
		.count = policy->rules_count,
	};
	int result = read_lines(&reader, (struct la_span){text, length});

	if (result) {
		/* The rules read so far lie beyond rules_count: nobody saw them, and they go. */
		for (uint32_t i = reader.first; i < reader.count; i++)
			policy->rules[i] = (struct la_rule){0};
		return result;
	}
	named_rules_first(policy->rules + reader.first, reader.count - reader.first);
	policy->rules_count = reader.count;
	return 0;
}
