/* SPDX-License-Identifier: MIT */
/*
 * One line per action, key=value, to where LASTACK_LOG says.
 *
 * The descriptor is opened at start and lives out of the application's way: opening a file at an action would take, for a
 * moment, the lowest free number, which a single-threaded application relies on. No stdio: the helper writes this.
 *
 * Whoever reads may be slow or gone, the disk full: a line that cannot be written is lost, and the next one says how many were.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <lastack/sys.h>

#include "internal.h"

enum { NOWHERE, FILE_LOG, SYSLOG, STDERR };

static int kind;
static _Atomic int log_fd = -1;
static char file[256]; /* absolute; "" when it is none */
static bool detached;
static _Atomic uint32_t lost;
static _Atomic bool torn; /* the last line was written in part */

static const struct sockaddr_un device = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};

struct text {
	char bytes[640];
	size_t length;
};

static void put(struct text *text, const char *string)
{
	/* Names come from the program and its file: nothing that a terminal or a log parser would act on. */
	for (; *string && text->length < sizeof(text->bytes) - 2; string++)
		text->bytes[text->length++] =
			(unsigned char)*string < 0x21 || (unsigned char)*string > 0x7e ? '?'
										       : *string;
}

/* A sentence is a value in quotes; what would end it, and what is no text, is escaped or left out. */
static void put_sentence(struct text *text, const char *sentence)
{
	put(text, "\"");
	for (; *sentence && text->length < sizeof(text->bytes) - 5; sentence++) {
		if (*sentence == '"' || *sentence == '\\')
			put(text, "\\");
		text->bytes[text->length++] =
			(unsigned char)*sentence < ' ' || (unsigned char)*sentence > 0x7e
				? '?'
				: *sentence;
	}
	put(text, "\"");
}

static void put_number(struct text *text, uint64_t value, int width)
{
	char digits[24];
	int count = 0;

	do
		digits[count++] = (char)('0' + value % 10);
	while ((value /= 10) || count < width);
	while (count && text->length < sizeof(text->bytes) - 2)
		text->bytes[text->length++] = digits[--count];
}

static void key(struct text *text, const char *name)
{
	if (text->length && text->length < sizeof(text->bytes) - 2)
		text->bytes[text->length++] = ' ';
	put(text, name);
	put(text, "=");
}

/* RFC 3339, UTC. Days to date after H. Hinnant, "chrono-compatible low-level date algorithms". */
static void put_time(struct text *text)
{
	struct timespec now = {0, 0};
	uint64_t days, era_day, era_year, year, day_of_year, month, second;

	la_sys(SYS_clock_gettime, CLOCK_REALTIME, &now);
	days = (uint64_t)now.tv_sec / 86400 + 719468;
	second = (uint64_t)now.tv_sec % 86400;
	era_day = days % 146097;
	era_year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
	day_of_year = era_day - (365 * era_year + era_year / 4 - era_year / 100);
	month = (5 * day_of_year + 2) / 153;
	year = era_year + days / 146097 * 400 + (month >= 10);
	put_number(text, year, 4);
	put(text, "-");
	put_number(text, month < 10 ? month + 3 : month - 9, 2);
	put(text, "-");
	put_number(text, day_of_year - (153 * month + 2) / 5 + 1, 2);
	put(text, "T");
	put_number(text, second / 3600, 2);
	put(text, ":");
	put_number(text, second / 60 % 60, 2);
	put(text, ":");
	put_number(text, second % 60, 2);
	put(text, ".");
	put_number(text, (uint64_t)now.tv_nsec / 1000000, 3);
	put(text, "Z");
}

static void put_address(struct text *text, const uint8_t address[16], uint16_t port)
{
	static const char hex[] = "0123456789abcdef";
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	int i, shift;

	if (memcmp(address, mapped, 12) == 0) {
		for (i = 12; i < 16; i++) {
			put_number(text, address[i], 1);
			put(text, i < 15 ? "." : ":");
		}
	} else {
		put(text, "[");
		for (i = 0; i < 16; i += 2) {
			unsigned int group = (unsigned int)address[i] << 8 | address[i + 1];
			char digit[2] = "";

			for (shift = 12; shift > 0 && !(group >> shift); shift -= 4)
				;
			for (; shift >= 0; shift -= 4) {
				digit[0] = hex[group >> shift & 15];
				put(text, digit);
			}
			put(text, i < 14 ? ":" : "]:");
		}
	}
	put_number(text, port, 1);
}

/* A copy of `fd` where the application does not look, and may not close. */
static int copy_out_of_the_way(int fd)
{
	int high = fd < 0 ? fd : la_act_dup(fd);

	if (high >= 0)
		la_slot_exchange(high, LA_SLOT_OWN(0xffff));
	return high;
}

static int out_of_the_way(int fd)
{
	int high = copy_out_of_the_way(fd);

	if (fd >= 0)
		la_sys(SYS_close, fd);
	return high;
}

bool la_log_gives_way(int fd)
{
	int old = fd;

	if (kind == NOWHERE || atomic_load(&log_fd) != fd)
		return false;
	if (!atomic_compare_exchange_strong(&log_fd, &old, copy_out_of_the_way(fd)))
		return false;
	la_slot_clear(fd, LA_SLOT_OWN(0xffff));
	return true;
}

static int open_file(const char *where)
{
	return (int)la_sys(SYS_openat, AT_FDCWD, where,
		O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
}

int la_log_open(const char *where)
{
	int fd;

	if (!where || !*where || strcmp(where, "none") == 0)
		return 0;
	if (strcmp(where, "stderr") == 0) {
		/* What 2 is now: the application may close it, and open something else there. */
		log_fd = copy_out_of_the_way(2);
		kind = log_fd < 0 ? NOWHERE : STDERR;
		return log_fd < 0 ? log_fd : 0;
	}
	if (strcmp(where, "syslog") == 0) {
		fd = (int)la_sys(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && la_sys(SYS_connect, fd, &device, sizeof(device)) < 0) {
			la_sys(SYS_close, fd);
			return -1;
		}
		kind = SYSLOG;
	} else {
		fd = open_file(where);
		kind = FILE_LOG;
		if (where[0] == '/' && strlen(where) < sizeof(file))
			strcpy(file, where);
	}
	log_fd = out_of_the_way(fd);
	if (log_fd < 0)
		kind = NOWHERE;
	return log_fd < 0 ? log_fd : 0;
}

void la_log_detach(void)
{
	if (log_fd >= 0)
		la_sys(SYS_close, log_fd);
	la_slot_clear(log_fd, LA_SLOT_OWN(0xffff));
	log_fd = -1;
	if (kind != FILE_LOG || !file[0])
		kind = NOWHERE;
	detached = true;
}

/* Once more when the daemon has been started anew: its socket is another one. */
static long send_to_syslog(const struct text *text)
{
	long sent = -EAGAIN;
	int tries;

	for (tries = 0; tries < 2; tries++) {
		sent = la_sys(SYS_sendto, log_fd, text->bytes, text->length,
			MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
		if (sent != -ECONNREFUSED && sent != -ENOTCONN && sent != -ECONNRESET)
			break;
		if (la_sys(SYS_connect, log_fd, &device, sizeof(device)) < 0)
			break;
	}
	return sent;
}

static void begin(struct text *text)
{
	if (kind == SYSLOG)
		put(text, "<29>lastack:"); /* daemon.notice */
	else if (atomic_exchange(&torn, false))
		text->bytes[text->length++] = '\n';
	key(text, "time");
	put_time(text);
	key(text, "pid");
	put_number(text, (uint64_t)la_sys(SYS_getpid), 1);
	key(text, "exe");
	put(text, la_enforce_config.exe ? la_enforce_config.exe : "?");
}

static void write_out(struct text *text)
{
	int fd = detached ? open_file(file) : log_fd;
	uint32_t missing = atomic_exchange(&lost, 0);
	long written;

	if (missing) {
		key(text, "lost_lines");
		put_number(text, missing, 1);
	}
	if (kind != SYSLOG)
		text->bytes[text->length++] = '\n';
	written = kind == SYSLOG ? send_to_syslog(text)
				 : la_sys_write_aside(fd, text->bytes, text->length);
	if (detached && fd >= 0)
		la_sys(SYS_close, fd);
	if (written == (long)text->length)
		return;
	if (written > 0)
		atomic_store(&torn, true);
	atomic_fetch_add(&lost, missing + 1);
	la_track_lacks(LA_LACK_LOG, (int)written);
}

/* Those that say what is lacking; no function of the C library on strings, which a sanitizer may have replaced. */
static void put_error(struct text *text, int error)
{
#define NAME(error) [error] = #error
	static const char *const names[] = {NAME(EPERM), NAME(ENOENT), NAME(EIO), NAME(EAGAIN),
		NAME(ENOMEM), NAME(EACCES), NAME(EEXIST), NAME(ENOTDIR), NAME(EISDIR), NAME(EINVAL),
		NAME(ENFILE), NAME(EMFILE), NAME(EFBIG), NAME(ENOSPC), NAME(EROFS),
		NAME(ENAMETOOLONG), NAME(ENOSYS), NAME(ELOOP), NAME(EDQUOT)};
#undef NAME

	if ((size_t)error < sizeof(names) / sizeof(names[0]) && names[error])
		put(text, names[error]);
	else
		put_number(text, (uint64_t)error, 1);
}

void la_log_lack(enum la_lack lack, int error)
{
	struct text text = {.length = 0};
	const char *meaning = la_lack_meaning(lack);

	/* Of the log itself the region tells. */
	if (kind == NOWHERE || lack == LA_LACK_LOG)
		return;
	begin(&text);
	key(&text, "off");
	put(&text, la_lack_name(lack));
	if (error < 0) {
		key(&text, "error");
		put_error(&text, -error);
	}
	key(&text, "meaning");
	put_sentence(&text, meaning);
	write_out(&text);
}

void la_log_policy(const char *result, const char *name, const char *why)
{
	struct text text = {.length = 0};

	if (kind == NOWHERE)
		return;
	begin(&text);
	key(&text, "action");
	put(&text, "policy");
	key(&text, "result");
	put(&text, result);
	key(&text, "policy");
	put(&text, name);
	if (why) {
		key(&text, "reason");
		put_sentence(&text, why);
	}
	write_out(&text);
}

void la_log(const struct la_log_line *line)
{
	struct text text = {.length = 0};

	if (kind == NOWHERE)
		return;
	begin(&text);
	key(&text, "action");
	put(&text, line->action);
	key(&text, "rule");
	put(&text, line->rule_section);
	if (line->rule_name && *line->rule_name) {
		put(&text, "/");
		put(&text, line->rule_name);
	}
	key(&text, "result");
	put(&text, line->result);
	key(&text, "role");
	put(&text, la_role_name(line->record->role));
	key(&text, "local");
	put_address(&text, line->record->local, line->record->local_port);
	key(&text, "peer");
	put_address(&text, line->record->remote, line->record->remote_port);
	key(&text, "cookie");
	put_number(&text, atomic_load(&line->record->cookie), 1);
	if (line->fd >= 0) {
		key(&text, "fd");
		put_number(&text, (uint64_t)line->fd, 1);
		key(&text, "idle_ms");
		put_number(&text, line->idle_ns / LA_MS_NS, 1);
	} else {
		key(&text, "drained_bytes");
		put_number(&text, line->bytes, 1);
		key(&text, "unacked_bytes");
		put_number(&text, line->unacked > 0 ? (uint64_t)line->unacked : 0, 1);
		if (line->keeps_address) {
			key(&text, "address_in_use");
			put(&text, "60s");
		}
	}
	write_out(&text);
}
