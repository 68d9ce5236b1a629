/* SPDX-License-Identifier: MIT */
/*
 * Connections made on stacks that switch by hand, as coroutine libraries have them: the first frame has a return address that leads nowhere, or
 * seems to continue in the frame of who switched, behind the end of the stack. Whoever looks at the callers there must not fall.
 */
#include <sys/mman.h>

#include "transcript.h"

enum { STACK_BYTES = 64 << 10 };

/* A new stack with a hole above it. */
static char *top_of_stack(void)
{
	char *stack = mmap(NULL, STACK_BYTES + 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEEDED(stack != MAP_FAILED);
	NEEDED(mprotect(stack + STACK_BYTES, 4096, PROT_NONE) == 0);
	return stack + STACK_BYTES;
}

static void exchange(void)
{
	char byte = 0;
	int ends[2];

	connection(ends);
	SAY(write(ends[0], "c", 1));
	SAY(read(ends[1], &byte, 1));
	SAY(close(ends[0]));
	SAY(read(ends[1], &byte, 1));
	SAY(close(ends[1]));
}

#ifdef __x86_64__
static void *back[5];

static void body(void)
{
	exchange();
	__builtin_longjmp(back, 1);
}

/* `room`: bytes between the first frame and the hole. */
static __attribute__((noinline)) void jump(uintptr_t return_address, size_t room)
{
	uintptr_t *stack_pointer = (uintptr_t *)(top_of_stack() - room) - 1;

	*stack_pointer = return_address;
	if (!__builtin_setjmp(back))
		__asm__ volatile("mov %0, %%rsp\n\tjmp *%1" ::"r"(stack_pointer), "r"(&body)
				 : "memory");
}

/* No frame pointer: the unwind table finds this function's frame from the stack pointer, which is another's. */
static __attribute__((noinline)) void call(size_t room)
{
	__asm__ volatile(
		"mov %%rsp, %%rbx\n\tmov %0, %%rsp\n\tcall *%1\n\tmov %%rbx, %%rsp"
		:
		: "r"(top_of_stack() - room), "r"(&exchange)
		: "rbx", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
	puts("back");
}

static void switch_stacks(void)
{
	static const uintptr_t nowhere[] = {
		0, 1, 0xdeadbeef, 0x7fffdeadb000, 0xdead0000deadbeef, ~0ul};

	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		jump(nowhere[i], 0);
		jump(nowhere[i], 2048);
	}
	call(0);
	call(16);
	call(64);
}
#else
static void switch_stacks(void)
{
	(void)top_of_stack;
}
#endif

int main(void)
{
	begin();
	exchange();
	switch_stacks();
	return 0;
}
