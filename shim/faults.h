/*
 * Faults: what the interrupted thread was at, where the address lies, whether its stack was used
 * up; and the alternate stack on which that can be told.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_FAULTS_H
#define EPITAPH_FAULTS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "text.h"

/* The stack pointer of a handler's ucontext_t; 0 where that is not known. AS-safe. */
uintptr_t faults_stack_pointer(const void *context);

/* The first argument of the system call that the signal came out of, on the machines that keep it
 * (x86_64, i386); -1 elsewhere. AS-safe. */
int faults_first_argument(const void *context);

/* Whether the signal came out of a system call that did something: not out of kill, which returns
 * 0. True where the machine does not tell. AS-safe. */
bool faults_in_call(const void *context);

/* Whether a SIGSEGV says that the kernel had no room on the stack for another signal's frame: it
 * has the code SI_KERNEL, as has a general protection fault (trap 13). AS-safe. */
bool faults_no_room(int sig, int code, const void *context);

/*
 * Appends what lies at an address: the mapping, as /proc/self/maps has it, "in no mapping", or
 * nothing without /proc. With the stack pointer at the fault (or 0) it tells a stack that is used
 * up. True where it did. `buf`, at least 4 KiB, is scratch. AS-safe.
 */
bool faults_describe(struct text *t, uintptr_t address, uintptr_t stack_pointer, char *buf,
		     size_t cap);

/*
 * Gives this thread, the main one, an alternate stack of ours: without any, the kernel has no room
 * to call a watcher for a stack that is used up, and kills in silence. The program does not see it
 * (sigaltstack is interposed), and none of its handlers runs there: faults_drop_stack. For load.
 */
void faults_lend_stack(void);

/* The program is about to use SA_ONSTACK: ours goes, if this thread has it. AS-safe. */
void faults_drop_stack(void);

/* Has a program's handler see the context of a thread without an alternate stack. AS-safe. */
void faults_hide_stack(void *context);

#endif
