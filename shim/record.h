/*
 * A record: what happened, as fields, described once and rendered as text or as a JSON object.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_RECORD_H
#define EPITAPH_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "symbols.h"
#include "text.h"
#include "unwind.h"

enum event {
	EVENT_START,
	EVENT_CONFIG,
	EVENT_SIGNAL,
	EVENT_KILL,
	EVENT_HANDLER,
	EVENT_CHILD,
	EVENT_EXEC,
	EVENT_FAILURE,
	EVENT_SILENCE,
	EVENT_OUTPUT,
	EVENT_END
};
enum severity { SEVERITY_ERROR, SEVERITY_WARN, SEVERITY_INFO, SEVERITY_DEBUG }; /* as enum level */

enum field_type { FIELD_STRING, FIELD_INTEGER, FIELD_SECONDS, FIELD_BOOLEAN };

struct field {
	const char *key; /* static; not owned */
	enum field_type type;
	union {
		const char *string; /* clean; in the record's arena */
		int64_t integer;    /* or nanoseconds, or 0 and 1 */
	} u;
};

enum { FIELDS_MOST = 48, PLACES_MOST = 64 };

/* Some 40 KiB: never on a stack. A few lie in static memory, the rest are mapped on demand. */
struct record {
	enum event event;
	enum severity severity;
	int pid;
	int64_t unix_ns, mono_ns;
	struct text body;    /* the sentence: append to it */
	struct text details; /* text mode's further lines, each ended with \n: append to it */
	int field_count;
	struct field fields[FIELDS_MOST];
	struct text arena;
	bool mapped; /* from mmap, not from the pool */
	/* In the order of use: a plain record touches one page. */
	char body_buf[1024];
	char line[LOG_LINE_MOST + 1];
	char details_buf[2048];
	char arena_buf[6144];
	struct place caller;		  /* scratch for who names code */
	struct place places[PLACES_MOST]; /* the same, for a trace */
	char work[16384];		  /* scratch for reading files */
};

/*
 * A new record, or NULL where EPITAPH_LEVEL does not want it or there is no memory for it. AS-safe
 * and thread-safe. Every record must go to record_write or record_drop.
 */
struct record *record_begin(enum event event, enum severity severity);

/* Fields; the string is copied and cleaned of what a log must not hold. Past FIELDS_MOST: dropped.
 */
void record_string(struct record *r, const char *key, const char *value);
/* The same for a literal, which needs neither. */
void record_static(struct record *r, const char *key, const char *literal);
void record_integer(struct record *r, const char *key, int64_t value);
void record_seconds(struct record *r, const char *key, int64_t ns);
void record_boolean(struct record *r, const char *key, bool value);
/* A string field from a text of the caller's that may hold newlines (a stack trace). */
void record_text(struct record *r, const char *key, const struct text *value);

/*
 * Who called: the fields code.function.name, epitaph.caller.*, code.stacktrace, and the backtrace
 * line. `caller` is a call site, 0 where it is not known; `trace` may be NULL.
 */
void record_caller(struct record *r, uintptr_t caller, const struct trace *trace);

/* The thread, where it is not the main one. `name` as prctl(PR_GET_NAME) gives it. */
void record_thread(struct record *r, int tid, const char *name);

/* Renders, writes the lines, and gives the record back. */
void record_write(struct record *r);
void record_drop(struct record *r);

#endif
