/*
 * Where lines go: our own copy of stderr, of a descriptor, or a file that we opened.
 *
 * The copy is close-on-exec, numbered 500 or above where the limit allows, and known by device and
 * inode: a program that closes everything and opens its own file under the same number never gets a
 * line of ours into it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_LOG_H
#define EPITAPH_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_identity {
	uint64_t dev, ino;
	bool known;
};

enum { LOG_LINE_MOST = 4096 }; /* PIPE_BUF: up to here one write is never torn */

/*
 * Opens the log as config says. `root` is the log of the main process, as its mark has it: in a
 * child whose own stderr is another file (2>file, $(…)) lines go to the root's or nowhere. Not
 * AS-safe: for load. Returns 0, or -errno where the configured log could not be had and stderr
 * stands in.
 */
int log_open(const struct log_identity *root, int root_pid);

/* Only remembers the root's identity: for processes that most likely never write a line. */
void log_defer(const struct log_identity *root, int root_pid);

/* What log_open settled on, for the mark. */
struct log_identity log_identity(void);

/* The program is about to run: from here on the descriptor is checked before each line. For load.
 */
void log_settled(void);

/* Whether lines go to a terminal that wants colour. */
bool log_is_terminal(void);

/*
 * Writes one line (with its newline, at most LOG_LINE_MOST bytes) in one write. Never raises
 * SIGPIPE or SIGXFSZ, never stops the process (SIGTTOU), waits at most a second for a reader. False
 * where the line could not be written. AS-safe.
 */
bool log_line(const char *line, size_t len);

/* Bytes of all lines so far. AS-safe. */
uint64_t log_written(void);

/* Why a file that lines went to was given up for stderr, as an errno; told once, then 0. AS-safe.
 */
int log_failure(void);

/*
 * Writes the end sentence where EPITAPH_TERMINATION_LOG says: by default into /dev/termination-log
 * where that is a file that can be written (Kubernetes shows its beginning in `kubectl describe
 * pod`, also for exit code 0). At most 4,096 bytes. The errno where a path that the variable names
 * could not be had, else 0. AS-safe.
 */
int log_termination(const char *sentence, size_t len);

/* Gives up the copy of stderr, in a daemon that leaves its terminal: whoever waits for the end of
 * that pipe must not wait for us. A file stays open. AS-safe. */
void log_detach(void);

/* The path that a template of config stands for, made absolute: %p pid, %n name. */
void log_expand(char *buf, size_t cap, const char *path, int pid);

#endif
