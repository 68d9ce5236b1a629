/* SPDX-License-Identifier: MIT */
/*
 * lastack run: a command with liblastack.so preloaded. Executes it in its own place: same pid, same parent, its own exit status. Only
 * --leak-check must outlive it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lastack/policy.h>

#include "cli.h"
#include "leak_check.h"
#include "preload.h"

enum { LIST = 16 * 1024, SHIM_PATH = 512 /* with its NUL; PATH_BYTES of src/shim/settings.c */ };

static bool find_shim(char path[4096])
{
	char *absolute;

	snprintf(path, 4096, "%.4000s/liblastack.so", la_own_folder());
	if (access(path, R_OK) != 0) /* PREFIX, wherever it was moved to */
		snprintf(path, 4096, "%.4000s/../lib/liblastack.so", la_own_folder());
	if (access(path, R_OK) != 0)
		snprintf(path, 4096, "%s/liblastack.so", LA_LIBDIR);
	absolute = realpath(path, NULL);
	if (!absolute)
		return false;
	snprintf(path, 4096, "%s", absolute);
	free(absolute);
	return true;
}

/* Read it as the shim will, so that a bad one is refused here, and add its absolute path to the list. */
static int add_policy(const char *word, struct la_policy *policy, char list[LIST])
{
	char path[4096], *name;
	int status;

	if (!la_policy_file(word, path)) {
		name = la_safe(word);
		la_say("-p %s: no such policy: write the path of a file, or the name of a shipped "
		       "one",
			name ? name : "?");
		free(name);
		return LA_EXIT_POLICY;
	}
	status = la_policy_load(policy, path);
	if (status != LA_EXIT_OK)
		return status;
	/* What the shim cannot open leaves the program without a policy. */
	if (strchr(path, ',') || strlen(path) >= SHIM_PATH ||
		strlen(list) + strlen(path) + 2 > LIST) {
		la_say("-p %s: a path with a comma in it, too long, or too many of them: "
		       "LASTACK_POLICY is a list with commas, of paths below %d bytes",
			path, SHIM_PATH);
		return LA_EXIT_POLICY;
	}
	if (*list)
		strcat(list, ",");
	strcat(list, path);
	return LA_EXIT_OK;
}

static bool is_in_list(const char *list, const char *path)
{
	size_t length = strlen(path);

	while (*list) {
		size_t word = strcspn(list, ": ");

		if (word == length && strncmp(list, path, length) == 0)
			return true;
		list += word;
		list += strspn(list, ": ");
	}
	return false;
}

/* In front, once. */
static void preload(const char *shim)
{
	const char *before = getenv("LD_PRELOAD");
	char *value;

	if (!before || !*before) {
		setenv("LD_PRELOAD", shim, 1);
		return;
	}
	if (is_in_list(before, shim))
		return;
	value = malloc(strlen(shim) + strlen(before) + 2);
	if (!value)
		return; /* the loader will be asked whether it is there */
	sprintf(value, "%s:%s", shim, before);
	setenv("LD_PRELOAD", value, 1);
	free(value);
}

/*
 * AddressSanitizer wants to be the first library, so that nobody's malloc comes before its own. The shim has none, and each of its
 * functions passes on to AddressSanitizer's.
 */
static void allow_before_asan(void)
{
	const char *before = getenv("ASAN_OPTIONS");
	char *value;

	if (asprintf(&value, "verify_asan_link_order=0%s%s", before && *before ? ":" : "",
		    before ? before : "") < 0)
		return;
	setenv("ASAN_OPTIONS", value, 1);
	free(value);
}

/* 1 to 255: 0 would say that all is well. -1, having said why. */
static int leak_status_of(const char *text)
{
	char *end;
	long status;

	if (!text)
		return LA_LEAK_STATUS;
	status = strtol(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && status >= 1 && status <= 255)
		return (int)status;
	la_say("run --leak-check: \"%s\" is no status: write one from 1 to 255", text);
	return -1;
}

int la_cmd_run(int argc, char **argv)
{
	static const struct option options[] = {{"policy", required_argument, NULL, 'p'},
		{"observe", no_argument, NULL, 'o'}, {"leak-check", optional_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct la_policy policy;
	static char list[LIST];
	char shim[4096], binary[4096], reason[LA_REASON] = "";
	int option, status, leak_status = 0;
	bool asan = false;

	la_policy_init(&policy);
	while ((option = getopt_long(argc, argv, "+p:h", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			status = add_policy(optarg, &policy, list);
			if (status != LA_EXIT_OK)
				return status;
			break;
		case 'o': setenv("LASTACK_MODE", "observe", 1); break;
		case 'l':
			leak_status = leak_status_of(optarg);
			if (leak_status < 0)
				return LA_EXIT_USAGE;
			break;
		case 'h': return la_help_for("run");
		default: return LA_EXIT_USAGE;
		}
	}
	if (optind == argc) {
		la_say("run: write the command to run");
		return LA_EXIT_USAGE;
	}
	if (leak_status && !*list) {
		status = add_policy("leak-check", &policy, list);
		if (status != LA_EXIT_OK)
			return status;
	}
	if (!find_shim(shim)) {
		la_say("liblastack.so is neither beside this command nor in " LA_LIBDIR
		       ": build or install lastack again");
		return LA_EXIT_OWN_FAILURE;
	}
	if (strpbrk(shim, ": ")) {
		la_say("liblastack.so lies in a folder whose name has a colon or a space: the "
		       "loader cannot be told such a name");
		return LA_EXIT_PRELOAD;
	}
	status = la_preload_resolve(argv[optind], binary, reason);
	if (status) {
		la_say("%s", reason);
		return status;
	}
	if (!la_preload_possible(binary, shim, reason)) {
		la_say("%s", reason);
		return LA_EXIT_PRELOAD;
	}
	if (*list)
		setenv("LASTACK_POLICY", list, 1);
	preload(shim);
	if (!la_preload_verify(binary, shim, &asan, reason)) {
		la_say("%s", reason);
		return LA_EXIT_PRELOAD;
	}
	if (asan)
		allow_before_asan();
	if (leak_status)
		return la_leak_check(argv + optind, leak_status);
	execvp(argv[optind], argv + optind);
	la_say("%s", strerror(errno));
	return errno == ENOENT ? LA_EXIT_NOT_FOUND : LA_EXIT_NOT_EXECUTABLE;
}
