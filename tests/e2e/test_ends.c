/*
 * Every way a process ends itself, for glibc and musl: the outcome is that of the bare program, and
 * the one end record tells how, who and with which code.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct end {
	const char *victim, *arg;
	int code; /* -1: a signal */
	const char *cause;
	const char *function; /* who called, NULL where it cannot be told */
	const char *says;     /* a part of the body */
	const char *only;     /* a libc, or NULL */
};

static const struct end ends[] = {
	{"v_return", NULL, 7, "main_returned", NULL, "main() returned 7", NULL},
	{"v_return", "0", 0, "main_returned", NULL, "exit code 0", NULL},
	{"v_return", "256", 0, "main_returned", NULL, "returned 256", NULL},
	{"v_return", "-1", 255, "main_returned", NULL, "returned -1", NULL},
	{"v_exit", NULL, 3, "exit", "leave_here", "exit(3)", NULL},
	{"v_exit", "300", 44, "exit", "leave_here", "exit code 44", NULL},
	{"v_exit", "-1", 255, "exit", "leave_here", "exit(-1)", NULL},
	{"v__exit", NULL, 3, "_exit", "leave_here", "_exit(3)", NULL},
	{"v__exit", "256", 0, "_exit", "leave_here", "exit code 0", NULL},
	{"v__Exit", NULL, 3, "_exit", "leave_here", "_Exit(3)", NULL},
	{"v_quick_exit", NULL, 3, "quick_exit", "leave_here", "quick_exit(3)", NULL},
	{"v_abort", NULL, -1, "abort", "leave_here", "abort", NULL},
	{"v_exit_group", NULL, 3, "_exit", "leave_here", "exit_group", NULL},
	{"v_last_thread", NULL, 0, "libc_exit", NULL, "thread", NULL},
	{"v_thread_exit", NULL, 3, "exit", "leave_here", "exit(3)", NULL},
	{"v_thread_exit", "hard", 3, "_exit", "leave_here", "_exit(3)", NULL},
	{"v_err", NULL, 5, "libc_exit", "leave_here", "err", NULL},
	{"v_errx", NULL, 5, "libc_exit", "leave_here", "errx", NULL},
	{"v_verr", NULL, 5, "libc_exit", "leave_here", "verr", NULL},
	{"v_verrx", NULL, 5, "libc_exit", "leave_here", "verrx", NULL},
	{"v_err_null", NULL, 5, "libc_exit", "main", "err", NULL},
	{"v_error", NULL, 6, "libc_exit", "leave_here", "exit code 6", "glibc"},
	{"v_ctor_exit", NULL, 3, "exit", "before_main", "exit(3)", NULL},
	{"v_dtor__exit", NULL, 9, "_exit", "after_main", "_exit(9)", NULL},
	{"v_deep", "40", 3, "exit", "deeper", "exit(3)", NULL},
	{"v_small_stack", NULL, 3, "exit", "exit_here", "exit(3)", NULL},
	{"v_small_stack", "abort", -1, "abort", "abort_here", "abort", NULL},
	{"v_vfork__exit", NULL, 4, "exit", "main", "exit(4)", NULL},
	{"v_fork__exit", NULL, 4, "main_returned", NULL, "returned 4", NULL},
	{"v_fork_exit", NULL, 4, "main_returned", NULL, "returned 4", NULL},
	{"v_fork_return", NULL, 4, "main_returned", NULL, "returned 4", NULL},
	{"v_fork_buffer", NULL, 4, "main_returned", NULL, "returned 4", NULL},
	{"v_fork_only_child", NULL, 4, "main_returned", NULL, "returned 4", NULL},
	{"v_atexit_fork", NULL, 3, "exit", "main", "exit(3)", NULL},
	{"v_atexit_order", NULL, 2, "exit", "main", "exit(2)", NULL},
	{"v_atexit_order", "quick", 8, "quick_exit", "main", "quick_exit(8)", NULL},
	{"v_cancel", NULL, 3, "main_returned", NULL, "returned 3", NULL},
	{"v_clearenv", NULL, 3, "main_returned", NULL, "returned 3", NULL},
	{"v_threads_race", NULL, 3, "exit", "side", "exit(3)", NULL},
};

enum { END_COUNT = sizeof ends / sizeof *ends };

static const struct end *row_of(void **state, const char **libc)
{
	/* Even rows are glibc, odd ones musl: see main. */
	uintptr_t n = (uintptr_t)*state - 1;

	*libc = n % 2 ? "musl" : "glibc";
	return &ends[n / 2];
}

static void test_end(void **state)
{
	const char *libc;
	const struct end *e = row_of(state, &libc);
	char path[512];
	const char *argv[] = {path, e->arg, NULL};
	struct run r = {.argv = argv};
	struct result shim;
	json_t *end;

	snprintf(path, sizeof path, "%s/tests/%s/%s", BUILD, libc, e->victim);
	run_both(&r, &shim, NULL);
	assert_int_equal(count_records(&shim, "epitaph.end", 0), 1);
	assert_int_equal(count_records(&shim, "epitaph.start", shim.pid), 1);
	end = one_record(&shim, "epitaph.end", shim.pid);
	check(is_string(end, "epitaph.cause", e->cause), "%s", shim.log);
	check_contains(get_string(end, "body"), e->says);
	if (e->code >= 0) {
		assert_true(WIFEXITED(shim.status));
		assert_int_equal(WEXITSTATUS(shim.status), e->code);
		assert_int_equal(get_int(end, "process.exit.code"), e->code);
	} else {
		assert_true(WIFSIGNALED(shim.status));
		assert_false(has(end, "process.exit.code"));
	}
	if (e->function) {
		check(is_string(end, "code.function.name", e->function), "%s", shim.log);
		assert_string_equal(get_string(end, "epitaph.caller.module"), path);
	}
	result_free(&shim);
}

/* The first frame is the caller, main is further up, each line is MODULE+0xN (SYMBOL+0xN). */
static void test_backtrace(void **state)
{
	static const char *const victims[] = {GLIBC("v_exit"),	GLIBC("v_err"),	  GLIBC("v_error"),
					      GLIBC("v_abort"), GLIBC("v_verrx"), MUSL("v_exit"),
					      MUSL("v_err"),	MUSL("v_abort")};

	(void)state;
	for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) {
		const char *argv[] = {victims[i], NULL};
		struct run r = {.argv = argv};
		struct result shim;
		const char *trace, *base = strrchr(victims[i], '/') + 1;
		char want[64];

		if (access(victims[i], X_OK) != 0)
			continue;
		run(&r, &shim);
		trace = get_string(one_record(&shim, "epitaph.end", shim.pid), "code.stacktrace");
		snprintf(want, sizeof want, "%s+0x", base);
		/* error(3) is no hook: what libc did until its exit stands before the caller. */
		if (strcmp(base, "v_error"))
			check(!strncmp(trace, want, strlen(want)), "%s: %s", victims[i], trace);
		check_contains(trace, "(leave_here+0x");
		check_contains(trace, "(main+0x");
		check(strstr(trace, "(leave_here+0x") < strstr(trace, "(main+0x"), "%s", trace);
		check(!strstr(trace, "libepitaph"), "the shim's own frames: %s", trace);
		result_free(&shim);
	}
}

/* addr2line must find the very line of the call. */
static void test_offset_is_the_call_site(void **state)
{
	static const struct {
		const char *path, *file;
	} victims[] = {{GLIBC("v_exit"), "v_exit.c"},
		       {GLIBC("v_err"), "v_err.c"},
		       {GLIBC("v_abort"), "v_abort.c"},
		       {MUSL("v_exit"), "v_exit.c"}};

	(void)state;
	if (access("/usr/bin/addr2line", X_OK) != 0)
		skip_because("addr2line (binutils) is missing");
	for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) {
		const char *argv[] = {victims[i].path, NULL};
		struct run r = {.argv = argv};
		struct result shim;
		char command[600], answer[300] = "";
		json_t *end;
		FILE *f;

		if (access(victims[i].path, X_OK) != 0)
			continue;
		run(&r, &shim);
		end = one_record(&shim, "epitaph.end", shim.pid);
		snprintf(command, sizeof command, "addr2line -f -s -e %s %s | tr '\\n' ' '",
			 get_string(end, "epitaph.caller.module"),
			 get_string(end, "epitaph.caller.offset"));
		f = popen(command, "r");
		assert_non_null(f);
		assert_non_null(fgets(answer, sizeof answer, f));
		pclose(f);
		check_contains(answer, "leave_here ");
		check_contains(answer, victims[i].file);
		result_free(&shim);
	}
}

static void test_all_codes(void **state)
{
	static const char *const victims[] = {GLIBC("v_return"), GLIBC("v__exit"), MUSL("v_exit")};

	(void)state;
	for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) {
		if (access(victims[i], X_OK) != 0)
			continue;
		for (int code = 0; code < 256; code++) {
			char arg[8];
			const char *argv[] = {victims[i], arg, NULL};
			struct run r = {.argv = argv};
			struct result shim;

			snprintf(arg, sizeof arg, "%d", code);
			run(&r, &shim);
			assert_true(WIFEXITED(shim.status));
			assert_int_equal(WEXITSTATUS(shim.status), code);
			assert_int_equal(get_int(one_record(&shim, "epitaph.end", shim.pid),
						 "process.exit.code"),
					 code);
			result_free(&shim);
		}
	}
}

static void test_thread_is_named(void **state)
{
	const char *argv[] = {GLIBC("v_thread_exit"), NULL};
	struct run r = {.argv = argv};
	struct result shim;
	json_t *end;

	(void)state;
	run(&r, &shim);
	end = one_record(&shim, "epitaph.end", shim.pid);
	assert_string_equal(get_string(end, "thread.name"), "worker-7");
	assert_int_not_equal(get_int(end, "thread.id"), shim.pid);
	result_free(&shim);
	argv[0] = GLIBC("v_exit");
	run(&r, &shim);
	end = one_record(&shim, "epitaph.end", shim.pid);
	assert_false(has(end, "thread.id"));
	assert_false(has(end, "thread.name"));
	result_free(&shim);
}

/* A handler that changes the outcome: one record, which names both. */
static void test_second_cause(void **state)
{
	static const struct {
		const char *path;
		int code;
		const char *first, *second;
	} rows[] = {
		{GLIBC("v_atexit__exit"), 9, "exit(3)", "_exit(9)"},
		{MUSL("v_atexit__exit"), 9, "exit(3)", "_exit(9)"},
		{GLIBC("v_atexit_exit"), 4, "exit(3)", "exit(4)"},
		{GLIBC("v_dtor__exit"), 9, "returned 3", "_exit(9)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *argv[] = {rows[i].path, NULL};
		struct run r = {.argv = argv};
		struct result shim;
		json_t *end;

		if (access(rows[i].path, X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		end = one_record(&shim, "epitaph.end", shim.pid);
		assert_int_equal(get_int(end, "process.exit.code"), rows[i].code);
		check_contains(get_string(end, "body"), rows[i].first);
		check_contains(get_string(end, "body"), rows[i].second);
		result_free(&shim);
	}
}

static void test_daemon(void **state)
{
	static const char *const victims[] = {GLIBC("v_daemon"), MUSL("v_daemon")};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *file = temp_path("daemon-%d", i);
		const char *argv[] = {victims[i], file, NULL};
		struct run r = {.argv = argv, .env = {"EPITAPH_SCOPE=all"}};
		struct result shim;
		json_t *end, *child;
		char *text;

		if (access(victims[i], X_OK) != 0)
			continue;
		run(&r, &shim);
		assert_int_equal(shim.status, 0);
		end = one_record(&shim, "epitaph.end", shim.pid);
		check(is_string(end, "epitaph.cause", "libc_exit"), "%s", shim.log);
		assert_int_equal(get_int(end, "process.exit.code"), 0);
		check_contains(get_string(end, "body"), "daemon");
		/* musl forks twice: the one in between ends inside libc, unseen or not. */
		child = nth_record(&shim, "epitaph.end", 0,
				   count_records(&shim, "epitaph.end", 0) - 1);
		assert_int_not_equal(get_int(child, "process.pid"), shim.pid);
		assert_int_equal(get_int(child, "process.exit.code"), 5);
		text = slurp(file, NULL);
		assert_string_equal(text, "daemon\n");
		free(text);
		result_free(&shim);
	}
}

static void test_double_fork(void **state)
{
	const char *argv[] = {GLIBC("v_double_fork"), NULL};
	struct run r = {.argv = argv, .env = {"EPITAPH_SCOPE=all"}};
	struct result shim;

	(void)state;
	run_both(&r, &shim, NULL);
	assert_int_equal(count_records(&shim, "epitaph.end", 0), 3);
	assert_int_equal(get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			 0);
	result_free(&shim);
}

/* Threads that end the process at the same time: one record, with the code that came out. */
static void test_race(void **state)
{
	const char *argv[] = {GLIBC("v_threads_race"), "mixed", NULL};
	struct run r = {.argv = argv};

	(void)state;
	for (int i = 0; i < 50; i++) {
		struct result shim;

		run(&r, &shim);
		assert_true(WIFEXITED(shim.status) && WEXITSTATUS(shim.status) == 3);
		assert_int_equal(
			get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			3);
		result_free(&shim);
	}
}

/* Threads that die of a signal at the same time: of that signal, and one record. */
static void test_race_of_signals(void **state)
{
	const char *const victims[] = {GLIBC("v_threads_race"), MUSL("v_threads_race")};

	(void)state;
	for (int i = 0; i < 60; i++) {
		const char *argv[] = {victims[i % 2], "signal", NULL};
		struct run r = {.argv = argv};
		struct result shim;

		if (access(argv[0], X_OK) != 0)
			continue;
		run(&r, &shim);
		assert_true(WIFSIGNALED(shim.status) && WTERMSIG(shim.status) == SIGTERM);
		assert_int_equal(get_int(one_record(&shim, "epitaph.end", shim.pid),
					 "epitaph.signal.number"),
				 SIGTERM);
		result_free(&shim);
	}
}

static void test_library_is_named(void **state)
{
	const char *argv[] = {GLIBC("v_libcall"), GLIBC("libleaver.so"), NULL};
	struct run r = {.argv = argv};
	struct result shim;
	json_t *end;

	(void)state;
	run_both(&r, &shim, NULL);
	end = one_record(&shim, "epitaph.end", shim.pid);
	assert_string_equal(get_string(end, "epitaph.caller.module"), GLIBC("libleaver.so"));
	assert_string_equal(get_string(end, "code.function.name"), "leave_by_library");
	check_contains(get_string(end, "code.stacktrace"), "v_libcall+0x");
	result_free(&shim);
}

/* Nobody can see an inline exit_group: no false record, and the same status. */
static void test_unseen_end(void **state)
{
	const char *argv[] = {GLIBC("v_raw_exit_group"), NULL};
	struct run r = {.argv = argv};
	struct result shim;

	(void)state;
#if !defined(__x86_64__)
	skip_because("the victim's inline system call is written for x86_64");
#endif
	run_both(&r, &shim, NULL);
	assert_int_equal(WEXITSTATUS(shim.status), 3);
	assert_int_equal(count_records(&shim, "epitaph.start", shim.pid), 1);
	assert_int_equal(count_records(&shim, "epitaph.end", 0), 0);
	result_free(&shim);
}

/* A failed assertion and a fault: the status and stderr are the bare program's. */
static void test_signals_as_bare(void **state)
{
	static const char *const victims[] = {GLIBC("v_assert"), MUSL("v_assert"),
					      GLIBC("v_overflow"), MUSL("v_overflow")};

	(void)state;
	for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) {
		const char *argv[] = {victims[i], NULL};
		struct run r = {.argv = argv};
		struct result shim;

		if (access(victims[i], X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		assert_true(WIFSIGNALED(shim.status));
		assert_int_equal(count_records(&shim, "epitaph.end", 0) <= 1, 1);
		result_free(&shim);
	}
}

static void test_cxx(void **state)
{
	static const struct {
		const char *how;
		int code;
		const char *cause;
	} rows[] = {
		{"caught", 3, "main_returned"},
		{"exit", 3, "exit"},
		{"pthread_exit", 0, "libc_exit"},
		{"uncaught", -1, "abort"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *argv[] = {GLIBC("v_cxx_throw"), rows[i].how, NULL};
		struct run r = {.argv = argv};
		struct result shim;
		json_t *end;

		run_both(&r, &shim, NULL);
		end = one_record(&shim, "epitaph.end", shim.pid);
		assert_string_equal(get_string(end, "epitaph.cause"), rows[i].cause);
		if (rows[i].code >= 0)
			assert_int_equal(get_int(end, "process.exit.code"), rows[i].code);
		else
			assert_true(WIFSIGNALED(shim.status));
		result_free(&shim);
	}
}

static void test_musl_is_there(void **state)
{
	(void)state;
	if (access(MUSL("v_exit"), X_OK) != 0)
		skip_because("musl-gcc is missing: no musl program was run");
}

int main(void)
{
	static struct CMUnitTest tests[2 * END_COUNT + 20];
	static char names[2 * END_COUNT][80];
	int n = 0;

	for (uintptr_t i = 0; i < 2 * END_COUNT; i++) {
		const struct end *e = &ends[i / 2];
		const char *libc = i % 2 ? "musl" : "glibc";

		if ((e->only && strcmp(e->only, libc)) ||
		    (i % 2 && access(MUSL("v_exit"), X_OK) != 0))
			continue;
		snprintf(names[i], sizeof names[i], "%s %s %s", libc, e->victim,
			 e->arg ? e->arg : "");
		tests[n++] = table_test(names[i], test_end, (const void *)(i + 1));
	}
#define ADD(f) tests[n++] = (struct CMUnitTest){.name = #f, .test_func = f}
	ADD(test_musl_is_there);
	ADD(test_backtrace);
	ADD(test_offset_is_the_call_site);
	ADD(test_all_codes);
	ADD(test_thread_is_named);
	ADD(test_second_cause);
	ADD(test_daemon);
	ADD(test_double_fork);
	ADD(test_race);
	ADD(test_race_of_signals);
	ADD(test_library_is_named);
	ADD(test_unseen_end);
	ADD(test_signals_as_bare);
	ADD(test_cxx);
	return run_group("ends", tests, (size_t)n);
}
