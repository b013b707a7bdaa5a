/*
 * The C library's stdout and stderr, and C++'s: without a buffer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_STREAMS_H
#define EPITAPH_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { STREAM_STDOUT, STREAM_STDERR, STREAMS };

/* libc's own two, as they were at load; NULL where there are none. The objects are static in glibc
 * and musl, so they can be looked at for as long as the process lives; what the program's variable
 * `stdout` points to need not. */
extern FILE *streams_libc[STREAMS];

/* The process is Python's interpreter, and has no buffer. */
extern bool streams_python;

/* glibc's word on whether there is one thread only (2.32 and later); NULL: not known, or stdout has
 * a buffer. */
extern const char *streams_alone;

/* STREAM_STDOUT or STREAM_STDERR, or -1 for any other stream. AS-safe. */
static inline int streams_which(const FILE *f)
{
	if (f == streams_libc[STREAM_STDOUT])
		return f ? STREAM_STDOUT : -1;
	return f && f == streams_libc[STREAM_STDERR] ? STREAM_STDERR : -1;
}

/* Takes the buffers away, as EPITAPH_STDIO says. For load. */
void streams_load(void);

/* The same for C++'s and Rust's, once their libraries have made them. For the moment before main.
 */
void streams_load_runtimes(void);

#endif
