/* SPDX-License-Identifier: MIT */
/*
 * What the policy files say now is taken up, or refused: by the helper, between two of its turns.
 *
 * Each policy that was ever in force is kept, for whoever still reads it, and taken again when its text comes back. A new one takes the pages that
 * its rules fill: 4 KiB for a dozen rules, 20 KiB at most; so 20 MiB in the worst case, after 1,024 different ones, and then no more are taken.
 *
 * Reasons are said once: not again while the files stay as bad as they are, and not again by the children of a process that has said it.
 */
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <lastack/sys.h>

#include "internal.h"

enum { KEPT = 1024 };
#define WHILE_FORKING_NS (5 * LA_MS_NS)

static const struct la_policy_kept *kept[KEPT];
static uint32_t kept_count;
static struct la_policy_error said; /* why the files are refused, "": they are not */
static bool silent_once;

static size_t used_bytes(const struct la_policy *policy)
{
	return offsetof(struct la_policy, rules) + policy->rules_count * sizeof(policy->rules[0]);
}

static bool is_same(const struct la_policy *a, const struct la_policy *b)
{
	return a->rules_count == b->rules_count && memcmp(a, b, used_bytes(a)) == 0;
}

static const struct la_policy_kept *find(const struct la_policy *policy)
{
	uint32_t i;

	for (i = 0; i < kept_count; i++)
		if (kept[i] && is_same(&kept[i]->policy, policy))
			return kept[i];
	return NULL;
}

static const struct la_policy_kept *keep(const struct la_policy_kept *new)
{
	struct la_policy_kept *to;

	if (kept_count == KEPT)
		return NULL;
	to = la_region_map(sizeof(*to), MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!to)
		return NULL;
	memcpy(&to->policy, &new->policy, used_bytes(&new->policy));
	to->files = new->files;
	kept[kept_count] = to;
	kept_count++;
	return to;
}

static void refuse(const char *why)
{
	bool news = strcmp(said.text, why) != 0;

	la_show_refusal(why);
	strcpy(said.text, why);
	if (!news)
		return;
	la_helper_count(LA_COUNT_POLICY_REFUSED);
	if (!silent_once)
		la_log_policy("refused", la_in_force()->name, why);
	silent_once = false;
}

static void taken(const struct la_policy *policy)
{
	if (said.text[0])
		la_show_refusal("");
	said.text[0] = '\0';
	silent_once = false;
	la_show_policy(policy);
	la_helper_count(LA_COUNT_POLICY_TAKEN);
	la_log_policy("taken", policy->name, NULL);
}

/* False while a fork is under way: its child must find the policy whole. */
static bool take(const struct la_policy_kept *new)
{
	const struct la_policy_kept *same;

	if (is_same(la_in_force(), &new->policy)) {
		if (said.text[0])
			taken(la_in_force());
		return true;
	}
	same = find(&new->policy);
	if (!same)
		same = keep(new);
	if (!same) {
		refuse(kept_count == KEPT ? "too many different policies since the start: restart "
					    "to take another"
					  : "no memory for another policy");
		return true;
	}
	if (la_track_is_forking())
		return false;
	la_in_force_swap(same);
	taken(&same->policy);
	return true;
}

uint64_t la_reload_turn(void)
{
	const struct la_news *news = la_watch_news();

	if (!news)
		return LA_NEVER;
	if (news->refused)
		refuse(news->why.text);
	else if (!take(&news->kept))
		return WHILE_FORKING_NS;
	la_watch_dealt_with();
	return LA_NEVER;
}

void la_reload_refused_at_start(const struct la_policy_error *why)
{
	la_log_policy("refused", "observe", why->text);
	silent_once = true;
}
