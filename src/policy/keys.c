/* SPDX-License-Identifier: MIT */
/* The settings of a section: which keys it takes, and what each does to the rule. */
#include "keys.h"
#include "values.h"
#include "words.h"

enum { BOUND = 1, CLOSE = 2, EXIT = 4, RESET = 8, ANY = BOUND | CLOSE | EXIT | RESET };
enum holds { MATCH, AFTER, COUNT, WORD, TIME, SIZE };

struct key {
	const char *name;
	uint32_t in;
	enum holds holds;
	const struct la_word *words;
	size_t field;
};

static const struct key keys[] = {
#define KEY(name, in, holds, words, field) \
	{name, in, holds, words, offsetof(struct la_rule, field)},
#include "keys.def"
#undef KEY
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };
_Static_assert(KEYS < 32, "the set of keys seen is a 32-bit word");

static uint32_t kind_of(uint32_t section)
{
	switch (section) {
	case LA_SECTION_CLOSE: return CLOSE;
	case LA_SECTION_EXIT: return EXIT;
	case LA_SECTION_RESET: return RESET;
	default: return BOUND;
	}
}

void la_rule_defaults(struct la_rule *rule, enum la_section section)
{
	*rule = (struct la_rule){.section = section};
	if (section == LA_SECTION_CLOSE) {
		rule->idle_ns = LA_CLOSE_IDLE_NS;
		rule->total_ns = LA_CLOSE_TOTAL_NS;
		rule->drain_bytes = LA_CLOSE_DRAIN_BYTES;
		rule->max = LA_CLOSE_MAX;
	} else if (section == LA_SECTION_EXIT) {
		rule->total_ns = LA_EXIT_TOTAL_NS;
	}
}

static const char *example_of(const struct key *key)
{
	switch (key->holds) {
	case MATCH: return "match = role client, remote-port 9200-9299";
	case AFTER: return "after 30s = shutdown";
	case COUNT: return "max = 1000";
	case TIME: return key->in & EXIT ? "total = 10s" : "idle = 5s";
	case SIZE: return "drain = 16MiB";
	case WORD: break;
	}
	switch (key->in) {
	case EXIT: return "action = drain";
	case RESET: return "action = refuse";
	default: return key->words == la_words_linger ? "linger = needed" : "action = graceful";
	}
}

static const struct key *find_key(uint32_t kinds, struct la_span name)
{
	for (unsigned int i = 0; i < KEYS; i++) {
		if ((keys[i].in & kinds) && la_span_is(name, keys[i].name))
			return &keys[i];
	}
	return NULL;
}

static int complain_of_section(
	const struct la_place *place, const char *section, struct la_span name)
{
	static const struct la_word kinds[] = {
		{"[close]", CLOSE},
		{"[exit]", EXIT},
		{"[reset]", RESET},
		{"a bounded state such as [close-wait]", BOUND},
	};
	struct la_word there[sizeof(kinds) / sizeof(kinds[0]) + 1];
	unsigned int count = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (find_key(kinds[i].value, name))
			there[count++] = kinds[i];
	}
	there[count] = (struct la_word){NULL, 0};
	return la_policy_complain(place, name.at, "%q is no setting of [%s]: write it under %c",
		&name, section, there, &name);
}

static int complain_of_key(
	const struct la_place *place, const struct la_rule *rule, struct la_span name)
{
	const char *section = la_section_name(rule->section);
	struct la_word here[KEYS + 1];
	unsigned int count = 0;

	/* Written often: a bounded state has no action without a time. */
	if (kind_of(rule->section) == BOUND && la_span_is(name, "action"))
		return la_policy_complain(place, name.at, "%q is no setting of [%s]: write %s",
			&name, section, "after 30s = shutdown");
	if (find_key(ANY, name))
		return complain_of_section(place, section, name);
	for (unsigned int i = 0; i < KEYS; i++) {
		if (keys[i].in & kind_of(rule->section))
			here[count++] = (struct la_word){keys[i].name, i};
	}
	here[count] = (struct la_word){NULL, 0};
	return la_policy_complain(place, name.at, "unknown setting %q in [%s]: write %c", &name,
		section, here, &name);
}

/* The steps stay sorted; a file may list them in any order, but no time twice. */
static int add_step(const struct la_place *place, struct la_rule *rule, struct la_span time,
	struct la_bound_step step)
{
	uint32_t at = rule->steps_count;

	if (rule->steps_count == LA_POLICY_STEPS)
		return la_policy_complain(place, time.at,
			"more than %u steps in a section: write fewer", (uint64_t)LA_POLICY_STEPS);
	for (uint32_t i = 0; i < rule->steps_count; i++) {
		if (rule->steps[i].after_ns == step.after_ns)
			return la_policy_complain(place, time.at,
				"there is a step after %q already: write another time", &time);
	}
	for (; at > 0 && rule->steps[at - 1].after_ns > step.after_ns; at--)
		rule->steps[at] = rule->steps[at - 1];
	rule->steps[at] = step;
	rule->steps_count++;
	return 0;
}

static int set_word(
	const struct la_place *place, const struct key *key, struct la_span value, uint32_t *field)
{
	const struct la_word *word = la_word_find(key->words, value);

	if (!word)
		return la_policy_complain(place, value.at, "unknown %s %q: write %c",
			key->holds == AFTER ? "action" : key->name, &value, key->words, &value);
	*field = word->value;
	return 0;
}

static int set_after(const struct la_place *place, const struct key *key, struct la_rule *rule,
	const struct la_setting *setting)
{
	struct la_bound_step step = {0};
	int error;

	if (setting->argument.length == 0)
		return la_policy_complain(place, setting->key.at,
			"%q needs a time before the \"=\": write %s", &setting->key,
			example_of(key));
	error = la_value_time(place, setting->argument, &step.after_ns);
	if (!error)
		error = set_word(place, key, setting->value, &step.action);
	return error ? error : add_step(place, rule, setting->argument, step);
}

int la_rule_set(const struct la_place *place, struct la_rule *rule,
	const struct la_setting *setting, uint32_t *seen)
{
	const struct key *key = find_key(kind_of(rule->section), setting->key);
	uint32_t bit;
	void *field;

	if (!key)
		return complain_of_key(place, rule, setting->key);
	if (setting->value.length == 0)
		return la_policy_complain(place, setting->key.at, "%q has no value: write %s",
			&setting->key, example_of(key));
	if (key->holds == AFTER)
		return set_after(place, key, rule, setting);
	if (setting->argument.length)
		return la_policy_complain(place, setting->argument.at,
			"unexpected %q before the \"=\": write %s", &setting->argument,
			example_of(key));
	bit = 1u << (key - keys);
	if (*seen & bit)
		return la_policy_complain(place, setting->key.at,
			"%q stands twice in this section: write it once", &setting->key);
	*seen |= bit;
	field = (char *)rule + key->field;
	switch (key->holds) {
	case COUNT: return la_value_count(place, setting->value, field);
	case WORD: return set_word(place, key, setting->value, field);
	case TIME: return la_value_time(place, setting->value, field);
	case SIZE: return la_value_size(place, setting->value, field);
	default: break;
	}
	if (rule->name[0] == '\0')
		return la_policy_complain(place, setting->key.at,
			"a section with a match needs a name: write [%s NAME]",
			la_section_name(rule->section));
	return la_value_match(place, setting->value, field);
}

/*
 * A section says what it does. One that does not is refused, not taken as "do nothing": it would silently switch off
 * what a later file asks for, and mostly it is a forgotten line.
 */
int la_rule_check_complete(
	const struct la_place *header, const char *at, const struct la_rule *rule, uint32_t seen)
{
	const struct la_span action = la_span_of("action");
	const struct key *key;

	if (rule->name[0] && rule->match.fields == 0)
		return la_policy_complain(header, at,
			"rule \"%s\" has no match: write %s, or drop the name", rule->name,
			example_of(find_key(ANY, la_span_of("match"))));
	if (kind_of(rule->section) == BOUND) {
		if (rule->steps_count == 0)
			return la_policy_complain(header, at,
				"[%s] has no step: write after 30s = log, or drop the section",
				la_section_name(rule->section));
		return 0;
	}
	key = find_key(kind_of(rule->section), action);
	if (!(seen & 1u << (key - keys)))
		return la_policy_complain(header, at,
			"[%s] has no action: write %s, or drop the section",
			la_section_name(rule->section), example_of(key));
	return 0;
}
