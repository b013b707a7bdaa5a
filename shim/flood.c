/*
 * Counting instead of writing; the contract is in flood.h.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "flood.h"

enum { TOLD_MOST = 5, KEYS = 32 };

static int told[FLOOD_KINDS][KEYS];
static int left_out;

bool flood_allows(enum flood kind, int key)
{
	int *n = &told[kind][key & (KEYS - 1)];

	/* Two threads may both get the last place: a sixth line does no harm, a locked add in each
	 * of a million signals would. */
	if (__atomic_load_n(n, __ATOMIC_RELAXED) < TOLD_MOST) {
		__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
		return true;
	}
	__atomic_fetch_add(&left_out, 1, __ATOMIC_RELAXED);
	return false;
}

int flood_left_out(void)
{
	return __atomic_load_n(&left_out, __ATOMIC_RELAXED);
}
