/* SPDX-License-Identifier: MIT */
/*
 * A library that stands in front of liblastack.so (LD_PRELOAD="witness.so liblastack.so") and notes which functions of calls.def a real
 * program calls: one byte for each, in the order of the table, in the file that WITNESS names. 1: the call went on to
 * liblastack.so; 2: it went past it.
 *
 * Each function is a jump that leaves every register and the stack as they were, so that it may stand before fork, clone and all that take
 * a variable number of arguments. Only the first call of each stops to look.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <lastack/sys.h>

enum {
#define NAME(name)                                NUMBER_##name,
#define CALL(result, name, parameters, before)    NAME(name)
#define LIBC(result, name, parameters, arguments) NAME(name)
#define LIBC_VOID(name, parameters, arguments)    NAME(name)
#define VARIADIC(result, name, parameters)        NAME(name)
#define FORM(name)                                NAME(name)
#include "../../../src/shim/calls.def"
#undef NAME
	COUNT
};

struct entry {
	void *next; /* what the function jumps to; the assembly knows that this comes first */
	const char *name;
	int number;
};

static unsigned char *seen;

/* WITNESS_OF: only this program counts, not the shell that started it, nor what it starts. */
static int is_asked_about(void)
{
	const char *asked = getenv("WITNESS_OF");
	char path[4096];
	long length = la_sys(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", path, sizeof(path));

	return !asked ||
	       (length == (long)strlen(asked) && memcmp(path, asked, (size_t)length) == 0);
}

/* No call that is hooked, none that could be interposed. */
__attribute__((constructor)) static void open_file(void)
{
	const char *path = is_asked_about() ? getenv("WITNESS") : NULL;
	long fd =
		path ? la_sys(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;

	if (fd < 0)
		return;
	if (la_sys(SYS_ftruncate, fd, COUNT) == 0)
		seen = mmap(NULL, COUNT, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
	if (seen == MAP_FAILED)
		seen = NULL;
	la_sys(SYS_close, fd);
}

/* Called by first_call below, with the caller's arguments out of the way. */
__attribute__((used, visibility("hidden"))) void *witness_look(struct entry *entry)
{
	int saved = errno;
	void *next = dlsym(RTLD_NEXT, entry->name);
	Dl_info info = {0};

	if (!seen)
		open_file(); /* a constructor that came before ours */
	if (!next)
		abort();
	if (seen && dladdr(next, &info) && info.dli_fname)
		seen[entry->number] = strstr(info.dli_fname, "liblastack.so") ? 1 : 2;
	entry->next = next;
	errno = saved;
	return next;
}

/* r11 holds the entry. */
__asm__(".text\n"
	"witness_first_call:\n"
	"	push %rax; push %rdi; push %rsi; push %rdx; push %rcx; push %r8; push %r9\n"
	"	sub $128, %rsp\n"
	"	movups %xmm0, (%rsp); movups %xmm1, 16(%rsp); movups %xmm2, 32(%rsp)\n"
	"	movups %xmm3, 48(%rsp); movups %xmm4, 64(%rsp); movups %xmm5, 80(%rsp)\n"
	"	movups %xmm6, 96(%rsp); movups %xmm7, 112(%rsp)\n"
	"	mov %r11, %rdi\n"
	"	call witness_look\n"
	"	mov %rax, %r11\n"
	"	movups (%rsp), %xmm0; movups 16(%rsp), %xmm1; movups 32(%rsp), %xmm2\n"
	"	movups 48(%rsp), %xmm3; movups 64(%rsp), %xmm4; movups 80(%rsp), %xmm5\n"
	"	movups 96(%rsp), %xmm6; movups 112(%rsp), %xmm7\n"
	"	add $128, %rsp\n"
	"	pop %r9; pop %r8; pop %rcx; pop %rdx; pop %rsi; pop %rdi; pop %rax\n"
	"	jmp *%r11\n");

#define NAME(name)                                                                             \
	extern char first_of_##name[] __attribute__((visibility("hidden")));                   \
	__attribute__((visibility("hidden"))) struct entry entry_of_##name = {                 \
		first_of_##name, #name, NUMBER_##name};                                        \
	__asm__(".globl " #name "\n.type " #name ",@function\n" #name ":\n"                    \
		"	jmp *entry_of_" #name "(%rip)\n"                                       \
		".hidden first_of_" #name "\n.globl first_of_" #name "\nfirst_of_" #name ":\n" \
		"	lea entry_of_" #name "(%rip), %r11\n"                                  \
		"	jmp witness_first_call\n");
#include "../../../src/shim/calls.def"
