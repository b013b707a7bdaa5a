/*
 * Children: what became of those that this process reaped. Their end by a signal is told, because
 * SIGKILL has no other witness inside a container.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_CHILDREN_H
#define EPITAPH_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct child_end {
	int pid;
	int status; /* as wait(2) gives it */
	int64_t when_ns;
	const char *name; /* where posix_spawn started it, else NULL */
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

/* How many children run now; the first one's pid (0: not known) and name (16 bytes). One system
 * call where there are none; else reads /proc. buf: 1024 bytes do. AS-safe. */
int children_running(int *pid, char *name, char *buf, size_t cap);

/* Whether this process has reaped any child, in whatever way. One system call. AS-safe. */
bool children_had(void);

#endif
