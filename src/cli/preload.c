/* SPDX-License-Identifier: MIT */
/*
 * Can a program be preloaded, and is it really? A preload fails open: the program runs, unprotected, and nobody notices. So the
 * obstacles are looked for in the file, and then its own loader is asked.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "preload.h"

enum { VERIFY_MS = 10000, OUTPUT = 64 * 1024, LOADER_BYTES = 4 << 20 };

static bool read_header(const char *path, Elf64_Ehdr *header, int *fd)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return *fd >= 0 && read(*fd, header, sizeof(*header)) == (ssize_t)sizeof(*header) &&
	       memcmp(header->e_ident, ELFMAG, SELFMAG) == 0;
}

/* The program interpreter of a 64-bit ELF file, "" when there is none. */
static void read_interpreter(int fd, const Elf64_Ehdr *header, char interpreter[256])
{
	int i;

	interpreter[0] = '\0';
	for (i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment;
		ssize_t got;

		if (pread(fd, &segment, sizeof(segment),
			    (off_t)(header->e_phoff + (uint64_t)i * sizeof(segment))) !=
			(ssize_t)sizeof(segment))
			return;
		if (segment.p_type != PT_INTERP)
			continue;
		got = pread(fd, interpreter, segment.p_filesz < 255 ? segment.p_filesz : 255,
			(off_t)segment.p_offset);
		interpreter[got > 0 ? got : 0] = '\0';
		return;
	}
}

/*
 * Only a loader of glibc's stops before the program when it is asked to by LD_TRACE_LOADED_OBJECTS; another one would run it. A missing one is
 * left to the kernel's words.
 */
static bool is_glibc_loader(const char *path)
{
	static const char word[] = "TRACE_LOADED_OBJECTS";
	static char text[LOADER_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t filled = 0;
	ssize_t got = 0;

	if (fd < 0)
		return errno == ENOENT;
	while (filled < sizeof(text) && (got = read(fd, text + filled, sizeof(text) - filled)) > 0)
		filled += (size_t)got;
	close(fd);
	return memmem(text, filled, word, sizeof(word) - 1) != NULL;
}

static bool changes_identity(const char *binary, char reason[LA_REASON])
{
	struct stat status;

	if (stat(binary, &status) != 0)
		return false;
	/* Without the group's execute bit set-group-ID means locking: the kernel ignores it. */
	if (((status.st_mode & S_ISUID) && status.st_uid != geteuid()) ||
		((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
			status.st_gid != getegid())) {
		snprintf(reason, LA_REASON,
			"%.200s is setuid or setgid: the loader ignores LD_PRELOAD there. Start it "
			"as the user that it turns into",
			binary);
		return true;
	}
	if (getxattr(binary, "security.capability", NULL, 0) > 0 && geteuid() != 0) {
		snprintf(reason, LA_REASON,
			"%.200s has file capabilities: the loader ignores LD_PRELOAD there. Give "
			"them by AmbientCapabilities= of its unit instead of setcap",
			binary);
		return true;
	}
	return false;
}

bool la_preload_possible(const char *binary, const char *shim, char reason[LA_REASON])
{
	Elf64_Ehdr program, own;
	char interpreter[256];
	int program_fd, shim_fd;
	bool possible = false;

	if (!read_header(shim, &own, &shim_fd)) {
		snprintf(reason, LA_REASON,
			"%.200s is no shared object: build or install lastack again", shim);
		return false;
	}
	close(shim_fd);
	if (changes_identity(binary, reason))
		return false;
	if (access(binary, R_OK) != 0) {
		/* Asking its loader would run it, if it is static. */
		snprintf(reason, LA_REASON,
			"%.200s cannot be read, so whether it can be preloaded cannot be told. "
			"Make "
			"it readable for this user",
			binary);
		return false;
	}
	if (!read_header(binary, &program, &program_fd)) {
		snprintf(reason, LA_REASON, "%.200s is no ELF program, and no script either",
			binary);
	} else if (program.e_ident[EI_CLASS] != own.e_ident[EI_CLASS] ||
		   program.e_machine != own.e_machine) {
		snprintf(reason, LA_REASON,
			"%.200s is built for another machine or word size than liblastack.so: "
			"build lastack for that one too",
			binary);
	} else if (read_interpreter(program_fd, &program, interpreter), !interpreter[0]) {
		snprintf(reason, LA_REASON,
			"%.200s is statically linked: nothing can be preloaded into it. Use a "
			"dynamically linked build (Go: none helps)",
			binary);
	} else if (strstr(interpreter, "ld-musl")) {
		snprintf(reason, LA_REASON,
			"%.200s is linked with musl: liblastack.so needs glibc. Use a glibc build",
			binary);
	} else if (!is_glibc_loader(interpreter)) {
		snprintf(reason, LA_REASON,
			"%.200s is loaded by %.200s, which is not glibc's loader: liblastack.so "
			"needs glibc. Use a glibc build",
			binary, interpreter);
	} else {
		possible = true;
	}
	if (program_fd >= 0)
		close(program_fd);
	return possible;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What the child says until it ends, cut to fit; false after the time limit. */
static bool listen_to(int fd, char *output, size_t room)
{
	long until = now_ms() + VERIFY_MS;
	size_t filled = 0;

	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		long left = until - now_ms();
		char more[4096];
		ssize_t got;

		if (left <= 0)
			return false;
		if (poll(&wait, 1, (int)left) <= 0)
			continue;
		got = read(fd, more, sizeof(more));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if ((size_t)got > room - 1 - filled)
			got = (ssize_t)(room - 1 - filled);
		memcpy(output + filled, more, (size_t)got);
		filled += (size_t)got;
	}
	output[filled] = '\0';
	return true;
}

/* A copy of the line of `output` that has `words` in it; NULL when there is none. */
static char *line_with(const char *output, const char *words)
{
	const char *at = strstr(output, words);

	if (!at)
		return NULL;
	while (at > output && at[-1] != '\n')
		at--;
	return strndup(at, strcspn(at, "\n"));
}

bool la_preload_verify(const char *binary, const char *shim, bool *asan, char reason[LA_REASON])
{
	static char output[OUTPUT];
	char words[4096], *line;
	int pipe_ends[2];
	bool in_time = true;
	pid_t child;

	if (pipe2(pipe_ends, O_CLOEXEC) < 0 || (child = fork()) < 0) {
		snprintf(reason, LA_REASON, "cannot ask the loader of %.200s: %s", binary,
			strerror(errno));
		return false;
	}
	if (child == 0) {
		int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

		dup2(nothing, 0);
		dup2(pipe_ends[1], 1);
		dup2(pipe_ends[1], 2);
		setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
		execl(binary, binary, (char *)NULL);
		_exit(126);
	}
	close(pipe_ends[1]);
	if (!listen_to(pipe_ends[0], output, sizeof(output))) {
		kill(child, SIGKILL);
		in_time = false;
	}
	close(pipe_ends[0]);
	waitpid(child, NULL, 0);
	if (!in_time) {
		snprintf(reason, LA_REASON, "the loader of %.200s has not answered in %d seconds",
			binary, VERIFY_MS / 1000);
		return false;
	}
	/* As ldd: TAB, path, address in parentheses. Another's preload that fails is the loader's business. */
	snprintf(words, sizeof(words), "\t%.4000s (0x", shim);
	*asan = strstr(output, "libasan.so") || strstr(output, "libclang_rt.asan");
	if (strstr(output, words))
		return true;
	snprintf(words, sizeof(words), "'%.4000s' from LD_PRELOAD cannot be preloaded", shim);
	line = line_with(output, words);
	snprintf(reason, LA_REASON, "%.100s would run without lastack: %.350s", binary,
		line ? line : "its loader does not list liblastack.so among what it loads");
	free(line);
	return false;
}
