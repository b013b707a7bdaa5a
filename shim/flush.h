/*
 * What stands in the buffers of output streams when the process ends: stdout, stderr, and the
 * streams that the program opened itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_FLUSH_H
#define EPITAPH_FLUSH_H

#include <stddef.h>
#include <stdio.h>

#include "streams.h"

/* In place of a stream's number: all that the program opened itself, as far as they are known. */
enum { FLUSH_OTHERS = STREAMS, FLUSH_KINDS };

/*
 * _exit and its like, which leave buffers as they are: writes out what they hold. Never in a forked
 * child, nor where a signal handler may have interrupted a use of the stream, nor what a fork
 * copied; waits a second at most, for all of it. Raises no signal, keeps errno.
 */
void flush_all(void);

/* The program is about to fork: what is buffered now will be there twice, for as long as it is not
 * written. AS-safe. */
void flush_forks(void);

/* A stream of the program's own, by fopen, fdopen or freopen with `mode`: known from now on, where
 * it can be written to. Before it is closed it must be told: libc frees it. AS-safe. */
void flush_opened(FILE *f, const char *mode);
void flush_closing(FILE *f);

/* Writes what a call left, never waiting inside a write, for a second at most in all. Returns the
 * bytes written. AS-safe. */
size_t flush_rest(int fd, const char *from, size_t n);

/* Bytes that the buffers of this kind hold now. AS-safe (it reads two pointers of a stream). */
size_t flush_pending(int kind);

/* What flush_all wrote. */
size_t flush_done(int kind);

/* Why flush_all left bytes (static text), or NULL. */
const char *flush_left(int kind);

#endif
