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

enum { SCRIPTS = 5, VERIFY_MS = 10000, OUTPUT = 64 * 1024 };

/* As execvp: a word without slash is looked for in PATH. */
static int find_in_path(const char *word, char found[4096])
{
	const char *path = getenv("PATH");
	bool denied = false;

	if (strchr(word, '/')) {
		snprintf(found, 4096, "%s", word);
		if (access(found, F_OK) != 0)
			return 127;
		return access(found, X_OK) == 0 ? 0 : 126;
	}
	if (!path)
		path = "/bin:/usr/bin";
	for (;;) {
		size_t length = strcspn(path, ":");
		struct stat status;

		snprintf(found, 4096, "%.*s%s%.255s", (int)(length < 3800 ? length : 3800), path,
			length ? "/" : "", word);
		if (stat(found, &status) == 0 && S_ISREG(status.st_mode)) {
			if (access(found, X_OK) == 0)
				return 0;
			denied = true;
		}
		path += length;
		if (!*path)
			break;
		path++;
	}
	return denied ? 126 : 127;
}

int la_preload_resolve(const char *command, char binary[4096], char reason[LA_REASON])
{
	char word[4096];
	int depth, status;

	snprintf(word, sizeof(word), "%s", command);
	for (depth = 0; depth <= SCRIPTS; depth++) {
		char line[512] = "", *at, *end, *base;
		ssize_t got;
		int fd;

		status = find_in_path(word, binary);
		if (status) {
			snprintf(reason, LA_REASON, "%.200s: %s", word,
				status == 127 ? "no such command" : "not executable");
			return status;
		}
		fd = open(binary, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0) /* executable and not readable: the kernel can, we cannot look */
			return 0;
		got = read(fd, line, sizeof(line) - 1);
		close(fd);
		if (got < 3 || line[0] != '#' || line[1] != '!')
			return 0;
		line[strcspn(line, "\n")] = '\0';
		at = line + 2 + strspn(line + 2, " \t");
		end = at + strcspn(at, " \t");
		base = strrchr(at, '/');
		/* #!/usr/bin/env python3: what matters is what env will run. */
		if (base && strncmp(base, "/env", 4) == 0 && base + 4 == end && *end) {
			at = end + strspn(end, " \t");
			if (strncmp(at, "-S", 2) == 0)
				at += 2 + strspn(at + 2, " \t");
			end = at + strcspn(at, " \t");
		}
		*end = '\0';
		snprintf(word, sizeof(word), "%s", at);
	}
	snprintf(reason, LA_REASON, "%.200s: scripts that name scripts, too deep", command);
	return 126;
}

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

static bool changes_identity(const char *binary, char reason[LA_REASON])
{
	struct stat status;

	if (stat(binary, &status) != 0)
		return false;
	if (((status.st_mode & S_ISUID) && status.st_uid != geteuid()) ||
		((status.st_mode & S_ISGID) && status.st_gid != getegid())) {
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
	if (access(binary, R_OK) != 0) /* the loader has the last word */
		return !changes_identity(binary, reason);
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
	} else {
		possible = !changes_identity(binary, reason);
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

bool la_preload_verify(const char *binary, const char *shim, char reason[LA_REASON])
{
	static char output[OUTPUT];
	int pipe_ends[2];
	bool loaded = false;
	const char *words;
	pid_t child;

	if (pipe2(pipe_ends, O_CLOEXEC) < 0) {
		snprintf(reason, LA_REASON, "cannot look whether it loads: %s", strerror(errno));
		return false;
	}
	child = fork();
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
	if (child > 0 && !listen_to(pipe_ends[0], output, sizeof(output)))
		kill(child, SIGKILL);
	close(pipe_ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	words = strstr(output, "cannot be preloaded");
	if (!words)
		loaded = strstr(output, shim) != NULL;
	if (!loaded) {
		char *safe;

		while (words && words > output && words[-1] != '\n')
			words--;
		safe = la_safe(
			words ? words
			      : "its loader does not list liblastack.so among what it loads");
		if (safe)
			safe[strcspn(safe, "\n")] = '\0';
		snprintf(reason, LA_REASON, "%.100s would run without lastack: %.300s", binary,
			safe ? safe : "?");
		free(safe);
	}
	return loaded;
}
