/* SPDX-License-Identifier: MIT */
/*
 * Values as people read them.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "format.h"

char *la_format_age(char text[LA_TEXT_AGE], uint64_t us, bool at_least)
{
	const char *front = at_least ? ">=" : "";
	uint64_t seconds = us / 1000000;

	if (us < 1000000)
		snprintf(text, LA_TEXT_AGE, "%s%ums", front, (unsigned int)(us / 1000));
	else if (seconds < 60)
		snprintf(text, LA_TEXT_AGE, "%s%us", front, (unsigned int)seconds);
	else if (seconds < 3600)
		snprintf(text, LA_TEXT_AGE, "%s%um%02us", front, (unsigned int)(seconds / 60),
			(unsigned int)(seconds % 60));
	else if (seconds < 86400)
		snprintf(text, LA_TEXT_AGE, "%s%uh%02um", front, (unsigned int)(seconds / 3600),
			(unsigned int)(seconds / 60 % 60));
	else
		snprintf(text, LA_TEXT_AGE, "%s%ud%02uh", front, (unsigned int)(seconds / 86400),
			(unsigned int)(seconds / 3600 % 24));
	return text;
}

char *la_format_address(char text[LA_TEXT_ADDRESS], const uint8_t address[16], uint16_t port)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char host[INET6_ADDRSTRLEN] = "?";

	if (port == 0) {
		strcpy(text, "-");
	} else if (memcmp(address, mapped, 12) == 0) {
		inet_ntop(AF_INET, address + 12, host, sizeof(host));
		snprintf(text, LA_TEXT_ADDRESS, "%s:%u", host, port);
	} else {
		inet_ntop(AF_INET6, address, host, sizeof(host));
		snprintf(text, LA_TEXT_ADDRESS, "[%s]:%u", host, port);
	}
	return text;
}

char *la_format_bytes(char text[LA_TEXT_BYTES], uint64_t bytes)
{
	static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	int unit = 0;

	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	snprintf(text, LA_TEXT_BYTES, unit ? "%.1f%s" : "%.0f%s", value, units[unit]);
	return text;
}
