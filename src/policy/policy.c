/* SPDX-License-Identifier: MIT */
/* A policy as a whole: empty, what it asks for, and whether it can be trusted. */
#include "text.h"

void la_policy_init(struct la_policy *policy)
{
	*policy = (struct la_policy){0};
}

static bool is_bounded(uint32_t section)
{
	return section <= LA_SECTION_LAST_ACK;
}

bool la_policy_bounds_anything(const struct la_policy *policy)
{
	for (uint32_t i = 0; i < policy->rules_count; i++) {
		if (is_bounded(policy->rules[i].section))
			return true;
	}
	return false;
}

bool la_policy_closes_gracefully(const struct la_policy *policy)
{
	for (uint32_t i = 0; i < policy->rules_count; i++) {
		const struct la_rule *rule = &policy->rules[i];

		if (rule->section == LA_SECTION_CLOSE && rule->action == LA_CLOSE_GRACEFUL)
			return true;
	}
	return false;
}

bool la_policy_rules_exits(const struct la_policy *policy)
{
	for (uint32_t i = 0; i < policy->rules_count; i++) {
		const struct la_rule *rule = &policy->rules[i];

		if (rule->section == LA_SECTION_EXIT && rule->action != LA_EXIT_PLAIN)
			return true;
	}
	return false;
}

bool la_policy_rules_closes(const struct la_policy *policy)
{
	for (uint32_t i = 0; i < policy->rules_count; i++) {
		const struct la_rule *rule = &policy->rules[i];

		if (rule->section == LA_SECTION_CLOSE ? rule->action == LA_CLOSE_GRACEFUL
			: rule->section == LA_SECTION_RESET
				? rule->action == LA_RESET_REFUSE
				: la_rule_resets_after_ns(rule) &&
					  rule->section != LA_SECTION_CLOSE_WAIT)
			return true;
	}
	return false;
}

uint64_t la_policy_shortest_ns(const struct la_policy *policy)
{
	uint64_t shortest_ns = 0;

	for (uint32_t i = 0; i < policy->rules_count; i++) {
		const struct la_rule *rule = &policy->rules[i];

		/* Steps are sorted: the first is the shortest. */
		if (is_bounded(rule->section) && rule->steps_count &&
			(shortest_ns == 0 || rule->steps[0].after_ns < shortest_ns))
			shortest_ns = rule->steps[0].after_ns;
	}
	return shortest_ns;
}

static bool is_printable_text(const char *text, size_t size)
{
	return la_text_is_terminated(text, size) && la_span_is_printable(la_span_of(text));
}

static bool match_is_sane(const struct la_match *match)
{
	return (match->fields & ~(uint32_t)LA_MATCH_ALL) == 0 && match->role <= LA_ROLE_LISTENER &&
	       match->eof <= LA_EOF_READ && match->local_port_low <= match->local_port_high &&
	       match->remote_port_low <= match->remote_port_high && match->local.bits <= 128 &&
	       match->remote.bits <= 128 && is_printable_text(match->exe, sizeof(match->exe));
}

static bool steps_are_sane(const struct la_rule *rule)
{
	if (rule->steps_count > LA_POLICY_STEPS ||
		(rule->steps_count && !is_bounded(rule->section)))
		return false;
	for (uint32_t i = 0; i < rule->steps_count; i++) {
		const struct la_bound_step *step = &rule->steps[i];

		if (step->action <= LA_ACTION_NONE || step->action >= LA_ACTION_COUNT ||
			step->after_ns == 0 || (i && step->after_ns <= step[-1].after_ns))
			return false;
	}
	return true;
}

static bool rule_is_sane(const struct la_rule *rule)
{
	static const uint32_t last_action[LA_SECTION_COUNT] = {
		[LA_SECTION_CLOSE] = LA_CLOSE_GRACEFUL,
		[LA_SECTION_EXIT] = LA_EXIT_HANDOVER,
		[LA_SECTION_RESET] = LA_RESET_REFUSE,
	};

	return rule->section < LA_SECTION_COUNT && rule->action <= last_action[rule->section] &&
	       rule->linger <= LA_LINGER_ALWAYS &&
	       la_text_is_terminated(rule->name, sizeof(rule->name)) &&
	       la_span_is_name(la_span_of(rule->name)) && match_is_sane(&rule->match) &&
	       steps_are_sane(rule);
}

bool la_policy_is_sane(const struct la_policy *policy)
{
	if (policy->rules_count > LA_POLICY_RULES || policy->observe > 1 ||
		!is_printable_text(policy->name, sizeof(policy->name)))
		return false;
	for (uint32_t i = 0; i < policy->rules_count; i++) {
		if (!rule_is_sane(&policy->rules[i]))
			return false;
	}
	return true;
}
