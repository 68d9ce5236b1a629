/* SPDX-License-Identifier: MIT */
/*
 * Every call that changes whose a process is, with connections open: what it returned, and who the process then is. Each in a child of
 * its own, because most lead nowhere back. All threads of the child must be the same one's.
 */
#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include "transcript.h"

#define NOBODY 65534

/* No header of glibc declares it. */
int capset(struct __user_cap_header_struct *header, const struct __user_cap_data_struct *data);

/* What the kernel says of a thread: its lines Uid, Gid, Groups and CapEff. */
static void lines_of(const char *thread, char *text, size_t room)
{
	char path[300], line[256];
	FILE *status;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
	text[0] = '\0';
	status = fopen(path, "r");
	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "Uid:", 4) == 0 || strncmp(line, "Gid:", 4) == 0 ||
			strncmp(line, "Groups:", 7) == 0 || strncmp(line, "CapEff:", 7) == 0)
			strncat(text, line, room - strlen(text) - 1);
	if (status)
		fclose(status);
}

/* How many threads are not as the first is. */
static int others(void)
{
	char first[1024] = "", text[1024];
	struct dirent *entry;
	DIR *tasks = opendir("/proc/self/task");
	int different = 0;

	NEEDED(tasks);
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		lines_of(entry->d_name, text, sizeof(text));
		if (!first[0])
			strcpy(first, text);
		else if (text[0] && strcmp(first, text) != 0)
			different++;
	}
	closedir(tasks);
	return different;
}

static void who(void)
{
	uid_t uid[3] = {0};
	gid_t gid[3] = {0}, groups[64];
	int count = getgroups(64, groups);

	getresuid(&uid[0], &uid[1], &uid[2]);
	getresgid(&gid[0], &gid[1], &gid[2]);
	printf("uid %u %u %u, gid %u %u %u, %d groups, %d threads are others\n", uid[0], uid[1],
		uid[2], gid[0], gid[1], gid[2], count, others());
}

static int drop_all(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	return capset(&header, none);
}

static long raw_drop_all(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	return syscall(SYS_capset, &header, none);
}

static int wrong_version(void)
{
	struct __user_cap_header_struct header = {.version = 77};
	struct __user_cap_data_struct none[2] = {0};

	return capset(&header, none);
}

/* While an earlier connection, closed with data unread, may still be drained; one more comes after the change. */
#define IN_A_CHILD(call)                                                \
	do {                                                            \
		int ends[2], status;                                    \
		pid_t child = fork();                                   \
		if (child == 0) {                                       \
			connection(ends);                               \
			NEEDED(write(ends[0], "unread", 6) == 6);       \
			wait_for(ends[1], POLLIN);                      \
			SAY(close(ends[1]));                            \
			SAY(call);                                      \
			who();                                          \
			SAY(close(ends[0]));                            \
			connection(ends);                               \
			who();                                          \
			SAY(close(ends[1]));                            \
			SAY(peer_reads(ends[0]));                       \
			exit(0);                                        \
		}                                                       \
		NEEDED(waitpid(child, &status, 0) == child && !status); \
	} while (0)

int main(void)
{
	gid_t groups[2] = {NOBODY, 1};

	begin();
	IN_A_CHILD(setuid(NOBODY));
	IN_A_CHILD(seteuid(NOBODY));
	IN_A_CHILD(seteuid(NOBODY) + seteuid(getuid()));
	IN_A_CHILD(setreuid(NOBODY, NOBODY));
	IN_A_CHILD(setresuid(NOBODY, NOBODY, NOBODY));
	IN_A_CHILD(setgid(NOBODY));
	IN_A_CHILD(setegid(NOBODY));
	IN_A_CHILD(setregid(NOBODY, NOBODY));
	IN_A_CHILD(setresgid(NOBODY, NOBODY, NOBODY));
	IN_A_CHILD(setgroups(2, groups));
	IN_A_CHILD(initgroups("nobody", NOBODY));
	IN_A_CHILD(drop_all());
	/* Past the C library: of a process with one thread the same. */
	IN_A_CHILD(syscall(SYS_setuid, NOBODY));
	IN_A_CHILD(syscall(SYS_setreuid, NOBODY, NOBODY));
	IN_A_CHILD(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY));
	IN_A_CHILD(syscall(SYS_setgid, NOBODY));
	IN_A_CHILD(syscall(SYS_setregid, NOBODY, NOBODY));
	IN_A_CHILD(syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY));
	IN_A_CHILD(syscall(SYS_setgroups, 2, groups));
	IN_A_CHILD(raw_drop_all());
	/* Refused. */
	IN_A_CHILD(wrong_version());
	IN_A_CHILD(setuid((uid_t)-1));
	IN_A_CHILD(setgroups(1 << 20, groups));
	NEEDED(setuid(NOBODY) == 0 || geteuid() != 0);
	IN_A_CHILD(setuid(0));
	IN_A_CHILD(seteuid(0));
	IN_A_CHILD(setreuid(0, 0));
	IN_A_CHILD(setresuid(0, 0, 0));
	IN_A_CHILD(setgid(1));
	IN_A_CHILD(setegid(1));
	IN_A_CHILD(setregid(1, 1));
	IN_A_CHILD(setresgid(1, 1, 1));
	IN_A_CHILD(setgroups(0, NULL));
	IN_A_CHILD(initgroups("nobody", 1));
	return 0;
}
