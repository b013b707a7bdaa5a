/*
 * The EPITAPH_* variables, parsed once into an immutable struct. What is not understood is kept as
 * a complaint for the start of the log, and the default is used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_CONFIG_H
#define EPITAPH_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "next.h"

enum log_kind { LOG_STDERR, LOG_FD, LOG_PATH };
enum format { FORMAT_TEXT, FORMAT_JSON };
enum level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };
enum scope { SCOPE_ROOT, SCOPE_NEAR, SCOPE_ALL };
enum stdio { STDIO_NONE, STDIO_LINE, STDIO_KEEP };
enum termination { TERMINATION_AUTO, TERMINATION_OFF, TERMINATION_PATH };

struct complaint {
	const char *variable; /* NUL-terminated, or up to '=' where it lies in the environment */
	const char *value;
	size_t value_len;
	const char *allowed; /* the end of the sentence: what is allowed, and what is used */
};

enum { COMPLAINTS_MOST = 16 };

struct config {
	enum log_kind log;
	int log_fd;	      /* with LOG_FD */
	const char *log_path; /* with LOG_PATH: the template, in the environment */
	enum format format;
	enum level level;
	enum scope scope;
	enum stdio stdio;
	int tail;      /* bytes */
	int backtrace; /* frames */
	enum termination termination;
	const char *termination_path; /* with TERMINATION_PATH */
	bool no_color;		      /* NO_COLOR is set and not empty (no-color.org) */
	bool in_pod;	  /* KUBERNETES_SERVICE_HOST is there: the kubelet sets it in every pod */
	bool disabled;	  /* EPITAPH_DISABLE is set */
	const char *mark; /* EPITAPH_ROOT, or NULL */
	bool ignore[HOOK_COUNT]; /* EPITAPH_IGNORE */
	struct complaint complaints[COMPLAINTS_MOST];
	int complaint_count; /* may be larger than COMPLAINTS_MOST: the rest is only counted */
};

extern struct config config;

/* Fills config from an environment. Keeps pointers into it. */
void config_parse(struct config *c, char *const *envp);

#endif
