/* SPDX-License-Identifier: MIT */
/* PID:FD on the command line. */
#ifndef LASTACK_TARGET_H
#define LASTACK_TARGET_H

#include <stdbool.h>
#include <stdint.h>

/* False when `text` is not two numbers with a colon between. */
bool la_target_parse(const char *text, uint32_t *pid, int32_t *fd);

#endif
