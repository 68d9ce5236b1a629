/* SPDX-License-Identifier: MIT */
/*
 * The policy in force, and what of it a hook asks at each close.
 *
 * A policy is swapped by one store and never freed or changed afterwards: who has loaded the pointer may keep it, across a pause of any length.
 */
#include <string.h>

#include "internal.h"

static const struct la_policy_kept none;
static struct la_policy_kept first;
static const struct la_policy_kept *_Atomic in_force = &none;
static _Atomic bool closes, bounds, exits; /* what it may have a say in */

static const struct la_policy_kept *now(void)
{
	return atomic_load_explicit(&in_force, memory_order_acquire);
}

const struct la_policy *la_in_force(void)
{
	return &now()->policy;
}

const struct la_files_look *la_in_force_files(void)
{
	return &now()->files;
}

void la_in_force_start(const struct la_policy *policy)
{
	if (policy) {
		memcpy(&first.policy, policy,
			offsetof(struct la_policy, rules) +
				policy->rules_count * sizeof(policy->rules[0]));
		first.files = *la_files_at_start();
	}
	la_in_force_swap(&first);
}

void la_in_force_swap(const struct la_policy_kept *kept)
{
	atomic_store_explicit(&in_force, kept, memory_order_release);
	atomic_store(&closes, la_files_watched() || la_policy_rules_closes(&kept->policy));
	atomic_store(&bounds, la_files_watched() || la_policy_bounds_anything(&kept->policy));
	atomic_store(&exits, la_policy_rules_exits(&kept->policy));
	if (la_in_force_exits() && !kept->policy.observe)
		la_terminate_guard();
	else
		la_terminate_unguard();
}

bool la_in_force_closes(void)
{
	return atomic_load_explicit(&closes, memory_order_relaxed);
}

bool la_in_force_bounds(void)
{
	return atomic_load_explicit(&bounds, memory_order_relaxed);
}

bool la_in_force_exits(void)
{
	return atomic_load_explicit(&exits, memory_order_relaxed);
}
