/*
 * What /proc tells, by raw reads into the caller's buffers. Every function is async-signal-safe,
 * opens and closes its files, and says by its result where /proc is not there (man 5 proc).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_PROCFS_H
#define EPITAPH_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a whole small file (or its beginning) and ends it with NUL; its length or -errno. */
long procfs_read(const char *path, char *buf, size_t cap);

/* Writes "/proc/PID/LEAF" (pid 0: "/proc/self/LEAF") into buf. */
void procfs_path(char *buf, size_t cap, int pid, const char *leaf);

/* When a process started, in clock ticks since boot: with the pid, the name of a process that no
 * later one can have. 0 where it is not there. pid 0 is the caller. */
uint64_t procfs_start_time(int pid);

/* The parent of a process, or 0 where it has none in this pid namespace or is not there. */
int procfs_parent(int pid);

/* The state of a process as ps shows it: R, S, D, …; 0 where it is not there. */
char procfs_state(int pid);

/* The path of the running executable into buf; its length, or -errno. */
long procfs_exe(char *buf, size_t cap);

/* How many threads the process has now, or 0. */
int procfs_threads(void);

/* Calls `one` with the number of each thread of the process, 64 at most, or until it says false.
 * False where there is no /proc. */
bool procfs_each_thread(bool (*one)(void *arg, int tid), void *arg);

/* The name of a process or, with the pid 0, of a thread of this one: 16 bytes, "" if not known. */
void procfs_comm(int pid, int tid, char *name);

#endif
