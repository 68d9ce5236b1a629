/* SPDX-License-Identifier: MIT */
/*
 * Values as people read them. Each writes to `text` and returns it.
 */
#ifndef LASTACK_FORMAT_H
#define LASTACK_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LA_TEXT_AGE = 32, LA_TEXT_ADDRESS = 64, LA_TEXT_BYTES = 32 };

/* "3s", "2m13s", "4h02m", "350ms"; ">=" in front when it is a lower bound. */
char *la_format_age(char text[LA_TEXT_AGE], uint64_t us, bool at_least);
/* "127.0.0.1:80", "[::1]:80"; "-" without port. Mapped IPv4 prints as IPv4. */
char *la_format_address(char text[LA_TEXT_ADDRESS], const uint8_t address[16], uint16_t port);
/* "0", "812", "1.5MiB" */
char *la_format_bytes(char text[LA_TEXT_BYTES], uint64_t bytes);

#endif
