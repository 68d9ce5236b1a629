/* SPDX-License-Identifier: MIT */
/*
 * Asking the child that symbolizes: one question, one answer, and a limit of time.
 */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbolizer.h"

enum { TEXT = 2048, ANSWER_MS = 30000 }; /* the debug information of a large server takes seconds */

struct question {
	uint32_t module; /* index */
	uint64_t offset;
};

struct answer {
	int32_t line;
	uint8_t has_function, has_file; /* no bool: a stranger may write any value */
	char function[TEXT], file[TEXT];
};

struct known {
	struct known *next;
	struct question question;
	struct answer answer;
};

struct la_symbols {
	const struct la_region_copy *region;
	struct known *known;
	pid_t child; /* 0: none */
	int channel;
};

/* As harmless as it can be; false when it cannot. */
static bool step_down(const struct la_region_copy *region)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	unsetenv("DEBUGINFOD_URLS"); /* libdwfl would ask the network */
	if (geteuid() == 0 && region->owner_uid != 0 &&
		(setgroups(0, NULL) < 0 ||
			setresgid(region->owner_gid, region->owner_gid, region->owner_gid) < 0 ||
			setresuid(region->owner_uid, region->owner_uid, region->owner_uid) < 0))
		return false;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static void copy_text(char to[TEXT], const char *from)
{
	size_t length = strnlen(from, TEXT - 1);

	memcpy(to, from, length);
}

static void serve(const struct la_region_copy *region, int channel)
{
	struct la_symbolizer *symbolizer = step_down(region) ? la_symbolizer_new(region) : NULL;
	struct question question;

	if (!symbolizer)
		return;
	while (recv(channel, &question, sizeof(question), 0) == (ssize_t)sizeof(question)) {
		struct la_symbol symbol = {.line = 0};
		struct answer answer = {.line = 0};

		la_symbolizer_find(symbolizer, question.module, question.offset, &symbol);
		answer.line = symbol.line;
		answer.has_function = symbol.function != NULL;
		answer.has_file = symbol.file != NULL;
		if (symbol.function)
			copy_text(answer.function, symbol.function);
		if (symbol.file)
			copy_text(answer.file, symbol.file);
		if (send(channel, &answer, sizeof(answer), MSG_NOSIGNAL) != (ssize_t)sizeof(answer))
			return;
	}
}

static void start(struct la_symbols *symbols)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	symbols->child = fork();
	if (symbols->child == 0) {
		close(ends[0]);
		serve(symbols->region, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	if (symbols->child < 0) {
		symbols->child = 0;
		close(ends[0]);
		return;
	}
	symbols->channel = ends[0];
}

static void stop(struct la_symbols *symbols)
{
	if (!symbols->child)
		return;
	close(symbols->channel);
	kill(symbols->child, SIGKILL);
	while (waitpid(symbols->child, NULL, 0) < 0 && errno == EINTR)
		;
	symbols->child = 0;
}

struct la_symbols *la_symbols_new(const struct la_region_copy *region)
{
	struct la_symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return NULL;
	symbols->region = region;
	start(symbols);
	return symbols;
}

static bool receive(struct la_symbols *symbols, struct answer *answer)
{
	struct pollfd wait = {.fd = symbols->channel, .events = POLLIN};
	int ready;

	do
		ready = poll(&wait, 1, ANSWER_MS);
	while (ready < 0 && errno == EINTR);
	if (ready != 1 || recv(symbols->channel, answer, sizeof(*answer), MSG_DONTWAIT) !=
				  (ssize_t)sizeof(*answer))
		return false;
	/* The child has read what a stranger wrote: it is one itself. */
	answer->function[TEXT - 1] = answer->file[TEXT - 1] = '\0';
	return true;
}

static const struct known *ask(struct la_symbols *symbols, const struct question *question)
{
	struct known *known;

	for (known = symbols->known; known; known = known->next)
		if (known->question.module == question->module &&
			known->question.offset == question->offset)
			return known;
	if (!symbols->child)
		return NULL;
	known = calloc(1, sizeof(*known));
	if (!known)
		return NULL;
	known->question = *question;
	if (send(symbols->channel, question, sizeof(*question), MSG_NOSIGNAL) !=
			(ssize_t)sizeof(*question) ||
		!receive(symbols, &known->answer)) {
		free(known);
		stop(symbols);
		return NULL;
	}
	known->next = symbols->known;
	symbols->known = known;
	return known;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void la_symbols_find(
	struct la_symbols *symbols, const struct la_read_frame *frame, struct la_symbol *symbol)
{
	struct question question = {0};
	const struct known *known;

	*symbol = (struct la_symbol){.module = "?", .offset = frame->offset};
	if (!frame->module || frame->module > symbols->region->modules_count)
		return;
	question.module = frame->module - 1;
	question.offset = frame->offset;
	symbol->module = base_name(symbols->region->modules[question.module].path);
	known = ask(symbols, &question);
	if (!known)
		return;
	symbol->line = known->answer.line;
	symbol->function = known->answer.has_function ? known->answer.function : NULL;
	symbol->file = known->answer.has_file ? known->answer.file : NULL;
}

void la_symbols_free(struct la_symbols *symbols)
{
	struct known *known, *next;

	if (!symbols)
		return;
	stop(symbols);
	for (known = symbols->known; known; known = next) {
		next = known->next;
		free(known);
	}
	free(symbols);
}
