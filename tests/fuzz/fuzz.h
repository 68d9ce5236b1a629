/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share: libFuzzer's entry points, and a property that must hold.
 *
 * A target is built twice: with clang's -fsanitize=fuzzer (make fuzz), and plain with once.c, which gives it each kept
 * input once (make check).
 */
#ifndef LASTACK_FUZZ_H
#define LASTACK_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Change an input of `size` bytes in place; the new size, at most `most`. Of the region's target only. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);

/* To the descriptor: the region's target has standard error replaced. */
#define REQUIRE(holds, ...)                                                                      \
	do {                                                                                     \
		if (!(holds)) {                                                                  \
			dprintf(STDERR_FILENO, "%s:%d: broken: %s", __FILE__, __LINE__, #holds); \
			dprintf(STDERR_FILENO, "\n" __VA_ARGS__);                                \
			abort();                                                                 \
		}                                                                                \
	} while (0)

#endif
