/*
 * EPITAPH_* variables: each bad value gets one clear record and the default; each good one works.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct bad {
	const char *entry;
	const char *allowed; /* a word that the record must offer */
};

static const struct bad bads[] = {
	{"EPITAPH_FORMAT=xml", "json"},
	{"EPITAPH_FORMAT=", "json"},
	{"EPITAPH_FORMAT=JSON", "json"},
	{"EPITAPH_FORMAT=json ", "json"},
	{"EPITAPH_LEVEL=loud", "debug"},
	{"EPITAPH_LEVEL=", "debug"},
	{"EPITAPH_SCOPE=far", "near"},
	{"EPITAPH_STDIO=full", "line"},
	{"EPITAPH_TAIL=-1", "bytes"},
	{"EPITAPH_TAIL=12x", "bytes"},
	{"EPITAPH_TAIL=99999999999999999999", "bytes"},
	{"EPITAPH_TAIL=", "bytes"},
	{"EPITAPH_BACKTRACE=many", "frames"},
	{"EPITAPH_BACKTRACE=-1", "frames"},
	{"EPITAPH_BACKTRACE=100000", "frames"},
	{"EPITAPH_TERMINATION_LOG=relative", "off"},
	{"EPITAPH_TERMINATION_LOG=", "off"},
	{"EPITAPH_LOG=fd:x", "fd:N"},
	{"EPITAPH_LOG=fd:", "fd:N"},
	{"EPITAPH_LOG=fd:-1", "fd:N"},
	{"EPITAPH_LOG=", "fd:N"},
	{"EPITAPH_LOG=/tmp/x%q", "%p"},
	{"EPITAPH_IGNORE=no_such_hook", "hook"},
	{"EPITAPH_IGNORE=exit,nonsense", "hook"},
	{"EPITAPH_NO_SUCH_OPTION=1", "option"},
};

enum { BAD_COUNT = sizeof bads / sizeof *bads };

static void test_bad(void **state)
{
	const struct bad *bad = *state;
	/* A child too: only the main process may complain. */
	const char *argv[] = {"/bin/sh", "-c", "\"$1\" 5; exit 3", "x", GLIBC("v_return"), NULL};
	bool is_log = !strncmp(bad->entry, "EPITAPH_LOG=", 12),
	     is_format = !strncmp(bad->entry, "EPITAPH_FORMAT", 14);
	bool ignores_exit = strstr(bad->entry, "=exit,") != NULL;
	struct run r = {.argv = argv, .env = {bad->entry}, .text = is_format, .no_log = is_log};
	struct result shim;
	char name[64], *value;
	size_t n = strcspn(bad->entry, "=");

	snprintf(name, sizeof name, "%.*s", (int)n, bad->entry);
	value = strdup(bad->entry + n + 1);
	if (strstr(value, "nonsense"))
		memmove(value, "nonsense", 9);
	run_both(&r, &shim, NULL);
	if (is_format) {
		/* The default is text. */
		const char *line = strstr(shim.log, name);

		assert_int_equal(strncmp(shim.log, "epitaph: ", 9), 0);
		check(line, "%s", shim.log);
		assert_null(strstr(line + strlen(name), name));
		check_contains(line, bad->allowed);
		check_contains(line, value);
		check_contains(shim.log, "exit code 3");
	} else {
		json_t *record;

		if (is_log) /* the default is stderr */
			shim.records =
				(json_decref(shim.records), parse_lines(shim.err, shim.err_len));
		record = one_record(&shim, "epitaph.config", 0);
		assert_int_equal(get_int(record, "process.pid"), shim.pid);
		assert_string_equal(get_string(record, "severity_text"), "WARN");
		check_contains(get_string(record, "body"), name);
		check_contains(get_string(record, "body"), value);
		check_contains(get_string(record, "body"), bad->allowed);
		if (!ignores_exit)
			assert_int_equal(get_int(one_record(&shim, "epitaph.end", shim.pid),
						 "process.exit.code"),
					 3);
	}
	free(value);
	result_free(&shim);
}

/* Several at once, with hostile bytes in them: one record each, all valid JSON. */
static void test_many_bad(void **state)
{
	const char *argv[] = {GLIBC("v_exit"), NULL};
	struct run r = {.argv = argv,
			.env = {"EPITAPH_LEVEL=\"\\\n\033[31m", "EPITAPH_SCOPE=\xff\xfe",
				"EPITAPH_TAIL=\x01\x02", "EPITAPH_BACKTRACE=x",
				"EPITAPH_IGNORE=a,b,c", "EPITAPH_STDIO=y"}};
	struct result shim;

	(void)state;
	run_both(&r, &shim, NULL);
	assert_int_equal(count_records(&shim, "epitaph.config", 0), 8);
	assert_int_equal(count_records(&shim, "epitaph.end", 0), 1);
	result_free(&shim);
}

/* More complaints than are kept, and one value longer than a line. */
static void test_flood_of_bad(void **state)
{
	static char ignore[20000] = "EPITAPH_IGNORE=", level[20000] = "EPITAPH_LEVEL=";
	const char *argv[] = {GLIBC("v_exit"), NULL};
	struct run r = {.argv = argv, .env = {ignore, level}};
	struct result shim;

	(void)state;
	for (int i = 0; i < 1000; i++)
		strcat(ignore, "nonsense,");
	memset(level + strlen(level), '"', 15000);
	run_both(&r, &shim, NULL);
	assert_true(count_records(&shim, "epitaph.config", 0) >= 2);
	assert_true(count_records(&shim, "epitaph.config", 0) < 100);
	assert_int_equal(count_records(&shim, "epitaph.end", 0), 1);
	result_free(&shim);
}

/* Good values bring no complaint. */
static void test_good(void **state)
{
	static const char *const good[] = {
		"EPITAPH_FORMAT=json",
		"EPITAPH_LEVEL=info",
		"EPITAPH_LEVEL=debug",
		"EPITAPH_LEVEL=warn",
		"EPITAPH_SCOPE=root",
		"EPITAPH_SCOPE=near",
		"EPITAPH_SCOPE=all",
		"EPITAPH_STDIO=none",
		"EPITAPH_STDIO=line",
		"EPITAPH_STDIO=keep",
		"EPITAPH_TAIL=0",
		"EPITAPH_TAIL=120",
		"EPITAPH_BACKTRACE=0",
		"EPITAPH_BACKTRACE=16",
		"EPITAPH_TERMINATION_LOG=auto",
		"EPITAPH_TERMINATION_LOG=off",
		"EPITAPH_IGNORE=",
		"EPITAPH_IGNORE=abort",
		"EPITAPH_IGNORE=abort,execve",
	};
	const char *argv[] = {GLIBC("v_exit"), NULL};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct run r = {.argv = argv, .env = {good[i]}};
		struct result shim;

		run_both(&r, &shim, NULL);
		check(count_records(&shim, "epitaph.config", 0) == 0, "%s: %s", good[i], shim.log);
		assert_int_equal(count_records(&shim, "epitaph.end", 0), 1);
		result_free(&shim);
	}
}

static void test_disable(void **state)
{
	static const char *const values[] = {"EPITAPH_DISABLE=1",
					     "EPITAPH_DISABLE=", "EPITAPH_DISABLE=0"};
	static const char *const victims[] = {GLIBC("v_exit"), GLIBC("v_err"), GLIBC("v_abort"),
					      MUSL("v_exit")};

	(void)state;
	for (size_t v = 0; v < sizeof victims / sizeof *victims; v++) {
		const char *argv[] = {victims[v], NULL};

		for (int i = 0; i < 3 && access(victims[v], X_OK) == 0; i++) {
			struct run r = {.argv = argv,
					.env = {values[i], "EPITAPH_LEVEL=nonsense"},
					.no_log = i == 1};
			struct result shim, bare;

			run_both(&r, &shim, &bare);
			assert_int_equal(shim.log_len, 0);
			assert_string_equal(shim.err, bare.err);
			result_free(&shim);
			result_free(&bare);
		}
	}
}

/* Disabled, it does not touch the environment either. */
static void test_disable_environment(void **state)
{
	const char *argv[] = {GLIBC("v_env_names"), NULL};
	struct run r = {.argv = argv, .env = {"EPITAPH_DISABLE=1"}};
	struct result shim;

	(void)state;
	run(&r, &shim);
	assert_null(strstr(shim.out, "EPITAPH_ROOT"));
	result_free(&shim);
}

static void test_ignore(void **state)
{
	static const struct {
		const char *victim, *ignore;
		int code;
	} rows[] = {
		{GLIBC("v__exit"), "EPITAPH_IGNORE=_exit", 3},
		{GLIBC("v__Exit"), "EPITAPH_IGNORE=_exit,_Exit", 3},
		{GLIBC("v_exit_group"), "EPITAPH_IGNORE=syscall", 3},
		{MUSL("v__exit"), "EPITAPH_IGNORE=exit,_exit", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *argv[] = {rows[i].victim, NULL};
		struct run r = {.argv = argv, .env = {rows[i].ignore}};
		struct result shim;

		if (access(rows[i].victim, X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		assert_int_equal(WEXITSTATUS(shim.status), rows[i].code);
		check(count_records(&shim, "epitaph.end", 0) == 0, "%s", shim.log);
		assert_int_equal(count_records(&shim, "epitaph.start", 0), 1);
		result_free(&shim);
	}
}

/* The exit hook only passes through, but the end is still seen by the handler that runs last. */
static void test_ignore_exit(void **state)
{
	const char *argv[] = {GLIBC("v_exit"), NULL};
	struct run r = {.argv = argv, .env = {"EPITAPH_IGNORE=exit"}};
	struct result shim;
	json_t *end;

	(void)state;
	run_both(&r, &shim, NULL);
	assert_int_equal(WEXITSTATUS(shim.status), 3);
	if (count_records(&shim, "epitaph.end", 0)) {
		end = one_record(&shim, "epitaph.end", shim.pid);
		assert_int_equal(get_int(end, "process.exit.code"), 3);
	}
	result_free(&shim);
}

static void test_levels(void **state)
{
	const char *argv[] = {GLIBC("v_return"), "0", NULL};
	struct run r = {.argv = argv, .env = {"EPITAPH_LEVEL=error"}};
	struct result shim;
	static const char *const order[] = {"DEBUG", "INFO", "WARN", "ERROR"};
	static const char *const levels[] = {"EPITAPH_LEVEL=debug", "EPITAPH_LEVEL=info",
					     "EPITAPH_LEVEL=warn", "EPITAPH_LEVEL=error"};

	(void)state;
	run_both(&r, &shim, NULL);
	assert_int_equal(shim.log_len, 0); /* start and an end with 0 are no errors */
	result_free(&shim);
	argv[1] = "3";
	for (int level = 0; level < 4; level++) {
		size_t i;
		json_t *record;

		r.env[0] = levels[level];
		r.env[1] = "EPITAPH_TAIL=bad"; /* for a WARN at hand */
		run_both(&r, &shim, NULL);
		json_array_foreach(shim.records, i, record)
		{
			int severity = 0;

			while (!is_string(record, "severity_text", order[severity]))
				severity++;
			check(severity >= level, "%s", shim.log);
		}
		assert_int_equal(count_records(&shim, "epitaph.config", 0), level <= 2);
		assert_int_equal(count_records(&shim, "epitaph.start", 0), level <= 1);
		result_free(&shim);
	}
}

static int frames(const char *limit)
{
	const char *argv[] = {GLIBC("v_deep"), "100", NULL};
	struct run r = {.argv = argv, .env = {limit}};
	struct result shim;
	json_t *end;
	int n = 0;

	run_both(&r, &shim, NULL);
	end = one_record(&shim, "epitaph.end", shim.pid);
	/* The caller itself is no backtrace: it is always told. */
	assert_true(has(end, "epitaph.caller.offset"));
	if (has(end, "code.stacktrace")) {
		n = 1;
		for (const char *s = get_string(end, "code.stacktrace"); *s; s++)
			n += *s == '\n';
	}
	result_free(&shim);
	return n;
}

static void test_backtrace(void **state)
{
	(void)state;
	assert_int_equal(frames(NULL), 16);
	assert_int_equal(frames("EPITAPH_BACKTRACE=0"), 0);
	assert_int_equal(frames("EPITAPH_BACKTRACE=2"), 2);
	assert_int_equal(frames("EPITAPH_BACKTRACE=5"), 5);
	/* As many as the record has room for, and never a line that is too long (run checks that).
	 */
	assert_true(frames("EPITAPH_BACKTRACE=64") > 16);
}

static void test_termination_log(void **state)
{
	const char *file = temp_path("termination"), *variable = NULL;
	char entry[600];
	const char *argv[] = {GLIBC("v_return"), "7", NULL};
	struct run r = {.argv = argv};
	struct result shim;
	char *text;
	FILE *f;

	(void)state;
	snprintf(entry, sizeof entry, "EPITAPH_TERMINATION_LOG=%s", file);
	variable = entry;
	r.env[0] = variable;
	/* Kubernetes makes the file; it may or may not be there. */
	f = fopen(file, "we");
	assert_non_null(f);
	fclose(f);
	run_both(&r, &shim, NULL);
	result_free(&shim);
	text = slurp(file, NULL);
	assert_non_null(text);
	check_contains(text, "exit code 7");
	free(text);
}

/* One that cannot be had is told of; the sentence stands in the log all the same. A name that is
 * too long leaves room for the reason. */
static void test_lost_paths(void **state)
{
	const char *argv[] = {GLIBC("v_return"), "7", NULL};
	struct run r = {.argv = argv, .env = {"EPITAPH_TERMINATION_LOG=/nonexistent/file"}};
	static char entry[2000];
	struct result shim;

	(void)state;
	run_both(&r, &shim, NULL);
	check_contains(get_string(one_record(&shim, "epitaph.config", shim.pid), "body"),
		       "EPITAPH_TERMINATION_LOG=\"/nonexistent/file\" cannot be written (ENOENT: ");
	one_record(&shim, "epitaph.end", shim.pid);
	result_free(&shim);
	snprintf(entry, sizeof entry, "EPITAPH_LOG=/tmp/%01500d", 0);
	r = (struct run){.argv = argv, .env = {entry}, .no_log = true};
	run(&r, &shim);
	check_contains(shim.err,
		       "\" cannot be opened (ENAMETOOLONG: the name is too long); going on");
	result_free(&shim);
}

/* The mark is the one thing that the shim adds to what the program sees. */
static void test_environment(void **state)
{
	static const char *const victims[] = {GLIBC("v_environ"), MUSL("v_environ")};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *argv[] = {victims[i], NULL};
		struct run r = {.argv = argv, .env = {"A=1", "B=two=2", "EMPTY=", "Z=\xff\n"}};
		struct result shim;

		if (access(victims[i], X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		assert_int_equal(shim.status, 0);
		check_contains(shim.out, "B=two=2");
		result_free(&shim);
		argv[0] = i ? MUSL("v_env_names") : GLIBC("v_env_names");
		run(&r, &shim);
		check_contains(shim.out, "EPITAPH_ROOT\n");
		check_contains(shim.out, "LD_PRELOAD\n");
		result_free(&shim);
	}
}

/* An empty environment, and none but the mark's. */
static void test_bare_environment(void **state)
{
	const char *argv[] = {"/usr/bin/env", "-i", "LD_PRELOAD=" SHIM, GLIBC("v_environ"), NULL};
	struct run r = {.argv = argv, .bare = true};
	struct result shim;

	(void)state;
	run(&r, &shim);
	assert_int_equal(shim.status, 0);
	check_contains(shim.err, "exit code 0");
	result_free(&shim);
}

int main(void)
{
	static struct CMUnitTest tests[BAD_COUNT + 20];
	int n = 0;

	for (int i = 0; i < BAD_COUNT; i++)
		tests[n++] = table_test(bads[i].entry, test_bad, &bads[i]);
#define ADD(f) tests[n++] = (struct CMUnitTest){.name = #f, .test_func = f}
	ADD(test_many_bad);
	ADD(test_flood_of_bad);
	ADD(test_good);
	ADD(test_disable);
	ADD(test_disable_environment);
	ADD(test_ignore);
	ADD(test_ignore_exit);
	ADD(test_levels);
	ADD(test_backtrace);
	ADD(test_termination_log);
	ADD(test_lost_paths);
	ADD(test_environment);
	ADD(test_bare_environment);
	return run_group("options", tests, (size_t)n);
}
