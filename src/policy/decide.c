/* SPDX-License-Identifier: MIT */
/* What a rule says for a connection that has stood still for so long. */
#include <lastack/policy.h>

static uint64_t time_until(const struct la_bound_step *step, uint64_t idle_ns)
{
	return step->after_ns > idle_ns ? step->after_ns - idle_ns : 0;
}

struct la_decision la_policy_decide(
	const struct la_rule *rule, uint64_t idle_ns, uint32_t steps_done)
{
	struct la_decision decision = {.action = LA_ACTION_NONE, .next = LA_ACTION_NONE};
	uint32_t count = rule->steps_count, following;

	following = steps_done < count ? steps_done : count;
	decision.step = following;
	for (uint32_t i = following; i < count && rule->steps[i].after_ns <= idle_ns; i++) {
		/* Of equals the later one: the earlier need not be repeated. */
		if (rule->steps[i].action >= decision.action) {
			decision.action = rule->steps[i].action;
			decision.step = i;
			following = i + 1;
		}
	}
	if (following < count) {
		decision.next = rule->steps[following].action;
		decision.next_in_ns = time_until(&rule->steps[following], idle_ns);
	}
	return decision;
}

uint64_t la_rule_resets_after_ns(const struct la_rule *rule)
{
	for (uint32_t i = 0; i < rule->steps_count; i++) {
		if (rule->steps[i].action == LA_ACTION_RESET)
			return rule->steps[i].after_ns;
	}
	return 0;
}

enum la_action la_rule_strongest(const struct la_rule *rule)
{
	uint32_t strongest = LA_ACTION_NONE;

	for (uint32_t i = 0; i < rule->steps_count; i++) {
		if (rule->steps[i].action > strongest)
			strongest = rule->steps[i].action;
	}
	return strongest;
}
