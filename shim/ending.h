/*
 * The funnel: every way to end comes through here. The first cause is claimed by compare-and-swap
 * and described at once, while its stack is there; the record is written once, as late as the way
 * to end allows, with the exit code that the parent will see.
 *
 *     ending_begin     somebody asks for the end: who, how, from where
 *     ending_commit    the last moment that we get: write the record
 *
 * Nobody waits for anybody. Claims are kept by pid, the loader's own apart from forked children's:
 * a vfork child, which runs in its parent's memory, never touches its parent's claim.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_ENDING_H
#define EPITAPH_ENDING_H

#include <stdbool.h>
#include <stdint.h>

enum cause {
	CAUSE_MAIN_RETURNED,
	CAUSE_EXIT,
	CAUSE__EXIT,
	CAUSE_QUICK_EXIT,
	CAUSE_LIBC_EXIT,
	CAUSE_ABORT,
	CAUSE_SIGNAL,
};

struct sender;

/*
 * Claims the end for `call` (static text: "exit", "syscall(SYS_exit_group)", …) with the code as it
 * was given, called from `caller` (a call site, or 0). A second claim in the same process is kept
 * beside the first. Does nothing where EPITAPH_SCOPE wants no record. AS-safe.
 */
void ending_begin(enum cause cause, int code, const char *call, uintptr_t caller);

/* Writes the end record, once a process; later only what changes the outcome. AS-safe. */
void ending_commit(int code);

/* ending_begin and ending_commit at once. */
void ending_now(enum cause cause, int code, const char *call, uintptr_t caller);

/* The default action of a signal is about to end the process: writes the record. `info` and
 * `context` are the handler's. AS-safe. */
void ending_by_signal(const struct sender *s, const void *info, const void *context);

/* Takes an end back that did not come (daemon failed): says so. AS-safe. */
void ending_revoke(const char *call);

/* Registers the handler that runs last at exit. For load. */
void ending_watch(void);

/* Our constructor ran, so our destructor will (musl). For the constructor. */
void ending_constructed(void);

/* Where ending_watch got its handler: an exit will reach ending_commit by itself. */
bool ending_watches_exit(void);

#endif
