/* SPDX-License-Identifier: MIT */
/*
 * What region_reader.h promises about every copy of a region, whatever was in the file. For the tests of the reader and the
 * fuzzer.
 */
#ifndef REGION_PROMISES_H
#define REGION_PROMISES_H

#include <string.h>

#include <lastack/region_reader.h>

static inline bool region_process_is_sane(const struct la_read_process *process)
{
	size_t length = strnlen(process->refusal, sizeof(process->refusal));

	for (size_t i = 0; i < length; i++)
		if (process->refusal[i] < ' ' || process->refusal[i] > '~')
			return false;
	return strnlen(process->exe, 65) <= 64 && process->index < LA_REGION_PROCESSES &&
	       process->pid > 0 && process->pid < 0x7fffffff && length < sizeof(process->refusal);
}

static inline bool region_connection_is_sane(
	const struct la_region_copy *region, const struct la_read_connection *connection)
{
	for (int s = 0; s < LA_SEEN_COUNT; s++)
		if (connection->seen_us[s] >> 48)
			return false;
	return connection->phase >= LA_PHASE_OPEN && connection->phase <= LA_PHASE_CLOSED &&
	       connection->index < LA_REGION_CONNECTIONS && connection->flags <= 31 &&
	       connection->facts <= LA_FACT_ALL && !(connection->opened_us >> 48) &&
	       connection->open_stack <= region->stacks_count &&
	       connection->eof_stack <= region->stacks_count &&
	       connection->shutdown_stack <= region->stacks_count &&
	       connection->close_stack <= region->stacks_count && connection->fd >= -1 &&
	       connection->pid <= 0x7fffffff && connection->tid <= 0x7fffffff &&
	       connection->role <= LA_ROLE_LISTENER && connection->ending < LA_ENDING_COUNT &&
	       connection->steps_done <= LA_POLICY_STEPS &&
	       connection->next_action < LA_ACTION_COUNT;
}

static inline bool region_stack_is_sane(
	const struct la_region_copy *region, const struct la_read_stack *stack)
{
	if (stack->depth > LA_REGION_STACK_DEPTH)
		return false;
	for (uint32_t f = 0; f < stack->depth; f++)
		if (stack->frames[f].module > region->modules_count)
			return false;
	return true;
}

static inline bool region_keeps_promises(const struct la_region_copy *region)
{
	if (region->processes_count > LA_REGION_PROCESSES ||
		region->connections_count > LA_REGION_CONNECTIONS ||
		region->stacks_count > LA_REGION_STACKS ||
		region->modules_count > LA_REGION_MODULES ||
		strnlen(region->path, sizeof(region->path)) == sizeof(region->path))
		return false;
	for (uint32_t i = 0; i < region->processes_count; i++)
		if (!region_process_is_sane(&region->processes[i]))
			return false;
	for (uint32_t i = 0; i < region->connections_count; i++)
		if (!region_connection_is_sane(region, &region->connections[i]))
			return false;
	for (uint32_t i = 0; i < region->stacks_count; i++)
		if (!region_stack_is_sane(region, &region->stacks[i]))
			return false;
	for (uint32_t i = 0; i < region->modules_count; i++)
		if (strnlen(region->modules[i].path, 213) > 212 ||
			region->modules[i].build_id_bytes > 20)
			return false;
	return la_policy_is_sane(&region->policy) &&
	       (region->has_policy || !region->policy.rules_count);
}

#endif
