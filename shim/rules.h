/*
 * The rules by which the sentence of a voluntary end names what came before it. Facts go in, words
 * and fields come out: nothing is asked of the process or the kernel here, but the name of a
 * signal's sender.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_RULES_H
#define EPITAPH_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "failures.h"
#include "record.h"
#include "sender.h"

enum { RULES_SHORT_NS = 100000000 }; /* a life so short that a wrong program may be why */

/* Times are of CLOCK_BOOTTIME. A fact that is not known is left zero, but for output_bytes. */
struct facts {
	int code; /* as the parent sees it; of an abort, anything but 0 */
	int64_t start_ns, end_ns;
	bool main_process;    /* of its tree (ROLE_ROOT), and no forked child of it */
	bool aborted;	      /* crash reporters look into many files first */
	bool forked;	      /* only what this process itself did is told of it */
	struct sender signal; /* the last handled one; its number is 0 where there was none */
	const struct sender *handler; /* whose handler asked for the end, as told; NULL: none */
	const struct failure *failures[FAILED_KINDS]; /* NULL: none */
	int64_t input_ended_ns;			      /* 0: it did not */
	int children_running, child_pid;	      /* how many, and the first of them (or 0) */
	char child_name[16];
	bool had_children; /* reaped, or still running; looked for where nothing was written */
	int64_t child_failed_ns; /* when the last one was reaped, if it failed; else 0 */
	bool used_network;
	const char *deaf_port; /* it listened there, and listens nowhere now; NULL: not so */
	int64_t output_bytes;  /* written to stdout and stderr; -1: not known */
};

/* Appends to r->body what the rules have to say, and adds its fields. AS-safe. */
void rules_tell(struct record *r, struct facts *f);

/* How many bytes the program wrote to its stdout and stderr (output.c), or -1 where that is not
 * known. AS-safe. */
int64_t output_bytes(void);

#endif
