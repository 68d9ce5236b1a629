/* SPDX-License-Identifier: MIT */
/* alpha.c by another name, of the same size. */
#define NAME omega
#include "alpha.c"
