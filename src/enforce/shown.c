/* SPDX-License-Identifier: MIT */
/*
 * What the region shows of the policy: the one in force, for `list`, and why a process does not follow its files, for `report`.
 */
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <lastack/sys.h>

#include "internal.h"

enum { TRIES = 20, PAUSE_NS = 5000000 };

/*
 * One for a fork family, and each of its processes takes up changes for itself: whoever is last writes last. The sequence is odd while one
 * writes, and is the lock, too. Its holder may have been killed, so it is waited for only so long; and one that was only stopped finds its
 * number gone when it is done, and writes once more.
 */
void la_show_policy(const struct la_policy *policy)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	const struct timespec pause = {0, PAUSE_NS};
	_Atomic uint32_t *sequence;
	uint32_t mine;
	int tries;

	if (!region || la_region_populate(region->policy, sizeof(*policy)) < 0)
		return;
	sequence = &region->header->policy_sequence;
	for (tries = 0; tries < TRIES; tries++) {
		mine = atomic_load(sequence);
		if ((mine & 1) && tries < TRIES / 2) {
			la_sys(SYS_nanosleep, &pause, NULL);
			continue;
		}
		if (!atomic_compare_exchange_strong(sequence, &mine, (mine + 1) | 1))
			continue;
		mine = (mine + 1) | 1;
		atomic_thread_fence(memory_order_release);
		memcpy(region->policy, policy,
			offsetof(struct la_policy, rules) +
				policy->rules_count * sizeof(policy->rules[0]));
		if (atomic_compare_exchange_strong(sequence, &mine, mine + 1))
			return;
	}
}

void la_show_refusal(const char *why)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint32_t process = (uint32_t)__builtin_ctzll(la_track_my_bit());
	struct la_refusal_record *record;
	uint32_t sequence;

	if (!region || process >= LA_REGION_PROCESSES)
		return;
	record = &region->refusals[process];
	if (la_region_populate(record, sizeof(*record)) < 0)
		return;
	sequence = atomic_load(&record->sequence) | 1;
	atomic_store(&record->sequence, sequence);
	atomic_thread_fence(memory_order_release);
	memset(record->reason, 0, sizeof(record->reason));
	memcpy(record->reason, why, strlen(why));
	atomic_store(&record->since_us, la_now_us());
	atomic_store(&record->started_us,
		*why ? atomic_load(&region->processes[process].started_us) : 0);
	atomic_store(&record->sequence, sequence + 1);
}
