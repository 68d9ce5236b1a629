/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the parser of policy files. The input is the file.
 *
 * What is refused is refused with a place in the file and a sentence that fits, and leaves no trace. What is accepted keeps
 * its ranges, decides only what it lists, and survives being written out and read again.
 */
#include <errno.h>
#include <stdbool.h>

#include "fuzz.h"

static uint32_t below(uint32_t limit)
{
	(void)limit;
	return 0;
}

#include "../unit/policy_file.h"

#define MS    1000000ull
#define HOURS (3600ull * 1000 * MS)

/* The longest name of a file that is shown whole or cut; every byte of it takes four. */
static char long_name[400];

static uint32_t lines_of(const uint8_t *data, size_t size)
{
	uint32_t lines = 1;

	while (size--)
		lines += *data++ == '\n';
	return lines;
}

/* ":LINE: sentence" or ":LINE:COLUMN: sentence"; the sentence says what to write instead. */
static void check_place(const char *at, const uint8_t *data, size_t size)
{
	unsigned long line, column = 1;
	char *end;

	REQUIRE(*at == ':', "%s\n", at);
	line = strtoul(at + 1, &end, 10);
	REQUIRE(line >= 1 && line <= lines_of(data, size) && *end == ':', "%s\n", at);
	if (end[1] != ' ') {
		column = strtoul(end + 1, &end, 10);
		REQUIRE(column >= 1 && column <= LA_POLICY_LINE + 1u && *end == ':', "%s\n", at);
	}
	REQUIRE(end[1] == ' ' && end[2] > ' ' && strstr(end, "write "), "%s\n", at);
}

static void check_error(const struct la_policy_error *error)
{
	size_t length = strnlen(error->text, sizeof(error->text));

	/* One that fills the room to its last byte was cut: its advice is lost. */
	REQUIRE(length < sizeof(error->text) - 1);
	for (size_t i = 0; i < length; i++)
		REQUIRE(error->text[i] >= ' ' && error->text[i] <= '~', "%s\n", error->text);
}

static bool is_time(uint64_t ns)
{
	return ns >= MS && ns <= 8760 * HOURS && ns % MS == 0;
}

static void check_prefix(const struct la_prefix *prefix)
{
	REQUIRE(prefix->bits <= 128);
	for (uint32_t bit = prefix->bits; bit < 128; bit++)
		REQUIRE(!(prefix->address[bit / 8] & 0x80 >> bit % 8));
}

static void check_match(const struct la_match *match)
{
	size_t length = strnlen(match->exe, sizeof(match->exe));

	if (match->fields & LA_MATCH_ROLE)
		REQUIRE(match->role == LA_ROLE_SERVER || match->role == LA_ROLE_CLIENT);
	if (match->fields & LA_MATCH_EOF)
		REQUIRE(match->eof == LA_EOF_READ || match->eof == LA_EOF_UNREAD);
	if (match->fields & LA_MATCH_LOCAL_PORT)
		REQUIRE(match->local_port_low >= 1 &&
			match->local_port_low <= match->local_port_high);
	if (match->fields & LA_MATCH_REMOTE_PORT)
		REQUIRE(match->remote_port_low >= 1 &&
			match->remote_port_low <= match->remote_port_high);
	check_prefix(&match->local);
	check_prefix(&match->remote);
	REQUIRE(!(match->fields & LA_MATCH_EXE) == (length == 0));
	REQUIRE(!memchr(match->exe, '/', length) && !memchr(match->exe, ' ', length));
}

/* The action that is due, or comes next, is one of the steps that are not yet done. */
static bool is_listed(const struct la_rule *rule, uint32_t from, uint32_t action)
{
	for (uint32_t i = from; i < rule->steps_count; i++)
		if (rule->steps[i].action == action)
			return true;
	return action == LA_ACTION_NONE;
}

static void check_decision(const struct la_rule *rule, uint64_t idle_ns, uint32_t done)
{
	struct la_decision decision = la_policy_decide(rule, idle_ns, done);

	REQUIRE(is_listed(rule, done, decision.action));
	REQUIRE(decision.action <= (uint32_t)la_rule_strongest(rule));
	if (decision.action != LA_ACTION_NONE) {
		REQUIRE(decision.step >= done && decision.step < rule->steps_count);
		REQUIRE(rule->steps[decision.step].action == decision.action);
		REQUIRE(rule->steps[decision.step].after_ns <= idle_ns);
		done = decision.step + 1;
	} else {
		REQUIRE(done >= rule->steps_count || rule->steps[done].after_ns > idle_ns);
	}
	REQUIRE(is_listed(rule, done, decision.next));
	REQUIRE((decision.next == LA_ACTION_NONE) == (done >= rule->steps_count));
	REQUIRE(decision.next_in_ns <= 8760 * HOURS);
	REQUIRE(decision.next != LA_ACTION_NONE || decision.next_in_ns == 0);
}

static void check_steps(const struct la_rule *rule)
{
	REQUIRE(rule->steps_count >= 1 && rule->steps_count <= LA_POLICY_STEPS);
	for (uint32_t i = 0; i < rule->steps_count; i++) {
		const struct la_bound_step *step = &rule->steps[i];

		REQUIRE(is_time(step->after_ns));
		REQUIRE(i == 0 || step->after_ns > step[-1].after_ns);
		REQUIRE(step->action > LA_ACTION_NONE && step->action < LA_ACTION_COUNT);
		for (uint32_t done = 0; done <= rule->steps_count + 1; done++) {
			check_decision(rule, step->after_ns - 1, done);
			check_decision(rule, step->after_ns, done);
		}
	}
	check_decision(rule, 0, 0);
	check_decision(rule, UINT64_MAX, 0);
}

static void check_rule(const struct la_rule *rule, uint32_t lines)
{
	REQUIRE(rule->line >= 1 && rule->line <= lines);
	REQUIRE(!rule->name[0] == !rule->match.fields);
	REQUIRE(rule->max <= 1000000);
	check_match(&rule->match);
	switch (rule->section) {
	case LA_SECTION_CLOSE:
		REQUIRE(is_time(rule->idle_ns) && is_time(rule->total_ns) && rule->max >= 1);
		REQUIRE(rule->drain_bytes >= 1024 && rule->drain_bytes <= 1ull << 40);
		break;
	case LA_SECTION_EXIT: REQUIRE(is_time(rule->total_ns)); break;
	case LA_SECTION_RESET: break;
	default: check_steps(rule);
	}
}

/* What matches a rule is governed by it or by one before it. */
static void check_found(const struct la_policy *policy, uint32_t at)
{
	const struct la_rule *rule = &policy->rules[at], *found;
	struct la_view view = {.role = rule->match.role,
		.eof = rule->match.eof,
		.local_port = rule->match.local_port_high,
		.remote_port = rule->match.remote_port_low,
		.exe = rule->match.exe};

	memcpy(view.local, rule->match.local.address, 16);
	memcpy(view.remote, rule->match.remote.address, 16);
	REQUIRE(la_match_holds(&rule->match, &view));
	found = la_policy_find(policy, (enum la_section)rule->section, &view);
	REQUIRE(found && found <= rule && found->section == rule->section);
	REQUIRE(la_match_holds(&found->match, &view));
}

static void check_policy(const struct la_policy *policy, uint32_t lines)
{
	bool unnamed = false;

	REQUIRE(policy->rules_count <= LA_POLICY_RULES && la_policy_is_sane(policy));
	for (uint32_t i = 0; i < policy->rules_count; i++) {
		check_rule(&policy->rules[i], lines);
		check_found(policy, i);
		unnamed |= !policy->rules[i].name[0];
		REQUIRE(!unnamed || !policy->rules[i].name[0]);
	}
	REQUIRE(!la_policy_shortest_ns(policy) == !la_policy_bounds_anything(policy));
}

static void check_written(struct la_policy *policy)
{
	static struct file file;
	static struct la_policy again;
	struct la_policy_error error;

	file.length = file.line = 0;
	la_policy_init(&again);
	for (uint32_t i = 0; i < policy->rules_count; i++)
		put_rule(&file, &policy->rules[i]);
	REQUIRE(la_policy_parse(&again, "w", file.text, file.length, &error) == 0, "%s\n%.*s\n",
		error.text, (int)file.length, file.text);
	REQUIRE(memcmp(policy, &again, sizeof(again)) == 0, "%.*s\n", (int)file.length, file.text);
}

/* The same again behind the rules of another file: twice as many, or too many and then none of it. */
static void check_appended(struct la_policy *policy, const char *text, size_t size)
{
	uint32_t count = policy->rules_count;
	int result = la_policy_parse(policy, "again", text, size, NULL);

	if (result == 0)
		REQUIRE(policy->rules_count == 2 * count && la_policy_is_sane(policy));
	else
		REQUIRE(result == -EINVAL && 2 * count > LA_POLICY_RULES &&
			policy->rules_count == count);
	for (uint32_t i = 0; result == 0 && i < count; i++)
		REQUIRE(memcmp(&policy->rules[i], &policy->rules[count + i],
				sizeof(struct la_rule)) == 0);
}

static void check_refused(const struct la_policy_error *error, const uint8_t *data, size_t size)
{
	static struct la_policy scratch;
	struct la_policy_error other;

	check_error(error);
	REQUIRE(strncmp(error->text, "p.policy:", 9) == 0, "%s\n", error->text);
	check_place(error->text + 8, data, size);
	/* However long and odd the file's name: the rest stays. */
	if (!long_name[0])
		memset(long_name, 0x1b, sizeof(long_name) - 1);
	la_policy_init(&scratch);
	REQUIRE(la_policy_parse(&scratch, long_name, (const char *)data, size, &other) == -EINVAL);
	check_error(&other);
	REQUIRE(strlen(other.text) >= strlen(error->text) &&
			strcmp(other.text + strlen(other.text) - strlen(error->text + 8),
				error->text + 8) == 0,
		"%s\n%s\n", error->text, other.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct la_policy policy, empty;
	struct la_policy_error error;
	int result;

	la_policy_init(&policy);
	memset(&error, 0xaa, sizeof(error));
	result = la_policy_parse(&policy, "p.policy", (const char *)data, size, &error);
	if (result == 0) {
		check_policy(&policy, lines_of(data, size));
		check_appended(&policy, (const char *)data, size);
		la_policy_init(&policy);
		la_policy_parse(&policy, "p.policy", (const char *)data, size, &error);
		check_written(&policy);
	} else {
		REQUIRE(result == -EINVAL && memcmp(&policy, &empty, sizeof(policy)) == 0);
		check_refused(&error, data, size);
	}
	return 0;
}
