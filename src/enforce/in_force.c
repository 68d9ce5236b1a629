/* SPDX-License-Identifier: MIT */
/*
 * The policy in force, and what of it a hook asks at each close.
 *
 * A policy is swapped by one store and never freed or changed afterwards: who has loaded the pointer may keep it, across a pause of any length.
 */
#include "internal.h"

static const struct la_policy none;
static const struct la_policy *_Atomic in_force = &none;
static _Atomic bool closes, bounds, exits; /* what it has a say in */

const struct la_policy *la_in_force(void)
{
	return atomic_load_explicit(&in_force, memory_order_acquire);
}

void la_in_force_set(const struct la_policy *policy)
{
	if (!policy)
		policy = &none;
	atomic_store_explicit(&in_force, policy, memory_order_release);
	atomic_store(&closes, la_policy_rules_closes(policy));
	atomic_store(&bounds, la_policy_bounds_anything(policy));
	atomic_store(&exits, la_policy_rules_exits(policy));
	if (la_in_force_exits() && !policy->observe)
		la_terminate_guard();
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
