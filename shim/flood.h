/*
 * Floods: of the records of one kind (and signal) the first five are written, the rest is counted.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_FLOOD_H
#define EPITAPH_FLOOD_H

#include <stdbool.h>

enum flood {
	FLOOD_RECEIVED,
	FLOOD_SENT,
	FLOOD_SPAWN,
	FLOOD_CHILD,
	FLOOD_HANDLER,
	FLOOD_FAILURE,
	FLOOD_KINDS
};

/* Whether one more record of a kind may be written; counts it. key: a signal's number below 32, a
 * kind of failure, or 0. AS-safe. */
bool flood_allows(enum flood kind, int key);

/* How many were left out so far. AS-safe. */
int flood_left_out(void);

#endif
