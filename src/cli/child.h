/* SPDX-License-Identifier: MIT */
/*
 * A command as a child that nobody can tell from a command run in our place: streams, process group and terminal are ours, signals go on to
 * it, it stops and goes on as we do.
 */
#ifndef LASTACK_CHILD_H
#define LASTACK_CHILD_H

/* Returns its status as wait(2) gives it; -1 when there was no child, which was said. */
int la_child_run(char *const argv[]);
/* The exit status that a shell would give for it. When it died of a signal, we do too, and this does not return. */
int la_child_end_as(int wait_status);

#endif
