/* SPDX-License-Identifier: MIT */
#ifndef LASTACK_FUZZ_SYMBOLIZE_H
#define LASTACK_FUZZ_SYMBOLIZE_H

#include <lastack/region_reader.h>

/* Ask for every frame of every stack. */
void symbolize_all(const struct la_region_copy *copy);

#endif
