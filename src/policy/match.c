/* SPDX-License-Identifier: MIT */
/* Which rule governs a connection. */
#include <lastack/policy.h>

static bool prefix_holds(const struct la_prefix *prefix, const uint8_t address[16])
{
	uint32_t whole = prefix->bits / 8, rest = prefix->bits % 8;

	for (uint32_t i = 0; i < whole; i++) {
		if (prefix->address[i] != address[i])
			return false;
	}
	return rest == 0 || (prefix->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

static bool same_name(const char exe[LA_POLICY_EXE], const char *name)
{
	if (!name)
		return false;
	for (int i = 0; i < LA_POLICY_EXE; i++) {
		if (exe[i] != name[i])
			return false;
		if (exe[i] == '\0')
			return true;
	}
	return false;
}

static bool within(uint16_t port, uint16_t low, uint16_t high)
{
	return port >= low && port <= high;
}

bool la_match_holds(const struct la_match *match, const struct la_view *view)
{
	uint32_t fields = match->fields;

	if ((fields & LA_MATCH_ROLE) && match->role != view->role)
		return false;
	if ((fields & LA_MATCH_EOF) && match->eof != view->eof)
		return false;
	if ((fields & LA_MATCH_LOCAL_PORT) &&
		!within(view->local_port, match->local_port_low, match->local_port_high))
		return false;
	if ((fields & LA_MATCH_REMOTE_PORT) &&
		!within(view->remote_port, match->remote_port_low, match->remote_port_high))
		return false;
	if ((fields & LA_MATCH_LOCAL) && !prefix_holds(&match->local, view->local))
		return false;
	if ((fields & LA_MATCH_REMOTE) && !prefix_holds(&match->remote, view->remote))
		return false;
	if ((fields & LA_MATCH_EXE) && !same_name(match->exe, view->exe))
		return false;
	return true;
}

/* Every address of `narrow` lies in `wide`; where nothing is asked of it, it may be any. */
static bool prefix_covers(const struct la_match *wide, const struct la_prefix *wide_prefix,
	const struct la_match *narrow, const struct la_prefix *narrow_prefix, uint32_t field)
{
	if (!(wide->fields & field) || wide_prefix->bits == 0)
		return true;
	return (narrow->fields & field) && narrow_prefix->bits >= wide_prefix->bits &&
	       prefix_holds(wide_prefix, narrow_prefix->address);
}

bool la_match_covers(const struct la_match *wide, const struct la_match *narrow)
{
	const uint32_t addresses = LA_MATCH_LOCAL | LA_MATCH_REMOTE;

	if (wide->fields & ~narrow->fields & ~addresses)
		return false;
	if ((wide->fields & LA_MATCH_ROLE) && wide->role != narrow->role)
		return false;
	if ((wide->fields & LA_MATCH_EOF) && wide->eof != narrow->eof)
		return false;
	if ((wide->fields & LA_MATCH_LOCAL_PORT) &&
		!(within(narrow->local_port_low, wide->local_port_low, wide->local_port_high) &&
			within(narrow->local_port_high, wide->local_port_low,
				wide->local_port_high)))
		return false;
	if ((wide->fields & LA_MATCH_REMOTE_PORT) &&
		!(within(narrow->remote_port_low, wide->remote_port_low, wide->remote_port_high) &&
			within(narrow->remote_port_high, wide->remote_port_low,
				wide->remote_port_high)))
		return false;
	if ((wide->fields & LA_MATCH_EXE) && !same_name(wide->exe, narrow->exe))
		return false;
	return prefix_covers(wide, &wide->local, narrow, &narrow->local, LA_MATCH_LOCAL) &&
	       prefix_covers(wide, &wide->remote, narrow, &narrow->remote, LA_MATCH_REMOTE);
}

const struct la_rule *la_policy_find(
	const struct la_policy *policy, enum la_section section, const struct la_view *view)
{
	for (uint32_t i = 0; i < policy->rules_count; i++) {
		const struct la_rule *rule = &policy->rules[i];

		if (rule->section == (uint32_t)section && la_match_holds(&rule->match, view))
			return rule;
	}
	return NULL;
}
