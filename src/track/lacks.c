/* SPDX-License-Identifier: MIT */
/*
 * What is lacking is said once, not for each connection, and not by each child.
 */
#include "internal.h"

static _Atomic uint32_t said;
static void (*on_lack)(enum la_lack lack, int error);

void la_track_on_lack(void (*tell)(enum la_lack lack, int error))
{
	on_lack = tell;
}

void la_track_lacks(enum la_lack lack, int error)
{
	struct la_region *region = atomic_load_explicit(&la_track_region, memory_order_acquire);
	uint32_t bit = 1u << lack;
	bool known = atomic_load_explicit(&said, memory_order_relaxed) & bit;

	if (known || (atomic_fetch_or(&said, bit) & bit) || la_track_is_passive())
		return;
	if (region && (atomic_fetch_or(&region->header->lacking, bit) & bit))
		return; /* by another process of the family */
	if (on_lack)
		on_lack(lack, error);
}

void la_lacks_note(struct la_region *region)
{
	atomic_fetch_or(&region->header->lacking, atomic_load(&said));
}
