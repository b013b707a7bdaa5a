/*
 * A look at a program that is about to be executed: will the shim come along?
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_TARGET_H
#define EPITAPH_TARGET_H

#include <stdbool.h>
#include <stddef.h>

enum follow {
	FOLLOW_YES,
	FOLLOW_NO,	/* reason says why */
	FOLLOW_UNKNOWN, /* reason says why it cannot be known */
	FOLLOW_MISSING, /* there is no such file, or it cannot be executed: the exec will fail */
};

struct target {
	enum follow follow;
	const char *reason; /* static text; a clause that follows "because it" */
	char path[512];	    /* resolved where that was possible, as it was given otherwise */
};

/*
 * Examines the file that execveat(dirfd, path) would run (an empty path is dirfd itself), through
 * its #! lines, with an environment. `buf`, at least 4 KiB, is scratch. AS-safe; opens and closes
 * one descriptor at a time. Sources: kernel fs/exec.c, fs/binfmt_script.c, man 8 ld.so (secure
 * mode).
 */
void target_examine(struct target *t, int dirfd, const char *path, char *const *envp, char *buf,
		    size_t cap);

/* The same for a bare name that execvp looks for in PATH (of the running process's environment). */
void target_search(struct target *t, const char *name, char *const *path_env, char *const *envp,
		   char *buf, size_t cap);

#endif
