/* SPDX-License-Identifier: MIT */
/*
 * A server that executes itself anew, with its listener and a connection, and goes on serving. Then the same into an empty environment: there the new
 * program is alone, and nothing is left of what was loaded before.
 */
#include <dirent.h>

#include "processes.h"

static int entries(const char *folder)
{
	DIR *open_folder = opendir(folder);
	int count = 0;

	NEEDED(open_folder);
	while (readdir(open_folder))
		count++;
	closedir(open_folder);
	return count;
}

static bool is_preloaded(void)
{
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "r");

	NEEDED(maps);
	while (fgets(line, sizeof(line), maps))
		found |= strstr(line, "lastack") != NULL;
	fclose(maps);
	return found;
}

/* Numbers in our arguments: round, listener, connection, one that must be gone. */
static void go_on(char **words)
{
	int round = atoi(words[1]), kept[2] = {atoi(words[3]), atoi(words[4])};
	socklen_t length = sizeof(address);
	int ends[2];

	alarm(30);
	listener = atoi(words[2]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	NEEDED(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	SAY(carries(kept));
	SAY(fcntl(atoi(words[5]), F_GETFD));
	if (round == 3)
		SAY(is_preloaded());
	if (round == 3)
		SAY(entries("/proc/self/task") + 100 * entries("/proc/self/fd"));
	connection(ends);
	SAY(carries(ends));
	if (round < 3)
		close_unread(ends);
	else
		close(ends[0]), close(ends[1]);
	connection(ends); /* left open, gone by the next exec */
	NEEDED(fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 &&
		fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0);
}

int main(int count, char **words)
{
	static char *nothing[] = {NULL};
	char text[5][16];
	char *next[] = {words[0], text[0], text[1], text[2], text[3], text[4], NULL};
	int round = count > 1 ? atoi(words[1]) : 0, ends[2], gone[2];

	if (count < 2) {
		begin();
		connection(ends);
		connection(gone);
		close_unread(gone);
	} else {
		go_on(words);
		ends[0] = atoi(words[3]);
		ends[1] = atoi(words[4]);
	}
	connection(gone);
	NEEDED(fcntl(gone[0], F_SETFD, FD_CLOEXEC) == 0 &&
		fcntl(gone[1], F_SETFD, FD_CLOEXEC) == 0);
	snprintf(text[0], 16, "%d", round + 1);
	snprintf(text[1], 16, "%d", listener);
	snprintf(text[2], 16, "%d", ends[0]);
	snprintf(text[3], 16, "%d", ends[1]);
	snprintf(text[4], 16, "%d", gone[1]);
	if (round == 3)
		return 0;
	/* An exec that fails changes nothing. */
	SAY(execve("/nonexistent/program", next, environ));
	SAY(carries(ends) && carries(gone));
	if (round == 2)
		execve("/proc/self/exe", next, nothing);
	else if (round == 1)
		execl("/proc/self/exe", words[0], text[0], text[1], text[2], text[3], text[4],
			NULL);
	else
		execv("/proc/self/exe", next);
	return 9;
}
