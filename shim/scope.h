/*
 * Which process is the main one of its tree. The first that loads the shim marks itself for its
 * descendants in the environment:
 *
 *     EPITAPH_ROOT=PID:START:DEV:INO
 *
 * START (clock ticks since boot) proves that the pid still is that process: a mark that was baked
 * into an image, or that outlived its container, hides nobody. DEV:INO is the root's log, so that a
 * child whose stderr was redirected does not write into what the program made of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_SCOPE_H
#define EPITAPH_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"

struct mark {
	int pid; /* 0: none */
	uint64_t start;
	struct log_identity log;
};

/* Reads a mark; false (and *m zero) where it is not one. */
bool mark_parse(struct mark *m, const char *s);

/* "EPITAPH_ROOT=…" into buf (at least 96 bytes). */
void mark_format(char *buf, size_t cap, const struct mark *m);

/* Finds the role of this process from the mark it inherited; clears a mark that is stale. */
int scope_role(struct mark *m, int pid, int parent);

/* Whether EPITAPH_SCOPE wants an end record of this process; `forked`: it has not exec'd. AS-safe. */
bool scope_reports(bool forked);

#endif
