/*
 * The end record: from a claim and what else is known to the sentence.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_VERDICT_H
#define EPITAPH_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "ending.h"
#include "sender.h"
#include "unwind.h"

/* Who asked for an end, or what forced it: taken down at once, while its stack is there. */
struct claim {
	int owner; /* pid whose claim this is; 0: nobody's */
	int ready; /* the rest is filled in */
	enum cause cause;
	int code; /* as given: exit(-1) is -1 */
	const char *call;
	uintptr_t caller;
	int tid;
	char thread[16];
	int64_t when_ns;
	struct sender sender; /* with CAUSE_SIGNAL */
	bool own_write;	      /* SIGPIPE, SIGXFSZ: of a call that writes, not of kill */
	bool no_room;	      /* SIGSEGV: for the frame of another signal */
	/* of a fault; the system call's number with SIGSYS, its descriptor (or -1) with SIGPIPE */
	uintptr_t address;
	uintptr_t stack_pointer; /* where a signal interrupted, or 0 */
	struct trace trace;
};

/*
 * Writes the end record. `c` decided the code; `under_way` is the end that had been begun before,
 * or NULL; `forked`: in a child that has not exec'd; `again`: the outcome changed after a record
 * was out. AS-safe.
 */
void verdict_write(const struct claim *c, const struct claim *under_way, int code, bool forked,
		   bool again);

#endif
