/* SPDX-License-Identifier: MIT */
/*
 * Who carries out a request: a process of the family, one of its threads, or the keeper.
 */
#ifndef ACTORS_H
#define ACTORS_H

#include <sys/types.h>

#include "program.h"

/* Makes the stage and the keeper, who runs `lastack list -J` too; nothing is tracked yet. */
void actors_start(const char *self, const char *list_command);
/* `thread` 0 is the first one; others only in process 0. */
void ask(int process, int thread, const struct request *request, struct answer *answer);
/* Process `child` has been made by a FORK. */
void actors_joined(int child, pid_t pid);
/* OP_EXIT: by _exit, exit or SIGKILL; returns when it is gone. */
void actors_end(int child, int how);
void thread_again(int thread);
/* The keeper: its descriptors, and the command that lists. */
void keep(const char *numbers, const char *command);
/* Writes what `lastack list -J` says to `file`. */
void ask_list(void);

#endif
