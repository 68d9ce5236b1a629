/* SPDX-License-Identifier: MIT */
/*
 * lastack list --coverage: what of each preloaded process the hooks do not see.
 */
#ifndef LASTACK_COVERAGE_H
#define LASTACK_COVERAGE_H

#include <stdbool.h>

/* Print it as a table or as JSON. LA_EXIT_FINDINGS when something is out of sight now, else LA_EXIT_OK or a failure. */
int la_coverage_print(bool json);

#endif
