/* SPDX-License-Identifier: MIT */
/*
 * In which epoll sets is a number? Learnt from the application's own epoll_ctl.
 *
 * epoll registers the open description: while a dup of ours lives, a set would go on reporting the number that the application has
 * closed, with its old data pointer (facts/linux-close.md section 6, hazard 4). So a graceful close leaves all sets first.
 */
#include <sys/epoll.h>

#include "internal.h"

void la_enforce_epoll(int epoll, int op, int fd)
{
	_Atomic int *sets = la_slot_epolls(fd);
	int i, empty;

	if (!sets)
		return;
	if (op == EPOLL_CTL_DEL) {
		for (i = 0; i < LA_SLOT_EPOLLS; i++) {
			int known = epoll + 1;

			atomic_compare_exchange_strong(&sets[i], &known, 0);
		}
		return;
	}
	if (op != EPOLL_CTL_ADD)
		return;
	for (i = 0; i < LA_SLOT_EPOLLS; i++) {
		empty = 0;
		if (atomic_compare_exchange_strong(&sets[i], &empty, epoll + 1) ||
			empty == epoll + 1)
			return;
	}
	atomic_store(
		&sets[LA_SLOT_EPOLLS - 1], -1); /* more than we can remember: no graceful close */
}
