/*
 * Which processes of a tree are told: root, near, all; the mark of the main process, and marks that
 * must not hide it.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * The tree: root ends with 9; its forked subshell that never execs with 7, a child that exec'd with
 * 3, another with 5, whose own child exec'd and ended with 4.
 */
static const char tree[] = "(exit 7); \"$1\" 3; sh -c '\"$1\" 4; exit 5' x \"$1\"; exit 9";

static bool ended_with(const struct result *r, int code)
{
	int n = 0;
	size_t i;
	json_t *record;

	json_array_foreach(r->records, i,
			   record) if (is_string(record, "event.name", "epitaph.end") &&
				       get_int(record, "process.exit.code") == code) n++;
	check(n <= 1, "%d ends with %d: %s", n, code, r->log);
	return n == 1;
}

static void run_tree(struct result *shim, const char *scope, const char *level)
{
	const char *argv[] = {"/bin/bash", "-c", tree, "x", GLIBC("v_return"), NULL};
	struct run r = {.argv = argv, .env = {scope, level}};

	run_both(&r, shim, NULL);
}

static void check_ends(const struct result *r, const char *codes)
{
	for (const char *c = "34579"; *c; c++)
		check(ended_with(r, *c - '0') == (strchr(codes, *c) != NULL), "%c is %s: %s", *c,
		      strchr(codes, *c) ? "missing" : "too many", r->log);
}

static void test_scope(const char *scope, const char *level, const char *codes)
{
	struct result shim;

	run_tree(&shim, scope, level);
	check_ends(&shim, codes);
	assert_int_equal(count_records(&shim, "epitaph.start", 0), 1);
	assert_int_equal(count_records(&shim, "epitaph.start", shim.pid), 1);
	result_free(&shim);
}

static void test_root(void **state)
{
	(void)state;
	test_scope("EPITAPH_SCOPE=root", NULL, "9");
}

static void test_near(void **state)
{
	(void)state;
	test_scope("EPITAPH_SCOPE=near", NULL, "359");
}

static void test_default_is_near(void **state)
{
	(void)state;
	test_scope(NULL, NULL, "359");
}

static void test_all(void **state)
{
	(void)state;
	test_scope("EPITAPH_SCOPE=all", NULL, "34579");
}

/* Debug adds forked children: at least the main process's own. */
static void test_debug(void **state)
{
	struct result shim;

	(void)state;
	run_tree(&shim, "EPITAPH_LEVEL=debug", NULL);
	assert_true(ended_with(&shim, 9) && ended_with(&shim, 7) && ended_with(&shim, 3) &&
		    ended_with(&shim, 5));
	result_free(&shim);
}

static void check_root(const char *mark, bool root)
{
	const char *argv[] = {GLIBC("v_return"), "7", NULL};
	struct run r = {.argv = argv, .env = {mark, "EPITAPH_SCOPE=root"}};
	struct result shim;

	run_both(&r, &shim, NULL);
	check(count_records(&shim, "epitaph.end", shim.pid) == root, "%s: %s", mark, shim.log);
	check(count_records(&shim, "epitaph.start", shim.pid) == root, "%s: %s", mark, shim.log);
	result_free(&shim);
}

/* When the process started, since boot: field 22 of /proc/PID/stat, in ticks. */
static unsigned long long start_ns(pid_t pid)
{
	char path[40], *stat, *p;
	unsigned long long start;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	stat = slurp(path, NULL);
	assert_non_null(stat);
	p = strrchr(stat, ')') + 1;
	for (int field = 2; field < 21; field++)
		p = strchr(p + 1, ' ');
	start = strtoull(p, NULL, 10) * (1000000000 / (unsigned long long)sysconf(_SC_CLK_TCK));
	free(stat);
	return start;
}

static unsigned long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (unsigned long long)t.tv_sec * 1000000000 + (unsigned long long)t.tv_nsec;
}

/* A mark baked into an image, or left over from a container that is gone. */
static void test_stale_marks(void **state)
{
	static const char *const stale[] = {
		"EPITAPH_ROOT=",
		"EPITAPH_ROOT=1",
		"EPITAPH_ROOT=7:123:1:1",
		"EPITAPH_ROOT=garbage",
		"EPITAPH_ROOT=1:1:1:1",
		"EPITAPH_ROOT=99999999999999999999:1:1:1",
		"EPITAPH_ROOT=-1:-1:-1:-1",
		"EPITAPH_ROOT=4194304:5:0:0",
		"EPITAPH_ROOT=:::",
	};
	char mark[100];

	(void)state;
	for (size_t i = 0; i < sizeof stale / sizeof *stale; i++)
		check_root(stale[i], true);
	/* A living ancestor that started later than the mark says: the pid was used again. */
	snprintf(mark, sizeof mark, "EPITAPH_ROOT=%d:%llu:1:1", getpid(),
		 start_ns(getpid()) - 20000000);
	check_root(mark, true);
	/* From another boot: a time that is still to come. */
	snprintf(mark, sizeof mark, "EPITAPH_ROOT=%d:%llu:1:1", getpid(), now_ns() + 1000000000000);
	check_root(mark, true);
	snprintf(mark, sizeof mark, "EPITAPH_ROOT=%d", getpid());
	check_root(mark, true);
}

/* The control: a true mark does make a descendant of it. */
static void test_true_mark(void **state)
{
	char mark[100];

	(void)state;
	snprintf(mark, sizeof mark, "EPITAPH_ROOT=%d:%llu:1:1", getpid(), now_ns());
	check_root(mark, false);
}

/* A living process that is no ancestor: its mark came by a file or an image, not by descent. */
static void test_mark_of_a_stranger(void **state)
{
	char mark[100];
	int gone[2];
	pid_t stranger;

	(void)state;
	assert_int_equal(pipe(gone), 0);
	stranger = fork();
	if (!stranger) {
		char c;

		close(gone[1]);
		_exit(read(gone[0], &c, 1) == 0 ? 0 : 1);
	}
	close(gone[0]);
	snprintf(mark, sizeof mark, "EPITAPH_ROOT=%d:%llu:1:1", stranger, now_ns());
	{
		/* Not run(): it waits for all descendants, and the stranger is one. */
		const char *log = temp_path("stranger.log");
		char log_variable[600], *text;
		pid_t pid = fork();
		int status;

		if (!pid) {
			char *const argv[] = {(char *)(uintptr_t)GLIBC("v_return"), NULL};
			char *envp[] = {mark, (char *)(uintptr_t)("LD_PRELOAD=" SHIM),
					(char *)(uintptr_t) "EPITAPH_FORMAT=json", log_variable,
					NULL};

			snprintf(log_variable, sizeof log_variable, "EPITAPH_LOG=%s", log);
			execve(argv[0], argv, envp);
			_exit(127);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		close(gone[1]);
		waitpid(stranger, NULL, 0);
		assert_int_equal(WEXITSTATUS(status), 7);
		text = slurp(log, NULL);
		check(text && strstr(text, "epitaph.start"), "no start record: %s",
		      text ? text : "no log");
		free(text);
	}
}

/* exec keeps the pid, and the mark: the server that an entrypoint execs is the main process. */
static void test_exec_stays_root(void **state)
{
	const char *argv[] = {"/bin/sh", "-c", "exec \"$1\" 7", "x", GLIBC("v_return"), NULL};
	struct run r = {.argv = argv, .env = {"EPITAPH_SCOPE=root"}};
	struct result shim;

	(void)state;
	run_both(&r, &shim, NULL);
	assert_int_equal(get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			 7);
	result_free(&shim);
}

/* What a script wrote before it executed the program, and our own lines of that, are no words of
 * the program's. */
static void test_exec_of_a_placeholder(void **state)
{
	const char *argv[] = {"/bin/sh",	 "-c", "echo starting; exec \"$1\" 0", "x",
			      GLIBC("v_return"), NULL};
	struct run r = {.argv = argv};
	struct result shim;

	(void)state;
	run_both(&r, &shim, NULL);
	check_contains(get_string(one_record(&shim, "epitaph.end", shim.pid), "body"),
		       "; it printed nothing, opened no socket and lived ");
	result_free(&shim);
}

/* What a child under $(…) or 2>file writes must not get lines of ours. */
static void test_captured_stderr(void **state)
{
	const char *argv[] = {"/bin/sh", "-c", "x=$(sh -c 'exit 3' 2>&1); echo \"[$x]\"; exit 6",
			      NULL};
	struct run r = {.argv = argv,
			.env = {"EPITAPH_LOG=stderr", "EPITAPH_SCOPE=all", "EPITAPH_LEVEL=debug"}};
	struct result shim;
	json_t *lines;

	(void)state;
	r.no_log = true;
	run_both(&r, &shim, NULL);
	assert_string_equal(shim.out, "[]\n");
	lines = parse_lines(shim.err, shim.err_len);
	json_decref(lines);
	check_contains(shim.err, "exit code 6");
	result_free(&shim);
}

static void test_redirected_stderr(void **state)
{
	const char *file = temp_path("errors");
	const char *argv[] = {"/bin/sh", "-c", "sh -c 'echo mine >&2; exit 3' 2>\"$1\"; exit 6",
			      "x",	 file, NULL};
	struct run r = {
		.argv = argv, .env = {"EPITAPH_LOG=stderr", "EPITAPH_SCOPE=all"}, .no_log = true};
	struct result shim;
	char *text;

	(void)state;
	run(&r, &shim);
	text = slurp(file, NULL);
	assert_string_equal(text, "mine\n");
	free(text);
	check_contains(shim.err, "exit code 6");
	result_free(&shim);
}

/* The main process too may redirect itself: the log stays what it was at the start. */
static void test_root_redirects_itself(void **state)
{
	const char *file = temp_path("own");
	const char *argv[] = {"/bin/sh", "-c", "exec 2>\"$1\"; echo mine >&2; exit 6",
			      "x",	 file, NULL};
	struct run r = {.argv = argv, .env = {"EPITAPH_LOG=stderr"}, .no_log = true};
	struct result shim;
	char *text;

	(void)state;
	run(&r, &shim);
	text = slurp(file, NULL);
	assert_string_equal(text, "mine\n");
	free(text);
	check_contains(shim.err, "exit code 6");
	result_free(&shim);
}

/* A forked child leaves the parent's record and its buffers alone. */
static void test_forked_child(void **state)
{
	static const char *const victims[] = {GLIBC("v_fork__exit"),  GLIBC("v_fork_exit"),
					      GLIBC("v_fork_return"), GLIBC("v_fork_buffer"),
					      GLIBC("v_vfork__exit"), MUSL("v_fork__exit"),
					      MUSL("v_fork_exit"),    MUSL("v_fork_return"),
					      MUSL("v_fork_buffer"),  MUSL("v_vfork__exit")};

	(void)state;
	for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) {
		const char *argv[] = {victims[i], NULL};
		struct run r = {.argv = argv, .env = {"EPITAPH_SCOPE=all"}};
		struct result shim;

		if (access(victims[i], X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		check(count_records(&shim, "epitaph.end", 0) == 2, "%s", shim.log);
		assert_true(ended_with(&shim, 9) && ended_with(&shim, 4));
		assert_int_equal(
			get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			4);
		result_free(&shim);
	}
}

/* A forked child that outlives the main process still has its say, once. */
static void test_orphan(void **state)
{
	const char *argv[] = {GLIBC("v_fork_only_child"), NULL};
	struct run r = {.argv = argv, .env = {"EPITAPH_SCOPE=all"}};
	struct result shim;

	(void)state;
	run_both(&r, &shim, NULL);
	assert_true(ended_with(&shim, 4) && ended_with(&shim, 5));
	result_free(&shim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_default_is_near),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_debug),
		cmocka_unit_test(test_stale_marks),
		cmocka_unit_test(test_true_mark),
		cmocka_unit_test(test_mark_of_a_stranger),
		cmocka_unit_test(test_exec_stays_root),
		cmocka_unit_test(test_exec_of_a_placeholder),
		cmocka_unit_test(test_captured_stderr),
		cmocka_unit_test(test_redirected_stderr),
		cmocka_unit_test(test_root_redirects_itself),
		cmocka_unit_test(test_forked_child),
		cmocka_unit_test(test_orphan),
	};

	return run_group("scope", tests, sizeof tests / sizeof *tests);
}
