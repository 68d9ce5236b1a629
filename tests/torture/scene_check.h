/* SPDX-License-Identifier: MIT */
/*
 * Is what a region shows true? For a reader of its own, of the file as the command reads it.
 */
#ifndef TORTURE_SCENE_CHECK_H
#define TORTURE_SCENE_CHECK_H

/* What must be there, taken before the region is read. */
struct must {
	uint32_t id, told;
};

extern const char __start_text_even[], __stop_text_even[], __start_text_odd[], __stop_text_odd[];
extern const char __executable_start[];

static inline bool stack_is_in(
	const struct la_region_copy *copy, uint32_t id, const char *start, const char *stop)
{
	const struct la_read_stack *stack = &copy->stacks[id - 1];
	uint32_t i;

	for (i = 0; i < stack->depth; i++) {
		const char *at = __executable_start + stack->frames[i].offset;

		if (at > start && at <= stop)
			return true;
	}
	return false;
}

static inline void check_stack(const struct la_region_copy *copy, uint32_t connection_id,
	uint32_t stack, bool seen, const char *what)
{
	if (!stack || stack > copy->stacks_count || !copy->stacks[stack - 1].depth)
		return;
	if (!seen)
		fail("connection %u shows a stack of %s, which it never saw", connection_id, what);
	else if (connection_id & 1 ? stack_is_in(copy, stack, __start_text_even, __stop_text_even)
				   : stack_is_in(copy, stack, __start_text_odd, __stop_text_odd))
		fail("connection %u shows a stack of %s that another's fact was told on",
			connection_id, what);
}

static inline void check_names(const struct la_read_connection *shown, uint32_t id)
{
	struct identity *is = &scene->identities[id];

	if (shown->cookie != atomic_load(&is->cookie))
		fail("torn: the address of connection %u with the cookie %lu, which is not %lu", id,
			shown->cookie, atomic_load(&is->cookie));
	else if (shown->local_port != atomic_load(&is->port))
		fail("torn: the address of connection %u with another's port", id);
	else if (shown->tid != atomic_load(&is->tid))
		fail("torn: connection %u was opened by thread %u, not %u", id,
			atomic_load(&is->tid), shown->tid);
	else if (shown->fd >= 0 && shown->fd != atomic_load(&is->fd))
		fail("torn: connection %u is number %d, not %d", id, atomic_load(&is->fd),
			shown->fd);
	else if (shown->role != LA_ROLE_CLIENT || shown->family != 4 || !shown->opened_us)
		fail("torn: connection %u is half filled", id);
}

static inline void check_connection(const struct la_region_copy *copy,
	const struct la_read_connection *shown, const struct must *musts, int count)
{
	uint32_t address, id, may;
	int s, i;

	memcpy(&address, shown->local + 12, 4);
	id = ntohl(address) - FIRST_ADDRESS;
	if (id == 0 || id > atomic_load(&scene->ids)) {
		fail("torn: an address that nobody has");
		return;
	}
	check_names(shown, id);
	may = may_be_told(id) | 1u << LA_SEEN_CLOSE;
	for (s = 0; s < LA_SEEN_COUNT; s++) {
		if (shown->seen_us[s] && !(may >> s & 1))
			fail("connection %u has a fact (%d) that is another's", id, s);
		if (shown->seen_us[s] && shown->seen_us[s] < shown->opened_us)
			fail("connection %u has a fact (%d) from before it was opened", id, s);
		atomic_fetch_add(&scene->facts, shown->seen_us[s] != 0);
	}
	for (i = 0; i < count; i++)
		for (s = 0; musts[i].id == id && s < LA_SEEN_COUNT; s++)
			if (musts[i].told >> s & 1 && !shown->seen_us[s])
				fail("connection %u lost a fact (%d)", id, s);
	/* A folded fact has left its stack behind: then there is none. */
	check_stack(copy, id, shown->eof_stack, may >> LA_SEEN_EOF & 1, "the EOF");
	check_stack(copy, id, shown->shutdown_stack, may >> LA_SEEN_SHUTDOWN & 1, "the shutdown");
	atomic_fetch_add(&scene->shown, 1);
}

static inline void check_region(void)
{
	struct must musts[WORKERS * HELD];
	struct la_region_copy copy;
	char error[160];
	uint32_t c;
	int w, h, count = 0;

	for (w = 0; w < WORKERS; w++) {
		for (h = 0; h < HELD; h++) {
			uint32_t id = atomic_load(&scene->workers[w].board[h]);

			musts[count].id = id;
			musts[count++].told = id ? atomic_load(&scene->identities[id].told) : 0;
		}
	}
	if (la_region_read(scene->region, &copy, error) != 0) {
		fail("the region cannot be read: %s", error);
		return;
	}
	for (c = 0; c < copy.connections_count; c++)
		check_connection(&copy, &copy.connections[c], musts, count);
	la_region_copy_free(&copy);
	atomic_fetch_add(&scene->reads, 1);
}

static inline void *read_on(void *unused)
{
	(void)unused;
	while (!atomic_load(&scene->over)) {
		wait_for_goal(&scene->reads, &scene->reads_goal);
		check_region();
	}
	return NULL;
}

#endif
