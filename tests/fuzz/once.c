/* SPDX-License-Identifier: MIT */
/* Instead of libFuzzer: give the target each file of the folders named once, and say how many there were. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static char running[4096];

/* An input of exactly its size, on the heap: an address sanitizer sees one byte too far. */
static void give(const char *path)
{
	FILE *file = fopen(path, "re");
	struct stat status;
	uint8_t *data;
	size_t size;

	if (!file || fstat(fileno(file), &status) < 0) {
		perror(path);
		exit(2);
	}
	size = (size_t)status.st_size;
	data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, file) != size) {
		perror(path);
		exit(2);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static unsigned int give_all(const char *folder)
{
	DIR *list = opendir(folder);
	struct dirent *entry;
	unsigned int count = 0;

	if (!list) {
		perror(folder);
		exit(2);
	}
	while ((entry = readdir(list))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(running, sizeof(running), "%s/%s", folder, entry->d_name);
		/* Said before: a crash says nothing. */
		printf("%s\n", running);
		fflush(stdout);
		give(running);
		count++;
	}
	closedir(list);
	return count;
}

int main(int argc, char **argv)
{
	unsigned int count = 0;

	for (int i = 1; i < argc; i++)
		count += give_all(argv[i]);
	printf("%u inputs\n", count);
	return count == 0;
}
