/*
 * The readable form of the names that Rust and C++ compilers make, as far as a person needs it to
 * recognise a function: path::to::function, without parameters and template arguments.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_DEMANGLE_H
#define EPITAPH_DEMANGLE_H

#include "text.h"

/* Appends the readable name; a name that is not mangled, or not simple, is appended as it is.
 * AS-safe. */
void demangle(struct text *t, const char *symbol);

#endif
