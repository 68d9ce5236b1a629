/* SPDX-License-Identifier: MIT */
/*
 * Inputs of the region's target are lists of changes (scene.h): this mutator adds, alters, times and drops whole changes, aimed
 * at fields, with the values at which readers break.
 */
#include "fuzz.h"
#include "scene.h"

/* libFuzzer's own mutator; once.c has none, and no use for one. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

enum kind { NUMBER, TEXT, WORD, INSTANT };

struct field {
	size_t at, width, stride, count;
	enum kind kind;
};

#define AT(member)    offsetof(struct scene, member), sizeof(((struct scene *)0)->member)
#define ENTRY(member) sizeof(((struct scene *)0)->member[0])
#define ONE(member, kind)              \
	{                              \
		AT(member), 0, 1, kind \
	}
#define EACH(array, field, kind)                                                \
	{                                                                       \
		AT(array[0].field), ENTRY(array),                               \
			sizeof(((struct scene *)0)->array) / ENTRY(array), kind \
	}

static const struct field fields[] = {
	ONE(world.command, NUMBER),
	ONE(world.oddities, NUMBER),
	ONE(world.short_reads, NUMBER),
	ONE(world.owner_uid, NUMBER),
	ONE(world.file_bytes, NUMBER),
	ONE(world.now_us, NUMBER),
	EACH(world.sockets, cookie, NUMBER),
	EACH(world.sockets, state, NUMBER),
	EACH(world.sockets, inode, NUMBER),
	EACH(world.sockets, receive_queue, NUMBER),
	EACH(world.sockets, timer, NUMBER),
	EACH(world.sockets, expires_ms, NUMBER),
	EACH(world.sockets, ack_ms, NUMBER),
	EACH(world.sockets, local_port, NUMBER),
	EACH(world.sockets, there, NUMBER),
	EACH(world.holders, inode, NUMBER),
	EACH(world.holders, pid, NUMBER),
	EACH(world.holders, fd, NUMBER),
	ONE(world.name, TEXT),
	ONE(world.state, NUMBER),
	ONE(world.answer_has, NUMBER),
	ONE(world.answer_cut, NUMBER),
	ONE(world.function, TEXT),
	ONE(world.file, TEXT),
	ONE(world.filter, TEXT),
	ONE(image.header.magic, NUMBER),
	ONE(image.header.version, NUMBER),
	ONE(image.header.boot_id, NUMBER),
	ONE(image.header.created_us, NUMBER),
	EACH(image.header.sections, offset, NUMBER),
	EACH(image.header.sections, count, NUMBER),
	EACH(image.header.sections, stride, NUMBER),
	ONE(image.header.connections_high, NUMBER),
	ONE(image.header.threads_high, NUMBER),
	ONE(image.header.stacks_high, NUMBER),
	ONE(image.header.modules_high, NUMBER),
	ONE(image.header.policy_sequence, NUMBER),
	ONE(image.header.lacking, NUMBER),
	EACH(image.processes, pid, NUMBER),
	EACH(image.processes, flags, NUMBER),
	EACH(image.processes, started_us, NUMBER),
	EACH(image.processes, start_ticks, NUMBER),
	EACH(image.processes, exe, TEXT),
	EACH(image.connections, word, WORD),
	EACH(image.connections, word, WORD),
	EACH(image.connections, holders, NUMBER),
	EACH(image.connections, cookie, NUMBER),
	EACH(image.connections, opened, INSTANT),
	EACH(image.connections, open_stack, NUMBER),
	EACH(image.connections, stack[0], NUMBER),
	EACH(image.connections, pid, NUMBER),
	EACH(image.connections, tid, NUMBER),
	EACH(image.connections, fd, NUMBER),
	EACH(image.connections, own[LA_SEEN_EOF], INSTANT),
	EACH(image.connections, own[LA_SEEN_PEER_FIN], INSTANT),
	EACH(image.connections, own[LA_SEEN_SHUTDOWN], INSTANT),
	EACH(image.connections, own[LA_SEEN_CLOSE], INSTANT),
	EACH(image.connections, own[LA_SEEN_RESET], INSTANT),
	EACH(image.connections, folded[LA_SEEN_OURS_FIRST], INSTANT),
	EACH(image.connections, folded[LA_SEEN_FIN_ACKED], INSTANT),
	EACH(image.connections, folded[LA_SEEN_ENFORCED], INSTANT),
	EACH(image.connections, local, NUMBER),
	EACH(image.connections, remote, NUMBER),
	EACH(image.connections, local_port, NUMBER),
	EACH(image.connections, remote_port, NUMBER),
	EACH(image.connections, role, NUMBER),
	EACH(image.connections, family, NUMBER),
	EACH(image.connections, ending, NUMBER),
	EACH(image.connections, steps_done, NUMBER),
	EACH(image.connections, next_action, NUMBER),
	EACH(image.connections, next_us, NUMBER),
	EACH(image.threads[0].rows, key, NUMBER),
	EACH(image.threads[0].rows, seen[LA_SEEN_EOF], NUMBER),
	EACH(image.threads[0].rows, stack[0], NUMBER),
	EACH(image.threads, counters[LA_COUNT_DROPPED], NUMBER),
	EACH(image.stacks, depth, NUMBER),
	EACH(image.stacks, frames[0].module, NUMBER),
	EACH(image.stacks, frames[1].module, NUMBER),
	EACH(image.stacks, frames[LA_REGION_STACK_DEPTH - 1].module, NUMBER),
	EACH(image.stacks, frames[0].offset, NUMBER),
	EACH(image.modules, ready, NUMBER),
	EACH(image.modules, build_id_bytes, NUMBER),
	EACH(image.modules, path, TEXT),
	ONE(image.policy.rules_count, NUMBER),
	ONE(image.policy.observe, NUMBER),
	ONE(image.policy.name, TEXT),
	EACH(image.policy.rules, section, NUMBER),
	EACH(image.policy.rules, name, TEXT),
	EACH(image.policy.rules, match.fields, NUMBER),
	EACH(image.policy.rules, match.local.bits, NUMBER),
	EACH(image.policy.rules, match.exe, TEXT),
	EACH(image.policy.rules, steps_count, NUMBER),
	EACH(image.policy.rules, steps[0].after_ns, NUMBER),
	EACH(image.policy.rules, steps[1].action, NUMBER),
	EACH(image.policy.rules, action, NUMBER),
	EACH(image.rules, state, NUMBER),
	EACH(image.rules, section, NUMBER),
	EACH(image.rules, name, TEXT),
	EACH(image.rules, acted[LA_ACTION_RESET][LA_ACTED_OK], NUMBER),
	EACH(image.refusals, sequence, NUMBER),
	EACH(image.refusals, started_us, NUMBER),
	EACH(image.refusals, since_us, NUMBER),
	EACH(image.refusals, reason, TEXT),
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static const uint64_t numbers[] = {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 20, 21, 62, 63, 64, 127, 128,
	255, 256, 700, 701, 4095, 4096, 0x1000, 0x1001, 0x1003, 0x7fff, 0xffff, 0x10000,
	FIRST_LIVING, FIRST_LIVING + 1, 1 << 20, 0x7ffffffe, 0x7fffffff, 0x80000000, 0xffffffff,
	(1ull << 48) - 1, 1ull << 63, ~0ull, sizeof(struct image), offsetof(struct image, policy),
	offsetof(struct image, connections), sizeof(struct la_region_header),
	sizeof(struct la_connection_record), sizeof(struct la_stack_record),
	sizeof(struct la_thread_table), sizeof(struct la_module_record), sizeof(struct la_policy)};
enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static const char *const texts[] = {"\x1b[2J", "\x9b", "\n", "\xe2\x80\xae", "\xf0\x9f\x92\xa9",
	"\xc3", "/", "/proc/self/exe", "age > 1s", "verdict L1", ") Z 1 2", "\xc2\x85", "%n%s",
	"\"\\"};
enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

static uint64_t state;

static uint32_t below(uint32_t limit)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) % limit);
}

static uint64_t number(void)
{
	uint64_t found = numbers[below(NUMBERS)];

	switch (below(8)) {
	case 0: return found + 1;
	case 1: return found - 1;
	case 2: return below(32);
	case 3: return (uint64_t)below(~0u) << 32 | below(~0u);
	default: return found;
	}
}

/* Somewhere in it a piece that does harm; behind it an end, or one elsewhere, or none. */
static void put_text(uint8_t *bytes, size_t width)
{
	const char *piece = texts[below(TEXTS)];
	size_t at = below(2) ? 0 : below((uint32_t)width), length = strlen(piece);

	if (length > width - at)
		length = width - at;
	memset(bytes, 'a', width);
	memcpy(bytes + at, piece, length);
	if (below(2) && at + length < width)
		bytes[at + length] = '\0';
	else if (below(2))
		bytes[below((uint32_t)width)] = '\0';
}

static void fill(const struct field *field, uint8_t *bytes, size_t width)
{
	uint64_t value = number();

	switch (field->kind) {
	case TEXT: put_text(bytes, width); return;
	case WORD:
		value = LA_WORD_MAKE(GENERATION, below(LA_PHASE_CLOSED + 2), 1u << below(6));
		break;
	case INSTANT:
		value = LA_INSTANT_MAKE(GENERATION, below(4) ? below(12) * 1000000ull : value);
		break;
	default: break;
	}
	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> i % 8 * 8);
}

/* Where a change begins: the one that holds the byte `near`. Its length in *bytes; `size` when there is none. */
static size_t change_at(const uint8_t *data, size_t size, size_t near, size_t *bytes)
{
	for (size_t at = 0; at + CHANGE_HEAD <= size; at += *bytes) {
		*bytes = CHANGE_HEAD + data[at + 3] % CHANGE_BYTES + 1;
		if (*bytes > size - at)
			*bytes = size - at;
		if (near < at + *bytes)
			return at;
	}
	return size;
}

/* What is added must begin where the last change ends: that one may say that it is longer than it is. */
static size_t only_whole(uint8_t *data, size_t size)
{
	size_t at = 0, bytes;

	while (at + CHANGE_HEAD < size) {
		bytes = data[at + 3] % CHANGE_BYTES + 1;
		if (bytes > size - at - CHANGE_HEAD) {
			bytes = size - at - CHANGE_HEAD;
			data[at + 3] = (uint8_t)(bytes - 1);
		}
		at += CHANGE_HEAD + bytes;
	}
	return at < size ? at : size;
}

static size_t drop(uint8_t *data, size_t size)
{
	size_t bytes, at = size ? change_at(data, size, below((uint32_t)size), &bytes) : size;

	if (at == size)
		return 0;
	memmove(data + at, data + at + bytes, size - at - bytes);
	return size - bytes;
}

static size_t add(uint8_t *data, size_t size, size_t most)
{
	const struct field *field = &fields[below(FIELDS)];
	/* The first entries matter more: the others are mostly not looked at. */
	size_t entry = below(below(4) ? (field->count < 8 ? (uint32_t)field->count : 8)
				      : (uint32_t)field->count);
	size_t width = field->width < CHANGE_BYTES ? field->width : CHANGE_BYTES;
	size_t at = field->at + entry * field->stride;
	uint8_t *to = data + size;

	if (size + CHANGE_HEAD + width > most)
		return drop(data, size);
	if (field->width > CHANGE_BYTES && below(2))
		at += field->width - CHANGE_BYTES; /* its end, where a NUL would be */
	to[0] = (uint8_t)at;
	to[1] = (uint8_t)(at >> 8);
	to[2] = below(8) ? 0 : (uint8_t)(1 + below(48));
	to[3] = (uint8_t)(width - 1);
	fill(field, to + CHANGE_HEAD, width);
	return size + CHANGE_HEAD + width;
}

/* The bytes of one change, or when it comes. */
static size_t alter(uint8_t *data, size_t size)
{
	size_t bytes, at = size ? change_at(data, size, below((uint32_t)size), &bytes) : size;

	if (at == size || bytes <= CHANGE_HEAD)
		return size;
	if (below(6) == 0)
		data[at + 2] = below(2) ? 0 : (uint8_t)(1 + below(48));
	else
		LLVMFuzzerMutate(data + at + CHANGE_HEAD, bytes - CHANGE_HEAD, bytes - CHANGE_HEAD);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed)
{
	state = seed;
	size = only_whole(data, size);
	switch (below(16)) {
	case 0: return size ? LLVMFuzzerMutate(data, size, most) : add(data, size, most);
	case 1:
	case 2: return drop(data, size);
	case 3:
	case 4:
	case 5:
	case 6: return alter(data, size);
	case 7: size = add(data, size, most); /* fall through */
	default: return add(data, size, most);
	}
}
