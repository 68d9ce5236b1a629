/* SPDX-License-Identifier: MIT */
/*
 * shutdown(2): the application says that it is done.
 */
#include <errno.h>

#include "shim.h"

LA_COLD void la_half_closed(int fd, int how)
{
	int saved = errno;

	if (la_slot_load(fd) && la_here())
		la_track_half_closed(fd, how);
	errno = saved;
}

LA_EXPORT int shutdown(int fd, int how)
{
	int result = la_real.shutdown(fd, how);

	if (result == 0)
		la_half_closed(fd, how);
	return result;
}
