/*
 * What network.c knows of the program's sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_NETWORK_H
#define EPITAPH_NETWORK_H

#include <stdbool.h>

/* Whether this process asked for a connection, a name, or to be reached. AS-safe. */
bool network_used(void);

#endif
