/* SPDX-License-Identifier: MIT */
/*
 * Real loopback connections for the tests of tracking. No hook is loaded: each test makes the system call and then tells
 * tracking, as a hook would.
 */
#ifndef TRACK_HELPERS_H
#define TRACK_HELPERS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lastack/kernel.h>
#include <lastack/track.h>

static char region_folder[] = "/tmp/lastack-test-XXXXXX";
static int listener = -1;
static struct sockaddr_in listener_address;

static inline int open_listener(void)
{
	socklen_t length = sizeof(listener_address);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	la_track_socket(listener, LA_SLOT_TCP);
	listener_address.sin_family = AF_INET;
	listener_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener_address.sin_port = 0;
	if (bind(listener, (struct sockaddr *)&listener_address, length) != 0 ||
		listen(listener, 128) != 0 ||
		getsockname(listener, (struct sockaddr *)&listener_address, &length) != 0)
		return -1;
	la_track_listening(listener);
	return 0;
}

/* Group setup. `seconds` bounds the whole program. */
static inline int start_tracking(unsigned int seconds)
{
	static struct la_track_settings settings = {.exe = "test", .exe_path = "/test"};

	alarm(seconds);
	if (!mkdtemp(region_folder))
		return -1;
	settings.dir = region_folder;
	la_track_start(&settings);
	return open_listener();
}

static inline int end_tracking(void **state)
{
	(void)state;
	la_track_finish();
	return rmdir(region_folder); /* empty: the last process took the region away */
}

static inline int tracked_accept(void)
{
	int fd = accept(listener, NULL, NULL);

	la_track_accepted(listener, fd);
	return fd;
}

static inline int untracked_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&listener_address, sizeof(listener_address)), 0);
	return fd;
}

static inline int tracked_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	la_track_socket(fd, LA_SLOT_TCP);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&listener_address, sizeof(listener_address)), 0);
	la_track_connected(fd, false);
	return fd;
}

/* As the close hook does it. */
static inline struct la_release tracked_close(int fd)
{
	struct la_release release = la_track_release(fd);

	if (release.last)
		la_track_closed(&release, fd);
	close(fd);
	return release;
}

/* End `fd`, of which tracking knows nothing, without TIME-WAIT: thousands of these would use up all ports. */
static inline void close_by_reset(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

static inline struct la_connection_record *record_at(uint32_t index)
{
	struct la_region *region = atomic_load(&la_track_region);

	assert_non_null(region);
	return &region->connections[index];
}

static inline struct la_connection_record *record_of(int fd)
{
	struct la_connection_record *record = la_track_record(la_slot_load(fd), NULL);

	assert_non_null(record);
	return record;
}

static inline enum la_phase phase_of(const struct la_connection_record *record)
{
	return LA_WORD_PHASE(atomic_load(&record->word));
}

#endif
