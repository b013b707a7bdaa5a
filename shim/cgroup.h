/*
 * The memory that the process's control group may use and has used, and how many processes were
 * killed in it for want of memory (man 7 cgroups; the kernel's cgroup-v2.rst and
 * cgroup-v1/memory.rst). Both functions are async-signal-safe and work in `buf` alone: 4096 bytes
 * do for any path that engines make; where one does not fit, nothing is known.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_CGROUP_H
#define EPITAPH_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroup_memory {
	bool known;    /* the group was found */
	int version;   /* 1 or 2; 0 where it was not */
	int64_t limit; /* bytes: the smallest of the group's and its visible ancestors'; -1 none */
	int64_t peak;  /* bytes, -1 unknown (version 2 tells it since Linux 5.19) */
	int64_t current;   /* bytes, -1 unknown */
	int64_t oom_kills; /* as cgroup_oom_kills */
};

/* Returns m->known. */
bool cgroup_memory(struct cgroup_memory *m, char *buf, size_t cap);

/*
 * Processes killed by the kernel for want of memory since the group was made (version 2: in the
 * groups below it too), or -1. It does not go back to 0 with a new process: only the difference of
 * two calls tells of one's own time.
 */
int64_t cgroup_oom_kills(char *buf, size_t cap);

/* The same two, with `root` before every path: for tests. */
bool cgroup_memory_below(const char *root, struct cgroup_memory *m, char *buf, size_t cap);
int64_t cgroup_oom_kills_below(const char *root, char *buf, size_t cap);

#endif
