/*
 * What moods.c offers to the other hook files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_MOODS_H
#define EPITAPH_MOODS_H

#include <stdbool.h>

/*
 * The program is about to enter seccomp, whose filter may answer any system call that it does not
 * expect with SIGSYS or SIGKILL. Says so, and makes every hook pass through from here on. AS-safe.
 */
void moods_silence(void);

/* The sandbox was refused: as before. AS-safe. */
void moods_speak(void);

/* Whether the words of a seccomp(2) or prctl(2) call enter a sandbox; one without a filter program
 * only asks whether the kernel knows filters. AS-safe. */
bool moods_sandboxes_seccomp(long operation, long program);
bool moods_sandboxes_prctl(long option, long mode, long program);

#endif
