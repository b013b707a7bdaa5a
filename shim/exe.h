/*
 * The path of the running executable, without /proc where that can be avoided: the first look into
 * /proc/self makes the kernel build, and at the end take down, a directory for this process, which
 * costs as much as the whole start of the shim.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_EXE_H
#define EPITAPH_EXE_H

#include <stddef.h>

enum { EXE_BUFFER = 3 * 4096 };

/*
 * What /proc/self/exe would say, into the first 4,096 bytes of buf (EXE_BUFFER bytes; the rest is
 * scratch): the file that was executed, with its symbolic links resolved, where that is an absolute
 * path to an ELF file; else, as for a script, by asking /proc. Its length, or -errno. AS-safe.
 */
long exe_path(char *buf);

#endif
