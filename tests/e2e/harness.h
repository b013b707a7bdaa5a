/*
 * Runs a command bare or under the shim and collects what it left: wait status, stdout, stderr, the
 * log, its records. For the cmocka programs, which are never preloaded themselves.
 *
 * A run ends when every descendant is gone, daemons included: the test program is a subreaper, so
 * nothing here sleeps or guesses. SPDX-License-Identifier: MIT
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>
#include <jansson.h>

/* Where the Makefile builds: BUILD is an absolute path. */
#define SHIM	  BUILD "/libepitaph.so"
#define GLIBC(v)  BUILD "/tests/glibc/" v
#define MUSL(v)	  BUILD "/tests/musl/" v
#define STATIC(v) BUILD "/tests/static/" v

enum { ENV_MOST = 24, RECORDS_MOST = 4096 };

struct run {
	const char *const *argv;    /* argv[0] is a path, or a name looked up in PATH */
	const char *env[ENV_MOST];  /* further NAME=value; the last of one name wins */
	bool bare;		    /* without LD_PRELOAD and EPITAPH_* */
	bool no_log;		    /* leave EPITAPH_LOG unset: stderr */
	bool text;		    /* leave EPITAPH_FORMAT unset */
	void (*prepare)(void *arg); /* in the child, just before exec */
	void *arg;
};

struct result {
	pid_t pid;
	int status; /* as wait gives it */
	char *out, *err, *log;
	size_t out_len, err_len, log_len;
	json_t *records; /* the array of the log's JSON lines, in order; NULL in text mode */
};

/* The setup of every cmocka group: subreaper, no core files, a folder of its own. */
int harness_setup(void **state);
int harness_teardown(void **state);

/* A path in the test's own folder; from a ring of buffers. */
const char *temp_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *temp_dir(void);

/* Runs to the very end. Fails the test where the command hangs, or a log line is not valid JSON. */
void run(const struct run *r, struct result *out);
void result_free(struct result *r);

/* Both ways; fails where wait status, stdout or stderr differ. bare may be NULL. */
void run_both(const struct run *r, struct result *shim, struct result *bare);

/* Parses lines strictly (jansson refuses what RFC 8259 refuses); fails the test otherwise. */
json_t *parse_lines(const char *text, size_t len);

char *slurp(const char *path, size_t *len); /* NULL where it cannot be read */
char *status_text(int status);		    /* "exit 3", "signal 6"; from a ring of buffers */

/* Records with this event.name; pid 0 is any process. nth counts from 0; NULL where there is none.
 */
int count_records(const struct result *r, const char *event, pid_t pid);
json_t *nth_record(const struct result *r, const char *event, pid_t pid, int nth);
/* Exactly one, or the test fails with the log. */
json_t *one_record(const struct result *r, const char *event, pid_t pid);

/* Members; a missing one, or one of another type, fails the test. */
const char *get_string(const json_t *record, const char *key);
int64_t get_int(const json_t *record, const char *key);
double get_real(const json_t *record, const char *key);
bool get_bool(const json_t *record, const char *key);
bool has(const json_t *record, const char *key);
bool is_string(const json_t *record, const char *key, const char *value);

/* Like assert_true, with words. */
#define check(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			print_error("%s:%d: not so: %s\n", __FILE__, __LINE__, #cond);             \
			print_error(__VA_ARGS__);                                                  \
			print_error("\n");                                                         \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

#define check_contains(text, part) check(strstr((text), (part)), "no \"%s\" in: %s", (part), (text))

/* Skips with a reason; where CI is set a missing tool is a failure. */
void skip_because(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool in_ci(void);

/* A group from a table: one test a row, named by the row. */
struct CMUnitTest table_test(const char *name, CMUnitTestFunction f, const void *row);
int run_group(const char *name, const struct CMUnitTest *tests, size_t n);

#endif
