/*
 * Names of errors, signals and their codes: pure data.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_NAMES_H
#define EPITAPH_NAMES_H

/* "ENOENT: no such file or directory" for a positive errno; "error" where it has no entry. AS-safe.
 */
const char *error_name(int error);

/* "EAI_NONAME: name or service not known" for what getaddrinfo returns. AS-safe. */
const char *lookup_error_name(int error);

/* "SIGTERM"; "signal 42" has no name of its own: NULL. AS-safe. */
const char *signal_name(int sig);

/* "SI_USER", "SEGV_MAPERR", …; NULL where it has no entry. AS-safe. */
const char *signal_code_name(int sig, int code);

#endif
