/*
 * Why a process aborts, as libc and the C++ runtime know it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_ABORTS_H
#define EPITAPH_ABORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

/* abort was called from here: where that is the C++ runtime, the type of the exception in flight is
 * taken down. In the aborting thread. */
void aborts_note(uintptr_t caller);

/* Appends ": MESSAGE" of a failed assert, a heap check or a smashed stack, as libc printed it,
 * where there is one. AS-safe. */
void aborts_message(struct text *t);

/* Appends " of type NAME" where aborts_note found one. AS-safe. */
void aborts_exception(struct text *t);

#endif
