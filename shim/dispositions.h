/*
 * The disposition table. There is no copy of what the program believes beside the kernel's own
 * state: the kernel is given, instead of the program's handler, one of many numbered entry points,
 * and the number leads to an immutable description of what the program asked for. So whatever the
 * kernel delivers carries its own disposition along, with its mask and flags: a signal that comes
 * in while another thread changes the disposition finds the old one or the new one, never a mix,
 * and there is no lock. What the program reads back is decoded from what the kernel answers.
 *
 * Where the default action would end the process, an entry point of the same kind stands: the
 * watcher.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_DISPOSITIONS_H
#define EPITAPH_DISPOSITIONS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

typedef int sigaction_function(int, const struct sigaction *, struct sigaction *);

/* Puts watchers where the disposition is SIG_DFL. For load, and for after dispositions_unwatch. */
void dispositions_watch(void);

/* Gives the kernel its defaults back, for a process that Epitaph must leave alone from now on: a
 * watcher makes system calls. The program's handlers keep their entry points, which make none.
 * AS-safe. */
void dispositions_unwatch(void);

/* Whether there ever were watchers: then what the program reads must be decoded. AS-safe. */
bool dispositions_virtual(void);

/* sigaction(2) as the program is to see it, by way of `next`, libc's own. errno as that leaves it.
 * AS-safe. */
int dispositions_change(sigaction_function *next, int sig, const struct sigaction *act,
			struct sigaction *old);

/* Tells of a signal that was received without a handler (sigwait and relatives, signalfd); `how`
 * ends the sentence. AS-safe. */
void dispositions_waited(int sig, const void *info, const char *how);

/* Whether what the kernel has as a handler stands for the default action. AS-safe. */
bool dispositions_is_default(uintptr_t kernel_handler);

/* Whether the default action of a signal stands now. One system call. AS-safe. */
bool dispositions_defaulted(int sig);

/* Whether the program ever set a handler of its own for a signal, by a call that we see. AS-safe.
 */
bool dispositions_had_handler(int sig);

/* The program's handler of a signal, with its sa_flags; 0 where the disposition is the default or
 * to ignore. One system call. AS-safe. */
uintptr_t dispositions_handler(int sig, int *flags);

/* Gives the kernel its default action back: what is about to happen has been told. AS-safe. */
bool dispositions_give_back(int sig);

/* Whether the default action of a signal ends a process and Epitaph watches it. */
bool dispositions_deadly(int sig);

#endif
