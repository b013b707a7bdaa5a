/*
 * How many threads the process had at most, as far as they were made by pthread_create.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_THREADS_H
#define EPITAPH_THREADS_H

/* The most that were there when one was made; 0: none was. AS-safe. */
int threads_most(void);

#endif
