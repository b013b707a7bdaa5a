/*
 * Who sent a signal, from its siginfo and from what /proc says of that process now.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_SENDER_H
#define EPITAPH_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

enum sender_kind {
	SENDER_SELF, /* this process: kill, raise, abort, or the kernel for its own doing (SIGPIPE)
		      */
	SENDER_PROCESS,	 /* another process of this pid namespace */
	SENDER_OUTSIDE,	 /* a process that has no pid in this namespace */
	SENDER_KERNEL,	 /* a fault, a limit, the out-of-memory killer */
	SENDER_TIMER,	 /* a timer of this process's own */
	SENDER_TERMINAL, /* a key, or the terminal's hang-up */
};

struct sender {
	enum sender_kind kind;
	int signal, code;
	int pid, uid;		/* valid for SELF, PROCESS and OUTSIDE */
	int value;		/* of sigqueue: with the code SI_QUEUE */
	bool is_parent;		/* of this process */
	bool by_parent_s_death; /* PR_SET_PDEATHSIG: the kernel names the parent as the sender */
	char name[16];		/* comm of PROCESS, "" where /proc does not tell */
	int64_t when_ns;
};

/* Reads the siginfo (a siginfo_t); looks nothing up. AS-safe. */
void sender_read(struct sender *s, int sig, const void *info);

/* Tells this process from others: after a fork the pid is another one. One system call. AS-safe. */
void sender_settle(struct sender *s);

/* Settles, and fills in name and is_parent: reads /proc. AS-safe. */
void sender_look_up(struct sender *s);

/* "from process 12 (sh)", "from outside this container (sender pid 0: …)", "from the kernel: …". */
void text_sender(struct text *t, const struct sender *s);

/* epitaph.signal.* and epitaph.sender.*, with a prefix for the keys' names. */
void record_signal(struct record *r, const struct sender *s);

/* The value of epitaph.ended_by. */
const char *sender_word(const struct sender *s);

#endif
