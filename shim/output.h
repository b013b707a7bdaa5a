/*
 * What the program wrote to stdout and stderr, as far as its calls are seen: counts, the time and
 * the tail of the last output, and the failures by which logs vanish.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_OUTPUT_H
#define EPITAPH_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

/* Before the program and our own log write anything. `executed`: another program was watched in
 * this process before. */
void output_load(bool executed);

/* Bytes that a call wrote to STREAM_STDOUT or STREAM_STDERR; NULL data: their text was not seen.
 * AS-safe. */
void output_wrote(int stream, const void *data, size_t n);

/* A call that did not write: told once for each stream and error. `lost` bytes are at stake; 0: not
 * known. Keeps errno. AS-safe. */
void output_failed(int stream, const char *call, int error, size_t lost);

/* libc's errno as it is now. AS-safe. */
int output_errno(void);

/* Appends the report's line to r->details, and the fields. `exits`: libc's exit is under way, which
 * empties the buffers behind all handlers. AS-safe. */
void output_describe(struct record *r, bool exits);

#endif
