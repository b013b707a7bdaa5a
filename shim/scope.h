/*
 * Which process is the main one of its tree. The first that loads the shim marks itself for its
 * descendants in the environment:
 *
 *     EPITAPH_ROOT=PID:LOADED:DEV:INO
 *
 * LOADED (nanoseconds since boot) proves that the pid still is that process: it must have started
 * before, must be an ancestor, and the mark must not come from the future. So a mark that was baked
 * into an image, or that outlived its container, hides nobody. (The process's own start time would
 * be the plainer proof, but reading it costs the main process a fifth of its budget at start; only
 * children read /proc.) DEV:INO is the root's log, so that a child whose stderr was redirected does
 * not write into what the program made of it.
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
	uint64_t loaded_ns;
	struct log_identity log;
};

/* Reads a mark; false (and *m zero) where it is not one. */
bool mark_parse(struct mark *m, const char *s);

/* "EPITAPH_ROOT=…" into buf (at least 96 bytes). */
void mark_format(char *buf, size_t cap, const struct mark *m);

/* Finds the role of this process from the mark it inherited; clears a mark that is stale. */
int scope_role(struct mark *m, int pid, int parent);

/* Whether EPITAPH_SCOPE wants an end record of this process; `forked`: it has not exec'd. AS-safe.
 */
bool scope_reports(bool forked);

/* Whether EPITAPH_SCOPE wants the record of a death by a signal: of any process, but for `root`.
 * AS-safe. */
bool scope_reports_death(bool forked);

#endif
