/*
 * Signals that reached the program and that are made to end programs or to steer them: told,
 * counted, and the last one remembered for the sentence of an end that follows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_RECEIVED_H
#define EPITAPH_RECEIVED_H

#include <stdbool.h>
#include <stdint.h>

#include "sender.h"

/*
 * A signal is about to be handled by the program (`handler`), or was waited for (handler 0). `how`
 * ends the sentence, before the handler's name. `info` is a siginfo_t. Costs some 50 ns where it is
 * not told. AS-safe.
 */
void received_handled(int sig, const void *info, uintptr_t handler, const char *how);

/* A signal that the kernel would have dropped, for pid 1. AS-safe. */
void received_dropped(int sig, const void *info);

/* The last handled one; false where there was none. AS-safe. */
bool received_last(struct sender *s);

/* How many were handled. AS-safe. */
int received_count(void);

/* How many of one signal below 32; of 0: of all the others. AS-safe. */
int received_of(int sig);

#endif
