/*
 * Parsing of the EPITAPH_* variables; the contract is in config.h, the meanings in docs/usage.md.
 *
 * Runs in: the constructor, or the first interposed call.
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include "text.h"

struct config config;

static void complain(struct config *c, const char *variable, const char *value, size_t len,
		     const char *allowed)
{
	if (c->complaint_count < COMPLAINTS_MOST)
		c->complaints[c->complaint_count] =
			(struct complaint){variable, value, len, allowed};
	c->complaint_count++;
}

/* The index of a value among words that are separated by blanks, or -1. */
static int word_index(const char *words, const char *value)
{
	size_t len = str_len(value);

	for (int i = 0; *words; i++) {
		size_t n = 0;

		while (words[n] && words[n] != ' ')
			n++;
		if (n == len && !__builtin_memcmp(words, value, n))
			return i;
		words += n + (words[n] == ' ');
	}
	return -1;
}

struct choice {
	const char *name, *words, *allowed;
	size_t offset; /* of the enum in struct config: all of them are ints */
};

static const struct choice choices[] = {
	{"EPITAPH_FORMAT", "text json", "use text or json; going on with text",
	 offsetof(struct config, format)},
	{"EPITAPH_LEVEL", "error warn info debug",
	 "use error, warn, info or debug; going on with info", offsetof(struct config, level)},
	{"EPITAPH_SCOPE", "root near all", "use root, near or all; going on with near",
	 offsetof(struct config, scope)},
	{"EPITAPH_STDIO", "none line keep", "use none, line or keep; going on with none",
	 offsetof(struct config, stdio)},
};

static bool parse_choice(struct config *c, const char *variable, const char *name,
			 const char *value)
{
	for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
		if (!str_eq(choices[i].name, name))
			continue;
		int n = word_index(choices[i].words, value);
		if (n < 0)
			complain(c, variable, value, str_len(value), choices[i].allowed);
		else
			__builtin_memcpy((char *)c + choices[i].offset, &n, sizeof n);
		return true;
	}
	return false;
}

static void parse_number(struct config *c, const char *variable, const char *value, uint64_t max,
			 int *out, const char *allowed)
{
	uint64_t v;

	if (str_number(value, max, &v))
		*out = (int)v;
	else
		complain(c, variable, value, str_len(value), allowed);
}

/* Only %p, %n and %% may stand in a log path. */
static bool valid_template(const char *s)
{
	for (; *s; s++)
		if (*s == '%' && *++s != 'p' && *s != 'n' && *s != '%')
			return false;
	return true;
}

static void parse_log(struct config *c, const char *variable, const char *value)
{
	uint64_t fd;

	if (str_eq(value, "stderr")) {
		c->log = LOG_STDERR;
	} else if (str_starts(value, "fd:") && str_number(value + 3, 0x7fffffff, &fd)) {
		c->log = LOG_FD;
		c->log_fd = (int)fd;
	} else if (*value && !str_starts(value, "fd:") && !str_eq(value, "stdout") &&
		   valid_template(value)) {
		c->log = LOG_PATH;
		c->log_path = value;
	} else {
		complain(c, variable, value, str_len(value),
			 "use stderr, fd:N (fd:1 is stdout), or a path in which %p is the pid and "
			 "%n the "
			 "name; going on with stderr");
	}
}

static void parse_termination(struct config *c, const char *variable, const char *value)
{
	if (str_eq(value, "auto")) {
		c->termination = TERMINATION_AUTO;
	} else if (str_eq(value, "off")) {
		c->termination = TERMINATION_OFF;
	} else if (*value == '/') {
		c->termination = TERMINATION_PATH;
		c->termination_path = value;
	} else {
		complain(c, variable, value, str_len(value),
			 "use auto, off, or an absolute path; going on with auto");
	}
}

static void parse_ignore(struct config *c, const char *variable, const char *value)
{
	while (*value) {
		size_t n = 0;
		bool known = false;

		while (value[n] && value[n] != ',')
			n++;
		for (int i = 0; i < HOOK_COUNT && !known; i++) {
			const char *name = hook_name((enum hook)i);

			known = str_len(name) == n && !__builtin_memcmp(name, value, n);
			if (known)
				c->ignore[i] = true;
		}
		if (!known)
			complain(c, variable, value, n,
				 "no such hook: use names of interposed functions with commas "
				 "between, as docs/hooks.md lists them; ignoring this one");
		value += n + (value[n] == ',');
	}
}

static void parse_one(struct config *c, const char *variable, const char *name, const char *value)
{
	if (parse_choice(c, variable, name, value))
		return;
	if (str_eq(name, "EPITAPH_LOG"))
		parse_log(c, variable, value);
	else if (str_eq(name, "EPITAPH_TAIL"))
		parse_number(c, variable, value, 1024, &c->tail,
			     "use 0 to 1024 bytes; going on with 120");
	else if (str_eq(name, "EPITAPH_BACKTRACE"))
		parse_number(c, variable, value, 64, &c->backtrace,
			     "use 0 to 64 frames; going on with 16");
	else if (str_eq(name, "EPITAPH_TERMINATION_LOG"))
		parse_termination(c, variable, value);
	else if (str_eq(name, "EPITAPH_IGNORE"))
		parse_ignore(c, variable, value);
	else if (str_eq(name, "EPITAPH_DISABLE"))
		c->disabled = true;
	else if (str_eq(name, "EPITAPH_ROOT"))
		c->mark = value;
	else
		complain(c, variable, value, str_len(value),
			 "no such option: see docs/usage.md for the list; ignoring it");
}

void config_parse(struct config *c, char *const *envp)
{
	*c = (struct config){
		.level = LEVEL_INFO, .scope = SCOPE_NEAR, .tail = 120, .backtrace = 16};
	for (; envp && *envp; envp++) {
		const char *v = *envp;
		char name[32];
		size_t n = 0;

		if (v[0] == 'N' && str_starts(v, "NO_COLOR=") && v[9])
			c->no_color = true;
		if (v[0] == 'K' && str_starts(v, "KUBERNETES_SERVICE_HOST="))
			c->in_pod = true;
		if (v[0] != 'E' || !str_starts(v, "EPITAPH_"))
			continue;
		while (v[n] && v[n] != '=' && n < sizeof name - 1) {
			name[n] = v[n];
			n++;
		}
		name[n] = '\0';
		while (v[n] && v[n] != '=')
			n++;
		parse_one(c, v, name, v[n] ? v + n + 1 : v + n);
	}
}
