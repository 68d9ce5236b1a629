/* SPDX-License-Identifier: MIT */
/* PID:FD on the command line. */
#include <stdlib.h>

#include "target.h"

bool la_target_parse(const char *text, uint32_t *pid, int32_t *fd)
{
	unsigned long process, number;
	char *end;

	if (*text < '1' || *text > '9')
		return false;
	process = strtoul(text, &end, 10);
	if (*end != ':' || end[1] < '0' || end[1] > '9' || process > 0x7fffffff)
		return false;
	number = strtoul(end + 1, &end, 10);
	if (*end || number > 0x3fffffff)
		return false;
	*pid = (uint32_t)process;
	*fd = (int32_t)number;
	return true;
}
