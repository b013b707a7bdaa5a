/*
 * The C library's stdout and stderr: without a buffer, and what is left in one before the end.
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

/* STREAM_STDOUT or STREAM_STDERR, or -1 for any other stream. AS-safe. */
static inline int streams_which(const FILE *f)
{
	if (f == streams_libc[STREAM_STDOUT])
		return f ? STREAM_STDOUT : -1;
	return f && f == streams_libc[STREAM_STDERR] ? STREAM_STDERR : -1;
}

/* Takes the buffers away, as EPITAPH_STDIO says. For load. */
void streams_load(void);

/* The same for C++'s streams, once their library has made them. For the moment before main. */
void streams_load_cxx(void);

/*
 * _exit and its like, which leave buffers as they are: writes out what stdout and stderr hold.
 * Never in a forked child, nor where a signal handler may have interrupted a use of the stream, nor
 * what a fork copied; waits a second at most, for all of it. Raises no signal, keeps errno.
 */
void streams_flush(void);

/* The program is about to fork: what is buffered now will be there twice. AS-safe. */
void streams_forks(void);

/* Bytes that a stream's buffer holds. AS-safe (it reads two pointers). */
size_t streams_pending(int stream);

/* What streams_flush wrote of a stream. */
size_t streams_flushed(int stream);

/* Why streams_flush left bytes in a stream (static text), or NULL. */
const char *streams_left(int stream);

#endif
