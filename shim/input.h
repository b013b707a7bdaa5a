/*
 * What this process reads that bears on its end: signals from a signalfd, the end of stdin.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_INPUT_H
#define EPITAPH_INPUT_H

#include <stdint.h>

/* When a read of descriptor 0 last came to its end of file, on CLOCK_BOOTTIME; 0: it did not, or
 * something was read since. AS-safe. */
int64_t input_ended(void);

#endif
