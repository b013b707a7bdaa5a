/*
 * What moods.c offers to the other hook files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_MOODS_H
#define EPITAPH_MOODS_H

/*
 * The program is about to enter seccomp, whose filter may answer any system call that it does not
 * expect with SIGSYS or SIGKILL. Says so, and makes every hook pass through from here on. AS-safe.
 */
void moods_silence(void);

#endif
