/* SPDX-License-Identifier: MIT */
/*
 * One thread of another process, an instruction at a time; and at which instructions of which functions it stood.
 *
 * This program is a fork of its maker: addresses in both are the same.
 */
#ifndef TORTURE_STEPPING_H
#define TORTURE_STEPPING_H

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "scene.h"

enum { FUNCTIONS = 64, INSTRUCTIONS = 1 << 16 };

struct function {
	char name[64];
	uint32_t instructions, stopped_at;
};
static struct function functions[FUNCTIONS];
static uint32_t functions_count;

/* By offset in the program. */
static uint16_t
	function_at[INSTRUCTIONS *
		    16]; /* index + 1 of those of interest; only where an instruction starts */
static uint8_t visits[INSTRUCTIONS * 16];
static uint32_t places[INSTRUCTIONS], places_count; /* offsets stopped at, in order */

static inline bool is_named(const char *name, const char *const *names)
{
	size_t i, length = strcspn(name, "."); /* .part.0, .constprop.0: pieces of it */

	for (i = 0; names[i]; i++)
		if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
			return true;
	return false;
}

/* The disassembler knows where instructions begin. */
static inline bool learn_instructions(const char *const *names)
{
	char command[600], line[512], path[500] = "";
	bool in_function = false;
	FILE *output;

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return false;
	snprintf(command, sizeof(command), "objdump -d --no-show-raw-insn '%s'", path);
	output = popen(command, "re");
	while (output && fgets(line, sizeof(line), output)) {
		unsigned long at;
		char name[64];

		if (sscanf(line, "%lx <%63[^>]>:", &at, name) == 2) {
			in_function = is_named(name, names) && functions_count < FUNCTIONS;
			if (in_function)
				snprintf(functions[functions_count++].name, 64, "%s", name);
		} else if (in_function && sscanf(line, " %lx:", &at) == 1 && at < sizeof(visits)) {
			/* Padding is passed through, and nothing to stand at. */
			bool padding = strstr(line, "nop") || strstr(line, "xchg   %ax,%ax");

			function_at[at] = (uint16_t)functions_count;
			visits[at] = padding ? 0xff : 0;
			functions[functions_count - 1].instructions += !padding;
		}
	}
	return output && pclose(output) == 0 && functions_count;
}

static inline const char *name_of(uint64_t offset)
{
	return offset < sizeof(visits) && function_at[offset]
		       ? functions[function_at[offset] - 1].name
		       : "elsewhere";
}

static inline bool attach(pid_t thread)
{
	int status;

	return ptrace(PTRACE_SEIZE, thread, NULL, NULL) == 0 &&
	       ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 &&
	       waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status);
}

#define RESUME_FLAG (1ul << 16)
#define USER(field) offsetof(struct user, field)

static inline bool resume(pid_t thread, int how, long signal)
{
	int status;

	return ptrace(how, thread, NULL, signal) == 0 &&
	       waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status);
}

static inline uint64_t where(pid_t thread)
{
	return (uint64_t)ptrace(PTRACE_PEEKUSER, thread, USER(regs.rip), NULL);
}

static inline bool is_ours(uint64_t at)
{
	uint64_t offset = at - (uintptr_t)__executable_start;

	return offset < sizeof(visits) && function_at[offset];
}

static inline uint64_t stack_of(pid_t thread)
{
	return (uint64_t)ptrace(PTRACE_PEEKUSER, thread, USER(regs.rsp), NULL);
}

/* By a breakpoint of the processor: of this thread alone. A handler that passes there has another stack pointer. */
static inline bool run_to(pid_t thread, uint64_t to, uint64_t stack, long signal)
{
	bool here;

	if (ptrace(PTRACE_POKEUSER, thread, USER(u_debugreg[0]), to) != 0 ||
		ptrace(PTRACE_POKEUSER, thread, USER(u_debugreg[7]), 1) != 0)
		return false;
	do
		here = resume(thread, PTRACE_CONT, signal);
	while ((signal = 0, here) && (where(thread) != to || stack_of(thread) != stack));
	ptrace(PTRACE_POKEUSER, thread, USER(u_debugreg[7]), 0);
	return here;
}

/* From the first instruction of what a function of ours called: run until it returns, by a breakpoint of the processor. */
static inline bool skip_call(pid_t thread)
{
	uint64_t sp = stack_of(thread);
	uint64_t back = (uint64_t)ptrace(PTRACE_PEEKDATA, thread, sp, NULL);

	return !is_ours(back) || run_to(thread, back, sp + 8, 0);
}

/* A signal comes here, at the next instruction: its handler runs, and the thread stands where it stood. */
static inline bool interrupt(pid_t thread, int signal)
{
	uint64_t flags = (uint64_t)ptrace(PTRACE_PEEKUSER, thread, USER(regs.eflags), NULL);

	/* Left by the breakpoint that it may have come from: it would pass the next one once. */
	ptrace(PTRACE_POKEUSER, thread, USER(regs.eflags), flags & ~RESUME_FLAG);
	return run_to(thread, where(thread), stack_of(thread), signal);
}

/* Where what is looked at begins, for a thread that is far from it; NULL: it never is. */
static void (*const *entries)(void);

enum { FAR = 100, ENTRIES = 4 };

static inline bool run_to_an_entry(pid_t thread)
{
	int i;

	for (i = 0; i < ENTRIES; i++)
		if (ptrace(PTRACE_POKEUSER, thread, USER(u_debugreg[i]), entries[i]) != 0)
			return true;
	ptrace(PTRACE_POKEUSER, thread, USER(u_debugreg[7]), 0x55);
	if (!resume(thread, PTRACE_CONT, 0))
		return false;
	ptrace(PTRACE_POKEUSER, thread, USER(u_debugreg[7]), 0);
	return true;
}

/* One instruction, or a whole call of what is not looked at. Returns where it stands, as an offset in the program; ~0: it is gone. */
static inline uint64_t step(pid_t thread)
{
	bool was_ours = is_ours(where(thread));
	static uint32_t outside;

	outside = was_ours ? 0 : outside + 1;
	if (entries && outside > FAR) {
		outside = 0;
		return run_to_an_entry(thread) ? where(thread) - (uintptr_t)__executable_start
					       : ~0ull;
	}
	if (!resume(thread, PTRACE_SINGLESTEP, 0))
		return ~0ull;
	if (was_ours && !is_ours(where(thread)) && !skip_call(thread))
		return ~0ull;
	return where(thread) - (uintptr_t)__executable_start;
}

/* Is it worth standing here? */
static inline bool is_new(uint64_t offset, int most_visits)
{
	if (offset >= sizeof(visits) || !function_at[offset] || visits[offset] >= most_visits)
		return false;
	if (!visits[offset]++) {
		functions[function_at[offset] - 1].stopped_at++;
		places[places_count++] = (uint32_t)offset;
	}
	return true;
}

static inline void print_coverage(const char *what)
{
	uint32_t i, instructions = 0;

	for (i = 0; i < functions_count; i++) {
		printf("  %-28s %4u of %4u instructions\n", functions[i].name,
			functions[i].stopped_at, functions[i].instructions);
		instructions += functions[i].instructions;
	}
	printf("%s: stopped at %u of %u instructions of %u functions\n", what, places_count,
		instructions, functions_count);
}

#endif
