/* SPDX-License-Identifier: MIT */
/*
 * run --leak-check. The environment must be as the command will have it (LD_PRELOAD).
 */
#ifndef LASTACK_LEAK_CHECK_H
#define LASTACK_LEAK_CHECK_H

enum { LA_LEAK_STATUS = 99 };

/* The exit status: `leak_status` when there were leaks, else the command's. */
int la_leak_check(char *const argv[], int leak_status);

#endif
