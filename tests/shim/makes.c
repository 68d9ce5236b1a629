/* SPDX-License-Identifier: MIT */
/* Makers of descriptors that lastack does not follow: what they return, and how they fail. Fortified, open without a mode is a checked form. */
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "transcript.h"

/* No header declares these; the checked forms are for a compiler that knows the flags only when the program runs. */
int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);
int __pipe(int ends[2]);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);

static sigset_t nothing;
static int ends[2], mode;
static struct stat made;

#define MODE_OF(fd) (fstat(fd, &made) == 0 ? (int)(made.st_mode & 07777) : -1)

static int close_both(int result)
{
	return result < 0 ? -1 : close(ends[0]) == 0 && close(ends[1]) == 0;
}

static int close_stream(FILE *stream)
{
	return stream ? fclose(stream) : -1;
}

static int close_folder(DIR *folder)
{
	return folder ? closedir(folder) : -1;
}

/* Each closes what it got; -1 where it got nothing. */
static void all(const char *path)
{
	int fd;

#define NUMBER(call)                                     \
	do {                                             \
		SAY(fd = (call));                        \
		mode = fd < 0 ? -1 : MODE_OF(fd);        \
		printf("mode %o\n", (unsigned int)mode); \
		if (fd >= 0)                             \
			NEEDED(close(fd) == 0);          \
	} while (0)
	NUMBER(open(path, O_RDONLY));
	NUMBER(open("made", O_CREAT | O_RDWR, 0640));
	NUMBER(open64(path, O_RDONLY | O_CLOEXEC));
	NUMBER(open64("made", O_CREAT | O_EXCL, 0600));
	NUMBER(openat(AT_FDCWD, path, O_RDONLY));
	NUMBER(openat(-1, "made", O_RDONLY));
	NUMBER(openat64(AT_FDCWD, "made", O_RDONLY));
	NUMBER(__open(path, O_RDONLY));
	NUMBER(__open64(path, O_RDONLY));
	NUMBER(__open_2(path, O_RDONLY));
	NUMBER(__open64_2(path, O_RDONLY));
	NUMBER(__openat_2(AT_FDCWD, path, O_RDONLY));
	NUMBER(__openat64_2(AT_FDCWD, path, O_RDONLY));
	NUMBER(creat("made", 0604));
	NUMBER(creat64("made too", 0604));
	NUMBER(eventfd(0, EFD_CLOEXEC));
	NUMBER(epoll_create(1));
	NUMBER(epoll_create(0));
	NUMBER(epoll_create1(EPOLL_CLOEXEC));
	NUMBER(epoll_create1(1));
	NUMBER(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	NUMBER(timerfd_create(9999, 0));
	NUMBER(signalfd(-1, &nothing, SFD_NONBLOCK));
	NUMBER(signalfd(0, &nothing, 0));
	NUMBER(inotify_init());
	NUMBER(inotify_init1(IN_CLOEXEC));
	NUMBER(memfd_create("memory", MFD_CLOEXEC));
	SAY(close_stream(fopen(path, "r")));
	SAY(close_stream(fopen64(path, "re")));
	SAY(close_stream(fopen(path, "nonsense")));
	SAY(close_stream(tmpfile()));
	SAY(close_stream(tmpfile64()));
	SAY(close_folder(opendir(".")));
	SAY(close_folder(opendir(path)));
	SAY(close_both(pipe(ends)));
	SAY(close_both(pipe2(ends, O_CLOEXEC)));
	SAY(close_both(__pipe(ends)));
	SAY(close_both(socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
	SAY(close_both(socketpair(AF_INET, SOCK_STREAM, 0, ends)));
}

int main(void)
{
	struct rlimit few;
	char folder[] = "/tmp/makesXXXXXX";

	begin();
	umask(022);
	sigemptyset(&nothing);
	NEEDED(mkdtemp(folder) && chdir(folder) == 0);
	all("/dev/null");
	all("/nonexistent");
	NEEDED(getrlimit(RLIMIT_NOFILE, &few) == 0);
	few.rlim_cur = 4; /* 0, 1, 2 and the listener */
	NEEDED(setrlimit(RLIMIT_NOFILE, &few) == 0);
	all("/dev/null");
	unlink("made");
	unlink("made too");
	NEEDED(chdir("/") == 0 && rmdir(folder) == 0);
	return 0;
}
