/* SPDX-License-Identifier: MIT */
/*
 * Can a program be preloaded, and is it really?
 */
#ifndef LASTACK_PRELOAD_H
#define LASTACK_PRELOAD_H

#include <stdbool.h>

enum { LA_REASON = 512 };

/*
 * Follow PATH and #! lines from `command` to the binary that the kernel will run. Returns 0; or 127, 126 as env(1), or
 * LA_EXIT_PRELOAD where the shim would be lost on the way, with `reason` saying why.
 */
int la_preload_resolve(const char *command, char binary[4096], char reason[LA_REASON]);

/*
 * False when `binary` cannot take `shim` along: static, musl, of another class or machine, setuid, with capabilities; or when it cannot be
 * read, and so nobody can tell.
 */
bool la_preload_possible(const char *binary, const char *shim, char reason[LA_REASON]);

/*
 * Let the program's own loader load everything, and stop before the program runs. False when the shim was not among what it loaded. The
 * environment must be as it will be (LD_PRELOAD). `asan`: AddressSanitizer's library is there, which refuses to run behind another.
 */
bool la_preload_verify(const char *binary, const char *shim, bool *asan, char reason[LA_REASON]);

#endif
