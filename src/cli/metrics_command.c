/* SPDX-License-Identifier: MIT */
/*
 * lastack metrics: to standard output, to a file for a textfile collector, or over HTTP.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "metrics.h"

char *la_metrics_text(size_t *length, int *status)
{
	struct la_snapshot *snapshot;
	char *text = NULL;
	FILE *to;

	*status = la_snapshot_take(&snapshot, 0, NULL);
	if (*status != LA_EXIT_OK)
		return NULL;
	*status = LA_EXIT_OWN_FAILURE;
	to = open_memstream(&text, length);
	if (to) {
		la_metrics_print(to, snapshot);
		if (fclose(to) == 0)
			*status = LA_EXIT_OK;
	}
	la_snapshot_free(snapshot);
	if (*status != LA_EXIT_OK) {
		free(text);
		text = NULL;
	}
	return text;
}

/* A collector must never read half of it: written beside, then renamed. */
static int write_file(const char *path, const char *text, size_t length)
{
	char *beside = NULL;
	FILE *file = NULL;
	int fd = -1, status = LA_EXIT_OWN_FAILURE;

	if (asprintf(&beside, "%s.XXXXXX", path) < 0)
		return status;
	fd = mkostemp(beside, 02000000 /* O_CLOEXEC */);
	if (fd >= 0 && fchmod(fd, 0644) == 0)
		file = fdopen(fd, "w");
	if (file && fwrite(text, 1, length, file) == length && fflush(file) == 0 &&
		rename(beside, path) == 0) {
		status = LA_EXIT_OK;
	} else {
		la_say("%s: %s", path, strerror(errno));
		if (fd >= 0)
			unlink(beside);
	}
	if (file)
		fclose(file);
	else if (fd >= 0)
		close(fd);
	free(beside);
	return status;
}

int la_cmd_metrics(int argc, char **argv)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'},
		{"listen", required_argument, NULL, 'l'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	const char *output = NULL, *where = NULL;
	size_t length;
	char *text;
	int option, status;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'o': output = optarg; break;
		case 'l': where = optarg; break;
		case 'h': return la_help_for("metrics");
		default: return LA_EXIT_USAGE;
		}
	}
	if (optind != argc || (output && where)) {
		la_say("metrics: write --output FILE or --listen ADDRESS:PORT, or nothing for "
		       "standard "
		       "output");
		return LA_EXIT_USAGE;
	}
	if (where)
		return la_metrics_listen(where);
	text = la_metrics_text(&length, &status);
	if (!text)
		return status;
	if (output)
		status = write_file(output, text, length);
	else
		fwrite(text, 1, length, stdout);
	free(text);
	return status;
}
