/*
 * A server that accepts a connection as root, then becomes another user. Prints the effective uid of each of its threads, as the kernel has it:
 * "uid 65534 thread drops_privileges". With the word exit: its only thread ends by a raw exit(2), which must end the process.
 */
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A new thread has its maker's name until it gives itself one: waits for that, where there is a second thread. */
static void wait_for_names(void)
{
	int tries, threads = 0, named = 0;

	for (tries = 0; tries < 500; tries++) {
		DIR *tasks = opendir("/proc/self/task");
		struct dirent *entry;

		threads = named = 0;
		while (tasks && (entry = readdir(tasks))) {
			char path[300], name[64] = "";
			FILE *comm;

			if (entry->d_name[0] == '.')
				continue;
			threads++;
			snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
			comm = fopen(path, "r");
			named += comm && fgets(name, sizeof(name), comm) &&
				 strncmp(name, "drops_", 6);
			if (comm)
				fclose(comm);
		}
		if (tasks)
			closedir(tasks);
		if (named == threads - 1)
			return;
		usleep(10000);
	}
}

static void show_threads(void)
{
	struct dirent *entry;
	DIR *tasks = opendir("/proc/self/task");

	while (tasks && (entry = readdir(tasks))) {
		char path[300], line[128], name[64] = "";
		unsigned int uid = 0;
		FILE *status;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		status = fopen(path, "r");
		while (status && fgets(line, sizeof(line), status)) {
			sscanf(line, "Name: %63s", name);
			sscanf(line, "Uid: %*u %u", &uid);
		}
		if (status)
			fclose(status);
		printf("uid %u thread %s\n", uid, name);
	}
	if (tasks)
		closedir(tasks);
}

int main(int count, char **words)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);

	alarm(20);
	bind(listener, (struct sockaddr *)&address, length);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&address, &length);
	if (connect(client, (struct sockaddr *)&address, length) < 0 ||
		accept(listener, NULL, NULL) < 0)
		return 1;
	if (count > 1 && strcmp(words[1], "exit") == 0) {
		usleep(100000); /* whatever was started runs */
		syscall(SYS_exit, 7);
	}
	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	wait_for_names();
	show_threads();
	return 0;
}
