/* SPDX-License-Identifier: MIT */
/*
 * Metrics: OpenMetrics 1.0 text of all regions, joined with the kernel. Labels have bounded values only; what is zero is there too.
 */
#ifndef LASTACK_METRICS_H
#define LASTACK_METRICS_H

#include <stdio.h>

#include "snapshot.h"

void la_metrics_print(FILE *to, const struct la_snapshot *snapshot);

/* Answer GET /metrics on ADDRESS:PORT ([ADDRESS]:PORT for IPv6) until SIGINT or SIGTERM. Returns an exit status, having said why. */
int la_metrics_listen(const char *where);

/* A fresh text, to be freed; NULL with *status set when there is none to be had. */
char *la_metrics_text(size_t *length, int *status);

#endif
