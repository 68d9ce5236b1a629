/* SPDX-License-Identifier: MIT */
/*
 * The preloaded library's own notes in this process: which connection a number is. They are private memory, so they are found by the
 * symbol table of liblastack.so.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdbool.h>
#include <stdint.h>

/* False when this process is not preloaded, or the library is stripped. */
bool slots_find(void);
uint64_t slot_of(int fd);
uint32_t references_of(uint64_t slot);

#endif
