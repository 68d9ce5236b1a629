/* SPDX-License-Identifier: MIT */
/*
 * Reading a region: the file, its sections, and what they hold; see region_reader.h for what is distrusted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "reader.h"

enum { PID_FORKING = 0x7fffffff, TRIES = 4 };

static int refuse(char error[160], int code, const char *why)
{
	snprintf(error, 160, "%s", why);
	return code;
}

int la_reader_bytes(const struct la_reader *reader, void *to, uint64_t offset, size_t bytes)
{
	char *at = to;

	if (offset > reader->size || bytes > reader->size - offset)
		return -EBADMSG;
	while (bytes) {
		ssize_t got = pread(reader->fd, at, bytes, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) /* 0: it shrank while we read */
			return got < 0 ? -errno : -EBADMSG;
		at += got;
		offset += (uint64_t)got;
		bytes -= (size_t)got;
	}
	return 0;
}

int la_reader_entry(const struct la_reader *reader, enum la_section_id id, uint32_t index, void *to,
	size_t bytes)
{
	const struct la_region_section *section = &reader->header.sections[id];

	return la_reader_bytes(
		reader, to, section->offset + (uint64_t)index * section->stride, bytes);
}

static uint32_t clamp(uint32_t high, uint32_t count, uint32_t most)
{
	uint32_t limit = count < most ? count : most;

	return high < limit ? high : limit;
}

static int check_header(struct la_reader *reader, char error[160])
{
	static const struct {
		size_t bytes;
		uint32_t most;
	} known[LA_REGION_S_COUNT] = {
		[LA_REGION_S_PROCESSES] = {sizeof(struct la_process_record), LA_REGION_PROCESSES},
		[LA_REGION_S_THREADS] = {sizeof(struct la_thread_table), LA_REGION_THREADS},
		[LA_REGION_S_CONNECTIONS] = {sizeof(struct la_connection_record),
			LA_REGION_CONNECTIONS},
		[LA_REGION_S_STACKS] = {sizeof(struct la_stack_record), LA_REGION_STACKS},
		[LA_REGION_S_MODULES] = {sizeof(struct la_module_record), LA_REGION_MODULES},
		[LA_REGION_S_POLICY] = {sizeof(struct la_policy), 1},
		[LA_REGION_S_RULES] = {sizeof(struct la_rule_record), LA_REGION_RULES},
		[LA_REGION_S_REFUSALS] = {sizeof(struct la_refusal_record), LA_REGION_PROCESSES},
	};
	const struct la_region_header *header = &reader->header;
	int i;

	if (header->magic == 0)
		return refuse(error, -EBADMSG, "the region is being made, or is empty: look again");
	if (header->magic != LA_REGION_MAGIC)
		return refuse(error, -EBADMSG, "not a lastack region");
	if (header->version != LA_REGION_VERSION)
		return refuse(error, -ENOTSUP,
			"a region of another version of lastack: read it with that one");
	for (i = 0; i < LA_REGION_S_COUNT; i++) {
		const struct la_region_section *section = &header->sections[i];

		if (section->count == 0 || section->count > known[i].most ||
			section->stride < known[i].bytes || section->stride > 1 << 20 ||
			section->offset < sizeof(*header) || section->offset > reader->size ||
			(uint64_t)section->count * section->stride > reader->size - section->offset)
			return refuse(error, -EBADMSG, "damaged: a section lies outside the file");
	}
	reader->connections = clamp(
		header->connections_high, header->sections[LA_REGION_S_CONNECTIONS].count, ~0u);
	reader->threads =
		clamp(header->threads_high, header->sections[LA_REGION_S_THREADS].count, ~0u);
	reader->stacks =
		clamp(header->stacks_high, header->sections[LA_REGION_S_STACKS].count, ~0u);
	reader->modules =
		clamp(header->modules_high, header->sections[LA_REGION_S_MODULES].count, ~0u);
	return 0;
}

static int open_region(
	struct la_reader *reader, const char *path, struct la_region_copy *copy, char error[160])
{
	struct stat status;
	int result;

	reader->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (reader->fd < 0) {
		result = -errno;
		return refuse(error, result,
			result == -ELOOP ? "a symbolic link: not followed" : strerror(-result));
	}
	if (fstat(reader->fd, &status) < 0 || !S_ISREG(status.st_mode))
		return refuse(error, -EBADMSG, "not a regular file");
	copy->owner_uid = status.st_uid;
	copy->owner_gid = status.st_gid;
	reader->size = (uint64_t)status.st_size;
	if (reader->size < sizeof(reader->header))
		return refuse(error, -EBADMSG, "too short for a lastack region");
	result = la_reader_bytes(reader, &reader->header, 0, sizeof(reader->header));
	if (result < 0)
		return refuse(error, result, "could not be read");
	return check_header(reader, error);
}

static uint64_t now_us(void)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Without an id (its writer had no /proc), an instant that is still to come is the only sign of another boot. */
static bool is_this_boot(const uint8_t id[16], uint64_t created_us)
{
	static const uint8_t none[16];
	char text[64] = "", hex[33] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	size_t at = 0, i;

	if (!file) /* nothing to compare with */
		return true;
	if (memcmp(id, none, sizeof(none)) == 0) {
		fclose(file);
		return created_us <= now_us();
	}
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	for (i = 0; text[i] && at < 32; i++)
		if (text[i] != '-')
			hex[at++] = text[i];
	for (i = 0; i < 16; i++) {
		char byte[3];

		snprintf(byte, sizeof(byte), "%02x", id[i]);
		if (memcmp(byte, hex + i * 2, 2) != 0)
			return false;
	}
	return true;
}

/* State, threads (field 20) and start time (field 22) of a process; false when /proc does not say. */
static bool process_stat(uint32_t pid, char *state, unsigned long *threads, uint64_t *ticks)
{
	char path[40], text[1024], *at;
	FILE *file;
	size_t got;
	int field = 2;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	got = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[got] = '\0';
	at = strrchr(text, ')'); /* the name may hold spaces and brackets */
	if (!at || at[1] != ' ')
		return false;
	*state = at[2];
	while (*at && field < 20)
		if (*at++ == ' ')
			field++;
	*threads = strtoul(at, &at, 10);
	strtol(at, &at, 10);
	*ticks = strtoull(at, NULL, 10);
	return true;
}

static bool is_alive(const struct la_read_process *process)
{
	unsigned long threads = 0;
	uint64_t ticks = 0;
	char state = 0;

	/* Not kill(): a thread of another process may have its number by now. */
	if (syscall(SYS_tgkill, process->pid, process->pid, 0) < 0 && errno == ESRCH)
		return false;
	/* /proc may hide other users' processes (hidepid): then it is enough that the pid is in use. */
	if (!process_stat(process->pid, &state, &threads, &ticks))
		return true;
	/* A main thread that ended by pthread_exit() reads Z as well, while the others serve on. */
	if (state == 'X' || (state == 'Z' && threads <= 1))
		return false;
	return process->start_ticks == 0 || process->start_ticks == ticks;
}

/* Whole only when the sequence is even, and the same before and after; and of this process. */
static int read_refusal(const struct la_reader *reader, struct la_read_process *process)
{
	struct la_refusal_record record;
	uint32_t after = 0, sequence;
	int try, result = 0;
	size_t i;

	if (process->index >= reader->header.sections[LA_REGION_S_REFUSALS].count)
		return 0;
	for (try = 0; try < TRIES; try++) {
		result = la_reader_entry(
			reader, LA_REGION_S_REFUSALS, process->index, &record, sizeof(record));
		sequence = record.sequence;
		if (result == 0)
			result = la_reader_entry(reader, LA_REGION_S_REFUSALS, process->index,
				&after, sizeof(after));
		if (result < 0)
			return result;
		if (sequence == after && !(after & 1))
			break;
	}
	if (try == TRIES || record.started_us == 0 || record.started_us != process->started_us)
		return 0;
	process->refused_us = record.since_us;
	for (i = 0; i < sizeof(process->refusal) - 1 && record.reason[i]; i++)
		process->refusal[i] =
			record.reason[i] < ' ' || record.reason[i] > '~' ? '?' : record.reason[i];
	return 0;
}

static int read_processes(const struct la_reader *reader, struct la_region_copy *copy)
{
	uint32_t count = reader->header.sections[LA_REGION_S_PROCESSES].count, i;

	copy->processes = calloc(count, sizeof(*copy->processes));
	if (!copy->processes)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		struct la_read_process *process = &copy->processes[copy->processes_count];
		struct la_process_record record;
		int result =
			la_reader_entry(reader, LA_REGION_S_PROCESSES, i, &record, sizeof(record));

		if (result < 0)
			return result;
		if (record.pid == 0 || record.pid >= PID_FORKING)
			continue;
		process->index = i;
		process->pid = record.pid;
		process->flags = record.flags;
		process->started_us = record.started_us;
		process->helper_us = record.helper_us;
		process->ended_us = record.ended_us;
		process->start_ticks = record.start_ticks;
		memcpy(process->exe, record.exe, sizeof(record.exe));
		process->exe[sizeof(record.exe)] = '\0';
		result = read_refusal(reader, process);
		if (result < 0)
			return result;
		process->alive = copy->same_boot && is_alive(process);
		copy->processes_count++;
	}
	return 0;
}

static int read_stacks(const struct la_reader *reader, struct la_region_copy *copy)
{
	uint32_t i, f;

	copy->stacks = calloc(reader->stacks + 1, sizeof(*copy->stacks));
	if (!copy->stacks)
		return -ENOMEM;
	copy->stacks_count = reader->stacks;
	for (i = 0; i < reader->stacks; i++) {
		struct la_stack_record record;
		struct la_read_stack *stack = &copy->stacks[i];
		int result =
			la_reader_entry(reader, LA_REGION_S_STACKS, i, &record, sizeof(record));

		if (result < 0)
			return result;
		stack->depth =
			record.depth < LA_REGION_STACK_DEPTH ? record.depth : LA_REGION_STACK_DEPTH;
		for (f = 0; f < stack->depth; f++) {
			stack->frames[f].module = record.frames[f].module <= reader->modules
							  ? record.frames[f].module
							  : 0;
			stack->frames[f].offset = record.frames[f].offset;
		}
	}
	return 0;
}

static int read_modules(const struct la_reader *reader, struct la_region_copy *copy)
{
	uint32_t i;

	copy->modules = calloc(reader->modules + 1, sizeof(*copy->modules));
	if (!copy->modules)
		return -ENOMEM;
	copy->modules_count = reader->modules;
	for (i = 0; i < reader->modules; i++) {
		struct la_module_record record;
		struct la_read_module *module = &copy->modules[i];
		int result =
			la_reader_entry(reader, LA_REGION_S_MODULES, i, &record, sizeof(record));

		if (result < 0)
			return result;
		if (!record.ready)
			continue;
		memcpy(module->path, record.path, sizeof(record.path));
		module->path[sizeof(record.path)] = '\0';
		module->build_id_bytes = record.build_id_bytes <= 20 ? record.build_id_bytes : 0;
		memcpy(module->build_id, record.build_id, 20);
	}
	return 0;
}

static int policy_sequence(const struct la_reader *reader, uint32_t *sequence)
{
	return la_reader_bytes(reader, sequence, offsetof(struct la_region_header, policy_sequence),
		sizeof(*sequence));
}

/* Whole only when the sequence is even, and the same before and after. */
static int read_policy(const struct la_reader *reader, struct la_region_copy *copy)
{
	uint32_t before, after = 0;
	int try, result = 0;

	for (try = 0; try < TRIES && result == 0 && !copy->has_policy; try++) {
		result = policy_sequence(reader, &before);
		if (result == 0)
			result = la_reader_entry(
				reader, LA_REGION_S_POLICY, 0, &copy->policy, sizeof(copy->policy));
		if (result == 0)
			result = policy_sequence(reader, &after);
		copy->has_policy = result == 0 && before == after && !(before & 1) &&
				   la_policy_is_sane(&copy->policy);
	}
	if (!copy->has_policy)
		la_policy_init(&copy->policy);
	return result;
}

static void later(uint64_t *last, uint64_t us)
{
	if (us > *last)
		*last = us;
}

static uint64_t last_instant(const struct la_region_copy *copy)
{
	uint64_t last = copy->created_us;
	uint32_t i, s;

	for (i = 0; i < copy->processes_count; i++) {
		later(&last, copy->processes[i].started_us);
		later(&last, copy->processes[i].helper_us);
		later(&last, copy->processes[i].ended_us);
	}
	for (i = 0; i < copy->connections_count; i++) {
		later(&last, copy->connections[i].opened_us);
		for (s = 0; s < LA_SEEN_COUNT; s++)
			later(&last, copy->connections[i].seen_us[s]);
	}
	return last;
}

int la_region_read(const char *path, struct la_region_copy *copy, char error[160])
{
	struct la_reader reader = {.fd = -1};
	int result;

	memset(copy, 0, sizeof(*copy));
	error[0] = '\0';
	snprintf(copy->path, sizeof(copy->path), "%s", path);
	result = open_region(&reader, path, copy, error);
	if (result == 0) {
		copy->created_us = reader.header.created_us;
		copy->creator_pid = reader.header.creator_pid;
		copy->lacking = reader.header.lacking & ((1u << LA_LACK_COUNT) - 1);
		copy->same_boot = is_this_boot(reader.header.boot_id, reader.header.created_us);
		/* Rows first, records after: see region_reader.h. Modules after stacks, which name them. */
		result = la_reader_rows(&reader, copy);
		if (result == 0)
			result = la_reader_connections(&reader, copy);
		if (result == 0)
			result = read_stacks(&reader, copy);
		if (result == 0)
			result = read_modules(&reader, copy);
		if (result == 0)
			result = read_processes(&reader, copy);
		if (result == 0)
			result = read_policy(&reader, copy);
		if (result == 0)
			result = la_reader_rules(&reader, copy);
		copy->last_us = last_instant(copy);
		if (result < 0)
			refuse(error, result,
				result == -ENOMEM ? "out of memory" : "damaged: it ends too early");
	}
	free(reader.rows);
	if (reader.fd >= 0)
		close(reader.fd);
	if (result < 0)
		la_region_copy_free(copy);
	return result;
}

void la_region_copy_free(struct la_region_copy *copy)
{
	free(copy->processes);
	free(copy->connections);
	free(copy->stacks);
	free(copy->modules);
	free(copy->rules);
	memset(copy, 0, sizeof(*copy));
}
