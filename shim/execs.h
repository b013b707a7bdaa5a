/*
 * What execs.c offers to the other hook files: exec by number comes in through syscall(2).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_EXECS_H
#define EPITAPH_EXECS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Writes the exec record for a path (relative to dirfd; empty: dirfd itself) before the kernel is
 * asked, because success does not return. `search`: look for it in PATH, as execvp does. True where
 * a record was written. AS-safe; in a vfork child, too.
 */
bool execs_announce(int dirfd, const char *path, char *const *envp, bool search, uintptr_t caller);

#endif
