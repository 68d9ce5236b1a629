/* SPDX-License-Identifier: MIT */
/*
 * From the words of a command to the binary that will run: PATH as execvp(3), #! lines as the kernel and env(1) read them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "preload.h"

enum { SCRIPTS = 5, LINE = 512 };

static int look_at(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return errno == ENOENT ? LA_EXIT_NOT_FOUND : LA_EXIT_NOT_EXECUTABLE;
	if (!S_ISREG(status.st_mode) || access(path, X_OK) != 0)
		return LA_EXIT_NOT_EXECUTABLE;
	return 0;
}

static int find_in_path(const char *word, char found[4096])
{
	const char *path = getenv("PATH");
	int answer = LA_EXIT_NOT_FOUND;

	if (!path)
		path = "/bin:/usr/bin";
	for (; *word; path++) {
		size_t length = strcspn(path, ":");
		struct stat status;

		if (snprintf(found, 4096, "%.*s%s%s", (int)length, path, length ? "/" : "", word) <
			4096) {
			if (look_at(found) == 0)
				return 0;
			if (stat(found, &status) == 0)
				answer = LA_EXIT_NOT_EXECUTABLE;
		}
		path += length;
		if (!*path)
			break;
	}
	return answer;
}

static size_t next_word(char **at)
{
	*at += strspn(*at, " \t");
	return strcspn(*at, " \t");
}

/*
 * What an env in a #! line runs: the first word that is neither -S nor an assignment. False where env may take LD_PRELOAD out of the
 * environment again; any option but -S counts as that.
 */
static bool command_of_env(char *at, char word[4096])
{
	size_t length = next_word(&at);

	if (strncmp(at, "-S", 2) == 0) {
		at += 2;
		length = next_word(&at);
	}
	while (length && memchr(at, '=', length) && strncmp(at, "LD_PRELOAD=", 11) != 0) {
		at += length;
		length = next_word(&at);
	}
	if (*at == '-' || strncmp(at, "LD_PRELOAD=", 11) == 0)
		return false;
	if (length) /* else env prints its environment, and is what runs */
		snprintf(word, 4096, "%.*s", (int)length, at);
	return true;
}

/* The first bytes of a file, terminated; how many, -1 where it cannot be read. */
static ssize_t read_start(const char *path, char line[LINE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, line, LINE - 1);
	close(fd);
	line[got > 0 ? got : 0] = '\0';
	return got;
}

int la_preload_resolve(const char *command, char binary[4096], char reason[LA_REASON])
{
	bool in_path = !strchr(command, '/');
	char word[4096], line[LINE];
	int depth, status;

	snprintf(word, sizeof(word), "%s", command);
	for (depth = 0; depth <= SCRIPTS; depth++) {
		size_t length;
		ssize_t got;
		char *at, *base;

		if (in_path)
			status = find_in_path(word, binary);
		else
			status = look_at(strcpy(binary, word));
		if (status) {
			snprintf(reason, LA_REASON, "%.200s: %s", word,
				status == LA_EXIT_NOT_FOUND ? "no such command" : "not executable");
			return status;
		}
		got = read_start(binary, line);
		if (got < 3 || line[0] != '#' || line[1] != '!')
			return 0;
		line[strcspn(line, "\n")] = '\0';
		at = line + 2;
		length = next_word(&at);
		snprintf(word, sizeof(word), "%.*s", (int)length, at);
		base = strrchr(word, '/');
		in_path = false;
		if (strcmp(base ? base + 1 : word, "env") != 0)
			continue;
		if (!command_of_env(at + length, word)) {
			snprintf(reason, LA_REASON,
				"%.200s: its #! line gives env options, which may take LD_PRELOAD "
				"away. Name the interpreter there instead, or write lastack run "
				"INTERPRETER SCRIPT",
				binary);
			return LA_EXIT_PRELOAD;
		}
		in_path = !strchr(word, '/');
	}
	snprintf(reason, LA_REASON, "%.200s: scripts that name scripts, too deep", command);
	return LA_EXIT_NOT_EXECUTABLE;
}
