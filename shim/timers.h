/*
 * Who armed the timer whose signal came.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_TIMERS_H
#define EPITAPH_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct armed {
	const char *call; /* "alarm", "setitimer", "timer_create" */
	uintptr_t caller;
	int64_t when_ns; /* CLOCK_BOOTTIME */
};

/* The last call that armed a timer of this signal; false where none was seen: before an exec, or by
 * a raw system call. AS-safe. */
bool timers_armed(int sig, struct armed *a);

#endif
