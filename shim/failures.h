/*
 * The last failure of each kind that often ends programs: a connection refused, a port taken, a
 * file that is not there, a name that does not resolve, a program that cannot be executed. It is
 * remembered, not told: the sentence of an end that follows soon after names it (rules.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_FAILURES_H
#define EPITAPH_FAILURES_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum failing {
	FAILED_CONNECT,
	FAILED_BIND,
	FAILED_LISTEN,
	FAILED_OPEN,
	FAILED_LOOKUP, /* getaddrinfo */
	FAILED_EXEC,   /* and posix_spawn */
	FAILED_KINDS
};

struct failure {
	int busy; /* 1 while somebody writes or reads it */
	int pid;  /* whose failure it is; 0: none */
	int64_t when_ns;
	const char *call; /* static: "openat" */
	enum failing kind;
	int error;	   /* an errno; negative: getaddrinfo's EAI_… */
	int since;	   /* how many calls of its kind succeeded since */
	char subject[224]; /* an address, path or name, as it was given: clean it (text_clean) */
};

/* Bit KIND is set where a failure of that kind is remembered: what a call that succeeds looks at.
 */
extern unsigned int failures_present;
#define FAILURES_HAVE(kind)                                                                        \
	__builtin_expect(__atomic_load_n(&failures_present, __ATOMIC_RELAXED) >> (kind)&1u, 0)

/* Whether this process may write what it remembers: not in a vfork child, whose memory is its
 * parent's, nor where no end record will come that could use it. AS-safe. */
bool failures_kept(void);

/* Remembers a failure; `subject` is readable. AS-safe. */
void failures_note(enum failing kind, const char *call, const char *subject, int error);

/* The same with a path of the program's, which need not be readable. AS-safe. */
void failures_note_path(enum failing kind, const char *call, const char *path, int error);

/*
 * The same kind of call succeeded since: forgets the failure where it was for the same port (of an
 * address), the same base name (of a file) or the same name. A program that has opened sixteen
 * files since did not end for the lack of one. AS-safe.
 */
void failures_forget(enum failing kind, const char *subject);

/* A failure that means nothing: a search for libraries, modules, translations, what the kernel
 * has. `flags` are open's. */
bool failures_is_search(const char *path, int flags, int error);

/* The end of process `pid` was decided (0: it was not, after all): what fails from here on, in exit
 * handlers and threads that go on, is no reason of it. AS-safe. */
void failures_freeze(int pid);

/*
 * This process's last failure of a kind, or NULL where there is none or somebody is just writing
 * it. It stays as it is until it is given back. AS-safe.
 */
const struct failure *failures_take(enum failing kind);
void failures_give_back(const struct failure *f);

/* "connect to 172.18.0.2:5432 failed: connection refused (ECONNREFUSED)". AS-safe. */
void text_failure(struct text *t, const struct failure *f);

#endif
