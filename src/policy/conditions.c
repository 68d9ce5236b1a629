/* SPDX-License-Identifier: MIT */
/* The line "match = role client, remote-port 9200-9299": text -> struct la_match. */
#include "values.h"
#include "words.h"

static const struct la_word fields[] = {
	{"role", LA_MATCH_ROLE},
	{"local-port", LA_MATCH_LOCAL_PORT},
	{"remote-port", LA_MATCH_REMOTE_PORT},
	{"local", LA_MATCH_LOCAL},
	{"remote", LA_MATCH_REMOTE},
	{"exe", LA_MATCH_EXE},
	{"eof", LA_MATCH_EOF},
	{NULL, 0},
};

static const char *example_of(uint32_t field)
{
	switch (field) {
	case LA_MATCH_ROLE: return "role client";
	case LA_MATCH_LOCAL_PORT: return "local-port 8080";
	case LA_MATCH_REMOTE_PORT: return "remote-port 9200-9299";
	case LA_MATCH_LOCAL: return "local 127.0.0.1";
	case LA_MATCH_REMOTE: return "remote 10.0.0.0/8";
	case LA_MATCH_EXE: return "exe nginx";
	default: return "eof read";
	}
}

static int parse_word(const struct la_place *place, const char *field, const struct la_word *words,
	struct la_span value, uint32_t *result)
{
	const struct la_word *word = la_word_find(words, value);

	if (!word)
		return la_policy_complain(
			place, value.at, "unknown %s %q: write %c", field, &value, words, &value);
	*result = word->value;
	return 0;
}

static int parse_exe(const struct la_place *place, struct la_span value, char exe[LA_POLICY_EXE])
{
	if (la_span_has(value, '/'))
		return la_policy_complain(place, value.at,
			"%q is a path: write the base name, such as exe nginx", &value);
	if (!la_span_is_printable(value) || la_span_has(value, ' '))
		return la_policy_complain(place, value.at,
			"%q is no program name: write one without blanks, such as exe nginx",
			&value);
	if (value.length >= LA_POLICY_EXE)
		return la_policy_complain(place, value.at, "%q is too long: write at most %u bytes",
			&value, (uint64_t)LA_POLICY_EXE - 1);
	la_span_copy(exe, value);
	return 0;
}

static int parse_value(
	const struct la_place *place, uint32_t field, struct la_span value, struct la_match *match)
{
	switch (field) {
	case LA_MATCH_ROLE: return parse_word(place, "role", la_words_role, value, &match->role);
	case LA_MATCH_LOCAL_PORT:
		return la_value_ports(
			place, value, &match->local_port_low, &match->local_port_high);
	case LA_MATCH_REMOTE_PORT:
		return la_value_ports(
			place, value, &match->remote_port_low, &match->remote_port_high);
	case LA_MATCH_LOCAL: return la_value_prefix(place, value, &match->local);
	case LA_MATCH_REMOTE: return la_value_prefix(place, value, &match->remote);
	case LA_MATCH_EXE: return parse_exe(place, value, match->exe);
	default: return parse_word(place, "eof", la_words_eof, value, &match->eof);
	}
}

static int parse_condition(
	const struct la_place *place, struct la_span condition, struct la_match *match)
{
	struct la_span value = condition, name = la_span_word(&value);
	const struct la_word *field = la_word_find(fields, name);

	if (name.length == 0)
		return la_policy_complain(place, name.at,
			"a condition is missing here: write one such as role client, or drop the "
			"comma");
	if (!field)
		return la_policy_complain(
			place, name.at, "unknown condition %q: write %c", &name, fields, &name);
	if (value.length == 0)
		return la_policy_complain(place, name.at, "%q needs a value: write %s", &name,
			example_of(field->value));
	if (value.at[0] == '=')
		return la_policy_complain(place, value.at,
			"a condition has no \"=\" of its own: write %s", example_of(field->value));
	if (match->fields & field->value)
		return la_policy_complain(place, name.at,
			"%q stands twice: write another rule for the other value", &name);
	match->fields |= field->value;
	return parse_value(place, field->value, value, match);
}

int la_value_match(const struct la_place *place, struct la_span span, struct la_match *match)
{
	struct la_span rest = span;
	bool more = true;

	while (more) {
		struct la_span condition;
		int error;

		more = la_span_has(rest, ',');
		condition = la_span_before(&rest, ',');
		error = parse_condition(place, la_span_trim(condition), match);
		if (error)
			return error;
	}
	return 0;
}
