/* SPDX-License-Identifier: MIT */
/*
 * lastack policy explain -J: "lastack.policy/1". Times are seconds.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy_set.h"
#include "policy_words.h"

static json_t *json_sentences(struct la_sentences *sentences)
{
	json_t *list = json_array();
	int i;

	for (i = 0; i < sentences->count; i++)
		json_array_append_new(list, json_string(sentences->text[i]));
	la_sentences_free(sentences);
	return list;
}

static json_t *seconds(uint64_t ns)
{
	return json_real((double)ns / 1e9);
}

static json_t *json_prefix(const struct la_prefix *prefix)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v4 = prefix->bits >= 96 && memcmp(prefix->address, mapped, 12) == 0;
	char text[INET6_ADDRSTRLEN + 5] = "?";

	inet_ntop(v4 ? AF_INET : AF_INET6, prefix->address + (v4 ? 12 : 0), text, INET6_ADDRSTRLEN);
	sprintf(text + strlen(text), "/%u", v4 ? prefix->bits - 96 : prefix->bits);
	return json_string(text);
}

static json_t *json_match(const struct la_match *match)
{
	json_t *object = json_object();

	if (match->fields & LA_MATCH_ROLE)
		json_object_set_new(object, "role", json_string(la_role_name(match->role)));
	if (match->fields & LA_MATCH_LOCAL_PORT)
		json_object_set_new(object, "local_port",
			json_pack("[i, i]", match->local_port_low, match->local_port_high));
	if (match->fields & LA_MATCH_REMOTE_PORT)
		json_object_set_new(object, "remote_port",
			json_pack("[i, i]", match->remote_port_low, match->remote_port_high));
	if (match->fields & LA_MATCH_LOCAL)
		json_object_set_new(object, "local", json_prefix(&match->local));
	if (match->fields & LA_MATCH_REMOTE)
		json_object_set_new(object, "remote", json_prefix(&match->remote));
	if (match->fields & LA_MATCH_EXE)
		json_object_set_new(object, "exe", json_string(match->exe));
	if (match->fields & LA_MATCH_EOF)
		json_object_set_new(
			object, "eof", json_string(match->eof == LA_EOF_READ ? "read" : "unread"));
	return object;
}

static void add_bound(json_t *object, const struct la_rule *rule)
{
	json_t *steps = json_array();
	uint32_t i;

	for (i = 0; i < rule->steps_count; i++)
		json_array_append_new(steps,
			json_pack("{s:o, s:s}", "after", seconds(rule->steps[i].after_ns), "action",
				la_action_name((enum la_action)rule->steps[i].action)));
	json_object_set_new(object, "steps", steps);
	json_object_set_new(object, "max", rule->max ? json_integer(rule->max) : json_null());
}

static void add_close(json_t *object, const struct la_rule *rule)
{
	bool graceful = rule->action == LA_CLOSE_GRACEFUL;

	json_object_set_new(object, "action", json_string(graceful ? "graceful" : "plain"));
	json_object_set_new(object, "linger",
		json_string(rule->linger == LA_LINGER_ALWAYS ? "always" : "needed"));
	json_object_set_new(object, "idle", seconds(rule->idle_ns));
	json_object_set_new(object, "total", seconds(rule->total_ns));
	json_object_set_new(object, "drain", json_integer((json_int_t)rule->drain_bytes));
	json_object_set_new(object, "max", rule->max ? json_integer(rule->max) : json_null());
}

static json_t *json_place(const struct la_policy_set *set, const struct la_rule *rule)
{
	return json_pack("{s:s, s:i}", "source", set->source[rule - set->policy.rules], "line",
		(int)rule->line);
}

static json_t *json_rule(const struct la_policy_set *set, const struct la_rule *rule)
{
	static const char *const exits[] = {"plain", "drain", "handover"};
	const struct la_rule *hides = la_policy_set_hides(set, rule);
	struct la_sentences sentences = {.count = 0};
	json_t *object = json_place(set, rule);

	json_object_set_new(
		object, "section", json_string(la_section_name((enum la_section)rule->section)));
	json_object_set_new(object, "name", json_string(rule->name));
	json_object_set_new(object, "match", json_match(&rule->match));
	json_object_set_new(object, "hidden_by", hides ? json_place(set, hides) : json_null());
	if (rule->section <= LA_SECTION_LAST_ACK) {
		add_bound(object, rule);
	} else if (rule->section == LA_SECTION_CLOSE) {
		add_close(object, rule);
	} else if (rule->section == LA_SECTION_EXIT) {
		json_object_set_new(object, "action", json_string(exits[rule->action]));
		json_object_set_new(object, "total", seconds(rule->total_ns));
	} else {
		json_object_set_new(object, "action",
			json_string(rule->action == LA_RESET_REFUSE ? "refuse" : "allow"));
	}
	la_words_of_rule(&sentences, rule);
	json_object_set_new(object, "sentences", json_sentences(&sentences));
	return object;
}

static void add_note(const struct la_policy_set *set, const struct la_rule *rule,
	const char *sentence, void *context)
{
	json_t *note = json_place(set, rule);

	json_object_set_new(note, "text", json_string(sentence));
	json_array_append_new(context, note);
}

int la_policy_json(const struct la_policy_set *set)
{
	json_t *rules = json_array(), *ungoverned = json_array(), *notes = json_array(), *root;
	struct la_sentences never = {.count = 0};
	uint32_t i;
	int s, result;

	for (i = 0; i < set->policy.rules_count; i++)
		json_array_append_new(rules, json_rule(set, &set->policy.rules[i]));
	for (s = 0; s < LA_SECTION_COUNT; s++)
		if (!la_policy_set_is_total(set, (enum la_section)s))
			json_array_append_new(
				ungoverned, json_string(la_section_name((enum la_section)s)));
	la_policy_set_notes(set, add_note, notes);
	la_words_never(&never, set);
	root = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "schema", "lastack.policy/1", "policy",
		set->names, "rules", rules, "never", json_sentences(&never), "ungoverned",
		ungoverned, "notes", notes);
	if (!root)
		return -1;
	result = json_dumpf(root, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(root);
	return result;
}
