/*
 * Children: what became of those that this process reaped. Their end by a signal is told, because
 * SIGKILL has no other witness inside a container.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_CHILDREN_H
#define EPITAPH_CHILDREN_H

#include <stdint.h>

struct child_end {
	int pid;
	int status; /* as wait(2) gives it */
	int64_t when_ns;
};

/* A child is about to be made, or waited for: from here on the cgroup's count of out-of-memory
 * kills can be told as a difference. Reads /proc and the cgroup once. AS-safe. */
void children_expected(void);

/* A child was started with this program: its name at its end. AS-safe. */
void children_spawned(int pid, const char *path);

/* How many were reaped, and the last of them. AS-safe. */
int children_reaped(struct child_end *last);

/* The out-of-memory kills of the cgroup since children_expected; -1 where that is not known.
 * AS-safe. */
int64_t children_oom_kills(void);

#endif
