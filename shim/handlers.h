/*
 * Which signal's handler stands on a stack, where a trace crossed the kernel's frame.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_HANDLERS_H
#define EPITAPH_HANDLERS_H

#include <stdbool.h>
#include <stdint.h>

#include "sender.h"
#include "unwind.h"

struct handling {
	int signal;	      /* 0: it is a handler, but which signal's is not known */
	bool informed;	      /* the kernel's siginfo was there: the rest is valid */
	struct sender sender; /* when_ns is now */
	uintptr_t address;    /* of a fault */
	uintptr_t site;	      /* the interrupted code, or 0 */
};

/*
 * False where the trace crossed no handler. The kernel writes a siginfo only for handlers that
 * asked for one (SA_SIGINFO); elsewhere on the stack there is an older one, or anything: so it
 * counts only where it agrees with the dispositions. `died_of`: the signal whose watcher runs, or
 * 0. AS-safe; a system call for each signal.
 */
bool handlers_running(const struct trace *t, int died_of, struct handling *h);

#endif
