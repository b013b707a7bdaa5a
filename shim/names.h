/*
 * Names of errors: pure data.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_NAMES_H
#define EPITAPH_NAMES_H

/* "ENOENT: no such file or directory" for a positive errno; "error" where it has no entry. AS-safe. */
const char *error_name(int error);

#endif
