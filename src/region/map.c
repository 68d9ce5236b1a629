/* SPDX-License-Identifier: MIT */
/*
 * Making a region: the file, its layout and the mapping. The writer's side; the reader is reader.c.
 *
 * Only raw system calls: this runs inside the application's first accept or connect. Nothing stays open: the mapping holds
 * the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <lastack/region.h>
#include <lastack/sys.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { PAGE = 4096, NAMES_TRIED = 16, FOLDER_BYTES = 200 };

/* Decimal without stdio; returns the end. */
static char *put_number(char *at, unsigned long value)
{
	char digits[24];
	int count = 0;

	do
		digits[count++] = (char)('0' + value % 10);
	while (value /= 10);
	while (count)
		*at++ = digits[--count];
	*at = '\0';
	return at;
}

static char *put_text(char *at, const char *end, const char *text)
{
	while (*text && at + 1 < end)
		*at++ = *text++;
	*at = '\0';
	return at;
}

/* A folder of ours: refused when it is a link, somebody else's, or open to others. */
static int open_folder(const char *path)
{
	struct stat status;
	int fd;

	fd = (int)la_sys(
		SYS_openat, AT_FDCWD, path, O_DIRECTORY | O_NOFOLLOW | O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	if (la_sys(SYS_fstat, fd, &status) < 0 || status.st_uid != (uid_t)la_sys(SYS_geteuid) ||
		(status.st_mode & 077)) {
		la_sys(SYS_close, fd);
		return -EACCES;
	}
	return fd;
}

/* Made with 0700 when it is missing. */
static int make_folder(const char *path)
{
	long made = la_sys(SYS_mkdirat, AT_FDCWD, path, 0700);
	int fd = open_folder(path);

	/* Why it is not there says more than that it is not. */
	return fd == -ENOENT && made < 0 ? (int)made : fd;
}

/* The application's limit, or the system's: not the folder's fault, and soon over. */
static bool is_short_of_numbers(int error)
{
	return error == -EMFILE || error == -ENFILE;
}

static int find_folder(const char *wanted, const char *runtime, char path[256])
{
	char *end;
	int fd = -ENOENT;

	if (wanted && *wanted) {
		if (strlen(wanted) >= FOLDER_BYTES)
			return -ENAMETOOLONG;
		put_text(path, path + FOLDER_BYTES, wanted);
		return make_folder(path);
	}
	put_text(path, path + FOLDER_BYTES, "/run/lastack");
	fd = make_folder(path);
	if (fd < 0 && !is_short_of_numbers(fd) && runtime && *runtime &&
		strlen(runtime) + sizeof("/lastack") <= FOLDER_BYTES) {
		end = put_text(path, path + FOLDER_BYTES, runtime);
		put_text(end, path + FOLDER_BYTES, "/lastack");
		fd = make_folder(path);
	}
	if (fd < 0 && !is_short_of_numbers(fd)) {
		end = put_text(path, path + FOLDER_BYTES, "/dev/shm/lastack-");
		put_number(end, (unsigned long)la_sys(SYS_geteuid));
		fd = make_folder(path);
	}
	return fd;
}

/*
 * Does a process still live in the region of this name? A name is the maker's pid: the file of an earlier process with our
 * pid may be in the way, left by a crash, or held by children that went on after the maker's exec.
 */
static bool is_lived_in(int folder, const char *name, uint32_t self)
{
	struct la_region_header header;
	struct la_process_record process;
	bool lived_in = false;
	uint32_t i;
	int fd = (int)la_sys(
		SYS_openat, folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);

	if (fd < 0)
		return true;
	if (la_sys(SYS_pread64, fd, &header, sizeof(header), 0L) == (long)sizeof(header) &&
		header.magic == LA_REGION_MAGIC && header.version == LA_REGION_VERSION) {
		const struct la_region_section *section = &header.sections[LA_REGION_S_PROCESSES];

		for (i = 0; i < section->count && i < LA_REGION_PROCESSES; i++) {
			if (la_sys(SYS_pread64, fd, &process, sizeof(process),
				    section->offset + (uint64_t)i * section->stride) !=
				(long)sizeof(process))
				break;
			if (process.pid && process.pid != self &&
				la_sys(SYS_tgkill, process.pid, process.pid, 0) != -ESRCH)
				lived_in = true;
		}
	}
	la_sys(SYS_close, fd);
	return lived_in;
}

static int create_file(int folder, char *name)
{
	uint32_t self = (uint32_t)la_sys(SYS_getpid);
	int fd = -EEXIST;
	unsigned int i;

	for (i = 0; i < NAMES_TRIED && fd == -EEXIST; i++) {
		char *end = put_number(name, self);

		if (i) {
			*end++ = '-';
			end = put_number(end, i);
		}
		put_text(end, end + 16, ".region");
		fd = (int)la_sys(SYS_openat, folder, name,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd == -EEXIST && !is_lived_in(folder, name, self)) {
			la_sys(SYS_unlinkat, folder, name, 0);
			fd = (int)la_sys(SYS_openat, folder, name,
				O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		}
	}
	return fd;
}

static uint64_t lay_out(struct la_region_section sections[LA_REGION_S_COUNT], uint32_t connections)
{
	static const struct {
		uint32_t count, stride;
	} plan[LA_REGION_S_COUNT] = {
		[LA_REGION_S_PROCESSES] = {LA_REGION_PROCESSES, sizeof(struct la_process_record)},
		[LA_REGION_S_THREADS] = {LA_REGION_THREADS, sizeof(struct la_thread_table)},
		[LA_REGION_S_CONNECTIONS] = {0, sizeof(struct la_connection_record)},
		[LA_REGION_S_STACKS] = {LA_REGION_STACKS, sizeof(struct la_stack_record)},
		[LA_REGION_S_MODULES] = {LA_REGION_MODULES, sizeof(struct la_module_record)},
		[LA_REGION_S_POLICY] = {1, sizeof(struct la_policy)},
		[LA_REGION_S_RULES] = {LA_REGION_RULES, sizeof(struct la_rule_record)},
		[LA_REGION_S_REFUSALS] = {LA_REGION_PROCESSES, sizeof(struct la_refusal_record)},
	};
	uint64_t offset = PAGE;
	int i;

	for (i = 0; i < LA_REGION_S_COUNT; i++) {
		sections[i].offset = offset;
		sections[i].count = i == LA_REGION_S_CONNECTIONS ? connections : plan[i].count;
		sections[i].stride = plan[i].stride;
		offset += (uint64_t)sections[i].count * sections[i].stride;
		offset = (offset + PAGE - 1) / PAGE * PAGE;
	}
	return offset;
}

/*
 * For how many connections, as address space may be short: limited now, or later, when nothing can be taken back (vsftpd gives each session 200
 * MiB). The middle one is for a whole family of 63 processes with 1,024 descriptors each; who raised that limit wants more.
 */
static const uint32_t sizes[] = {LA_REGION_CONNECTIONS, 1 << 16, 1 << 12};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static unsigned int first_size(void)
{
	struct rlimit space = {RLIM_INFINITY, RLIM_INFINITY}, descriptors = {0, 0};

	la_sys(SYS_getrlimit, RLIMIT_AS, &space);
	if (space.rlim_cur != RLIM_INFINITY)
		return 2;
	la_sys(SYS_getrlimit, RLIMIT_NOFILE, &descriptors);
	return descriptors.rlim_cur > sizes[1] ? 0 : 1;
}

void *la_region_map(uint64_t bytes, int flags, int fd)
{
	long mapped = la_sys(SYS_mmap, NULL, bytes, PROT_NONE, MAP_NORESERVE | flags, fd, 0);

	if (mapped < 0 && mapped > -PAGE)
		return NULL;
	la_sys(SYS_munlock, mapped, bytes);
	if (la_sys(SYS_mprotect, mapped, bytes, PROT_READ | PROT_WRITE) < 0) {
		la_sys(SYS_munmap, mapped, bytes);
		return NULL;
	}
	return (void *)mapped;
}

/* The header and the processes are touched: then a reader finds them, and a full file system is found out. */
static void *map_file(int fd, uint64_t size, int *error)
{
	struct rlimit limit = {0, 0};
	void *base;

	/* Growing a file beyond RLIMIT_FSIZE would raise SIGXFSZ in the application. */
	la_sys(SYS_getrlimit, RLIMIT_FSIZE, &limit);
	*error = limit.rlim_cur < size ? -EFBIG : (int)la_sys(SYS_ftruncate, fd, size);
	if (*error < 0)
		return NULL;
	base = la_region_map(size, MAP_SHARED, fd);
	*error = base ? 0 : -ENOMEM;
	if (base && la_region_populate(base,
			    PAGE + sizeof(struct la_process_record) * LA_REGION_PROCESSES) < 0) {
		la_sys(SYS_munmap, base, size);
		base = NULL;
		*error = -ENOSPC;
	}
	return base;
}

static void *map_anonymous(uint64_t size)
{
	return la_region_map(size, MAP_SHARED | MAP_ANONYMOUS, -1);
}

static uint8_t hex_digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void read_boot_id(uint8_t id[16])
{
	char text[37];
	int i, count = 0;
	int fd = (int)la_sys(
		SYS_openat, AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC, 0);

	memset(id, 0, 16);
	if (fd < 0)
		return;
	if (la_sys(SYS_read, fd, text, sizeof(text)) >= 36)
		for (i = 0; i < 36 && count < 32; i++) {
			if (text[i] == '-')
				continue;
			id[count / 2] = (uint8_t)(id[count / 2] << 4 | hex_digit(text[i]));
			count++;
		}
	la_sys(SYS_close, fd);
}

int la_region_populate(void *first, size_t bytes)
{
	uintptr_t start = (uintptr_t)first / PAGE * PAGE;
	uintptr_t end = ((uintptr_t)first + bytes + PAGE - 1) / PAGE * PAGE;
	long result = la_sys(SYS_madvise, start, end - start, MADV_POPULATE_WRITE);

	/* Before Linux 5.14 there is no way to ask: go on, as everybody did. */
	return result == -EINVAL ? 0 : (int)result;
}

static void set_pointers(struct la_region *region, char *base)
{
	const struct la_region_section *sections = ((struct la_region_header *)base)->sections;

	region->processes = (void *)(base + sections[LA_REGION_S_PROCESSES].offset);
	region->threads = (void *)(base + sections[LA_REGION_S_THREADS].offset);
	region->connections = (void *)(base + sections[LA_REGION_S_CONNECTIONS].offset);
	region->stacks = (void *)(base + sections[LA_REGION_S_STACKS].offset);
	region->modules = (void *)(base + sections[LA_REGION_S_MODULES].offset);
	region->policy = (void *)(base + sections[LA_REGION_S_POLICY].offset);
	region->rules = (void *)(base + sections[LA_REGION_S_RULES].offset);
	region->refusals = (void *)(base + sections[LA_REGION_S_REFUSALS].offset);
	region->header = (void *)base;
}

void la_region_remove(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder_path[256];
	int folder;

	if (!slash || slash - path >= FOLDER_BYTES)
		return;
	put_text(folder_path, folder_path + (slash - path) + 1, path);
	folder = open_folder(folder_path);
	if (folder < 0)
		return;
	la_sys(SYS_unlinkat, folder, slash + 1, 0);
	la_sys(SYS_close, folder);
}

/* In a folder, for commands to see: NULL, and why not. `path` is set. */
static void *map_in_folder(const char *wanted_dir, const char *runtime_dir, char path[256],
	struct la_region_section sections[LA_REGION_S_COUNT], uint64_t *size, int *error)
{
	char name[48] = "", *end;
	int folder = find_folder(wanted_dir, runtime_dir, path), fd;
	void *base = NULL;
	unsigned int i;

	*error = folder;
	if (folder < 0)
		return NULL;
	fd = create_file(folder, name);
	*error = fd;
	for (i = first_size(); !base && fd >= 0 && *error != -ENOSPC && i < SIZES; i++) {
		*size = lay_out(sections, sizes[i]);
		base = map_file(fd, *size, error);
	}
	if (fd >= 0) {
		if (!base)
			la_sys(SYS_unlinkat, folder, name, 0);
		la_sys(SYS_close, fd);
	}
	la_sys(SYS_close, folder);
	end = path + strlen(path);
	end = put_text(end, path + 255, "/");
	put_text(end, path + 255, name);
	return base;
}

int la_region_create(struct la_region *region, const char *wanted_dir, const char *runtime_dir,
	char path[256], int *no_file)
{
	struct la_region_section sections[LA_REGION_S_COUNT];
	struct la_region_header *header;
	uint64_t size = 0;
	unsigned int i;
	char *base = map_in_folder(wanted_dir, runtime_dir, path, sections, &size, no_file);

	if (!base) {
		path[0] = '\0';
		if (is_short_of_numbers(*no_file))
			return *no_file;
	} else {
		*no_file = 0;
	}
	for (i = first_size(); !base && i < SIZES; i++) {
		size = lay_out(sections, sizes[i]);
		base = map_anonymous(size);
	}
	if (!base)
		return -ENOMEM;

	header = (struct la_region_header *)base;
	header->version = LA_REGION_VERSION;
	header->header_bytes = sizeof(*header);
	header->size_bytes = size;
	header->creator_pid = (uint32_t)la_sys(SYS_getpid);
	header->counters_count = LA_COUNT_COUNT;
	memcpy(header->sections, sections, sizeof(sections));
	read_boot_id(header->boot_id);
	set_pointers(region, base);
	return 0;
}

void la_region_publish(struct la_region *region)
{
	atomic_thread_fence(memory_order_release);
	region->header->magic = LA_REGION_MAGIC;
}
