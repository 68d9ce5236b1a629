/* SPDX-License-Identifier: MIT */
/*
 * Children that run in their parent's memory and arrange descriptors of their own: vfork, posix_spawn, system, popen. What they close stays open in
 * the parent, and what they hand on stays open in the program that they become.
 */
#include <spawn.h>
#include <sys/ioctl.h>

#include "processes.h"

static int kept[2]; /* a connection that lives through all of it */

/* Each way for a child to close what is its parent's. The number is of a connection whose peer is `other`. */
static void close_by(int way, int number, int other, int null)
{
	switch (way) {
	case 0: close(number); break;
	case 1: dup2(null, number); break;
	case 2: dup3(null, number, O_CLOEXEC); break;
	case 3: close_range((unsigned int)number, (unsigned int)number, 0); break;
	case 4: close_range(3, ~0u, 0); break;
	case 5: closefrom(3); break;
	case 6: close_range(3, ~0u, CLOSE_RANGE_CLOEXEC); break;
	case 7: close_range(3, ~0u, CLOSE_RANGE_UNSHARE); break;
	case 8: syscall(SYS_close, number); break;
	case 9: syscall(SYS_close_range, 3, ~0u, 0); break;
	case 10: syscall(SYS_dup3, null, number, 0); break;
	case 11: shutdown(null, SHUT_WR), close(other), close(number); break;
	default: unshare(CLONE_FILES), close(number), close(other); break;
	}
}

static void closing(void)
{
	int way, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (way = 0; way < 13; way++) {
		int ends[2];
		pid_t pid;

		connection(ends);
		pid = vfork();
		if (pid == 0) {
			close_by(way, ends[1], ends[0], null);
			_exit(way);
		}
		SAY(WEXITSTATUS(ended(pid)));
		SAY(carries(ends));
		SAY(carries(kept));
		SAY(fcntl(null, F_GETFD));
		SAY(fcntl(ends[1], F_GETFD));
		close_unread(ends);
	}
	close(null);
}

/* The program that a child becomes writes to `number`, whose other end is then closed here. */
static void answers(const char *how, int ends[2], pid_t pid)
{
	printf("%s\n", how);
	SAY(close(ends[1]));
	SAY(peer_reads(ends[0]));
	SAY(ended(pid));
	SAY(close(ends[0]));
}

static pid_t run(const char *script, int number)
{
	char *words[] = {"sh", "-c", (char *)script, NULL};
	pid_t pid = vfork();

	if (pid == 0) {
		if (number >= 0)
			dup2(number, 9);
		execve("/bin/sh", words, environ);
		_exit(127);
	}
	return pid;
}

#define ANSWER "sleep 0.1; echo answer >&9"

/* Ways to make a number inheritable that are not seen as such. */
static void handing_on(void)
{
	int ends[2], moved, way;
	pid_t pid;

	connection(ends);
	NEEDED(fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0);
	pid = run(ANSWER, ends[1]);
	answers("dup2 in the child", ends, pid);

	connection(ends);
	NEEDED(dup3(ends[1], 9, O_CLOEXEC) == 9 && close(ends[1]) == 0);
	ends[1] = 9;
	NEEDED(ioctl(9, FIONCLEX) == 0);
	pid = run(ANSWER, -1);
	answers("ioctl in the parent", ends, pid);

	/* Not in a vfork of ours: inside the C library. */
	for (way = 0; way < 3; way++) {
		char *words[] = {"sh", "-c", ANSWER, NULL};
		FILE *output = NULL;

		connection(ends);
		NEEDED(dup2(ends[1], 9) == 9 && close(ends[1]) == 0);
		ends[1] = 9;
		if (way == 0)
			NEEDED(posix_spawn(&pid, "/bin/sh", NULL, NULL, words, environ) == 0);
		else if (way == 1)
			NEEDED(system("(" ANSWER ") 2>/dev/null &") == 0);
		else
			NEEDED((output = popen(ANSWER, "r")) != NULL);
		SAY(close(ends[1]));
		SAY(peer_reads(ends[0]));
		SAY(close(ends[0]));
		SAY(way == 0 ? ended(pid) : way == 1 ? 0 : pclose(output));
	}

	connection(ends);
	NEEDED(dup3(ends[1], 9, O_CLOEXEC) == 9 && close(ends[1]) == 0);
	ends[1] = 9;
	moved = 9;
	pid = vfork();
	if (pid == 0) {
		char *words[] = {"sh", "-c", "sleep 0.1; echo answer >&8", NULL};

		close(8);
		moved = (int)syscall(SYS_fcntl, moved, F_DUPFD, 8);
		execve("/bin/sh", words, environ);
		_exit(127);
	}
	answers("syscall(SYS_fcntl) in the child", ends, pid);
}

/* What the actions close is the child's. One that could hand on anything makes all shared, so nothing is closed here with unread data. */
static void actions(int way)
{
	int ends[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char *words[] = {"sh", "-c", ANSWER, NULL};
	posix_spawn_file_actions_t list;
	pid_t pid;

	connection(ends);
	NEEDED(posix_spawn_file_actions_init(&list) == 0);
	switch (way) {
	case 0: NEEDED(posix_spawn_file_actions_addclose(&list, ends[1]) == 0); break;
	case 1: NEEDED(posix_spawn_file_actions_addclosefrom_np(&list, 3) == 0); break;
	case 2: NEEDED(posix_spawn_file_actions_adddup2(&list, null, ends[1]) == 0); break;
	default: NEEDED(posix_spawn_file_actions_adddup2(&list, ends[1], 9) == 0); break;
	}
	SAY(posix_spawn(&pid, "/bin/sh", &list, NULL, words, environ));
	posix_spawn_file_actions_destroy(&list);
	if (way < 3)
		SAY(WEXITSTATUS(ended(pid)) != 0);
	SAY(is_open(kept[0]));
	SAY(way < 3 ? carries(ends) : is_open(ends[0]));
	SAY(close(ends[1]));
	SAY(peer_reads(ends[0]));
	SAY(close(ends[0]));
	if (way == 3)
		SAY(WEXITSTATUS(ended(pid)));
	close(null);
}

/* Connections that no program gets stay known as ours. */
static void not_handed_on(void)
{
	static const char *const scripts[] = {"true", "exit 3"};
	int ends[2];
	FILE *output;
	char *words[] = {"true", NULL};
	pid_t pid;

	for (int i = 0; i < 2; i++) {
		connection(ends);
		NEEDED(fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0);
		SAY(WEXITSTATUS(ended(run(scripts[i], -1))));
		SAY(WEXITSTATUS(system(scripts[i])));
		SAY_POINTER(output = popen(scripts[i], "r"));
		SAY(WEXITSTATUS(pclose(output)));
		SAY(posix_spawn(&pid, "/bin/true", NULL, NULL, words, environ));
		SAY(ended(pid));
		close_unread(ends);
	}
	/* One that the child closes before it becomes another program: as Python's subprocess does. */
	connection(ends);
	pid = vfork();
	if (pid == 0) {
		close_range(3, ~0u, 0);
		execve("/bin/true", words, environ);
		_exit(127);
	}
	SAY(ended(pid));
	close_unread(ends);
}

int main(int count, char **words)
{
	int way;

	(void)words;
	begin();
	connection(kept);
	closing();
	handing_on();
	not_handed_on();
	for (way = 0; way < 4; way++)
		actions(way);
	SAY(carries(kept));
	stop_to_be_seen(count);
	return 0;
}
