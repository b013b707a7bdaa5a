/*
 * Where lines go: stderr, fd:N, a path; the log's descriptor in the program's way, closed, stolen;
 * lines of many processes in one pipe and one file.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *log_entry(const char *value)
{
	static char ring[4][640];
	static int next;
	char *s = ring[next++ % 4];

	snprintf(s, sizeof *ring, "EPITAPH_LOG=%s", value);
	return s;
}

/* Runs v_exit with this EPITAPH_LOG; the log itself is for the caller to look at. */
static void run_logged(const char *value, struct result *shim)
{
	const char *argv[] = {GLIBC("v_exit"), NULL};
	struct run r = {.argv = argv, .env = {log_entry(value)}, .no_log = true};

	run(&r, shim);
	assert_true(WIFEXITED(shim->status) && WEXITSTATUS(shim->status) == 3);
}

static void check_file(const char *path, int ends)
{
	size_t len;
	char *text = slurp(path, &len);
	json_t *lines, *record;
	size_t i;

	check(text, "%s is not there", path);
	lines = parse_lines(text, len);
	json_array_foreach(lines, i, record) ends -= is_string(record, "event.name", "epitaph.end");
	check(ends == 0, "%d ends are missing in %s: %s", ends, path, text);
	json_decref(lines);
	free(text);
}

static void test_stderr(void **state)
{
	static const char *const values[] = {"stderr", NULL};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *argv[] = {GLIBC("v_exit"), NULL};
		struct run r = {.argv = argv,
				.env = {values[i] ? log_entry(values[i]) : NULL},
				.no_log = true};
		struct result shim;
		json_t *lines;

		run(&r, &shim);
		lines = parse_lines(shim.err, shim.err_len);
		assert_int_equal(json_array_size(lines), 2);
		json_decref(lines);
		assert_int_equal(shim.out_len, 0);
		result_free(&shim);
	}
}

static void test_fd(void **state)
{
	const char *file = temp_path("by-fd");
	const char *argv[] = {
		"/bin/sh",
		"-c",
		"LD_PRELOAD=\"$2\" EPITAPH_LOG=fd:7 EPITAPH_FORMAT=json \"$1\" 7>\"$3\"; exit $?",
		"x",
		GLIBC("v_exit"),
		SHIM,
		file,
		NULL};
	struct run r = {.argv = argv, .bare = true};
	struct result shim;

	(void)state;
	run(&r, &shim);
	assert_int_equal(WEXITSTATUS(shim.status), 3);
	check_file(file, 1);
	assert_int_equal(shim.err_len, 0);
	result_free(&shim);
	run_logged("fd:1", &shim);
	json_decref(parse_lines(shim.out, shim.out_len));
	check_contains(shim.out, "epitaph.end");
	result_free(&shim);
}

/* A descriptor that is not open: one line on stderr, and there it goes on. */
static void test_fd_closed(void **state)
{
	struct result shim;
	json_t *lines;

	(void)state;
	run_logged("fd:77", &shim);
	lines = parse_lines(shim.err, shim.err_len);
	assert_int_equal(json_array_size(lines), 3);
	json_decref(lines);
	check_contains(shim.err, "epitaph.config");
	check_contains(shim.err, "fd:77");
	check_contains(shim.err, "epitaph.end");
	result_free(&shim);
}

static void test_path(void **state)
{
	struct result shim;
	struct stat st;
	const char *path = temp_path("plain.log");

	(void)state;
	umask(0);
	run_logged(path, &shim);
	result_free(&shim);
	umask(022);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	check_file(path, 1);
	run_logged(path, &shim); /* appended */
	assert_int_equal(shim.err_len, 0);
	result_free(&shim);
	check_file(path, 2);
}

static void test_template(void **state)
{
	struct result shim;
	char path[600];

	(void)state;
	snprintf(path, sizeof path, "%s/%%n-%%p-100%%%%.log", temp_dir());
	run_logged(path, &shim);
	check_file(temp_path("v_exit-%d-100%%.log", shim.pid), 1);
	result_free(&shim);
}

/* A name with a slash in it must not lead out of the folder. */
static void test_template_name(void **state)
{
	const char *argv[] = {"/bin/bash",     "-c", "exec -a ../../escaped \"$1\"", "x",
			      GLIBC("v_exit"), NULL};
	char path[600];
	struct run r = {.argv = argv, .no_log = true};
	struct result shim;

	(void)state;
	mkdir(temp_path("inner"), 0700);
	snprintf(path, sizeof path, "%s/inner/%%n.log", temp_dir());
	r.env[0] = log_entry(path);
	run(&r, &shim);
	assert_int_not_equal(access(temp_path("escaped.log"), F_OK), 0);
	assert_int_equal(WEXITSTATUS(shim.status), 3);
	result_free(&shim);
}

/* Children under %p have files of their own. */
static void test_template_of_children(void **state)
{
	char path[600];
	const char *argv[] = {"/bin/sh",	 "-c", "\"$1\" 4 & echo $!; wait; exit 6", "x",
			      GLIBC("v_return"), NULL};
	struct run r = {.argv = argv, .no_log = true};
	struct result shim;

	(void)state;
	snprintf(path, sizeof path, "%s/child-%%p.log", temp_dir());
	r.env[0] = log_entry(path);
	run(&r, &shim);
	check_file(temp_path("child-%d.log", shim.pid), 1);
	check_file(temp_path("child-%d.log", atoi(shim.out)), 1);
	result_free(&shim);
}

/* A relative path is where the program started, not where it went. */
static void test_relative(void **state)
{
	const char *argv[] = {"/bin/sh", "-c", "cd /; \"$1\"; exit 6", "x", GLIBC("v_exit"), NULL};
	struct run r = {.argv = argv, .env = {"EPITAPH_LOG=relative.log"}, .no_log = true};
	struct result shim;
	char cwd[512];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof cwd));
	assert_int_equal(chdir(temp_dir()), 0);
	run(&r, &shim);
	assert_int_equal(chdir(cwd), 0);
	/* The child started elsewhere, but belongs to the same log. */
	check_file(temp_path("relative.log"), 2);
	assert_int_not_equal(access("/relative.log", F_OK), 0);
	result_free(&shim);
}

/* What cannot be opened: the program as bare, one clear line on stderr. */
static void test_unusable(void **state)
{
	const char *link = temp_path("link.log"), *target = temp_path("target");
	const char *directory = temp_path("directory"), *socket = temp_path("fifo");
	const char *const unusable[] = {"/nonexistent/folder/log", link, directory, socket};
	struct result shim;

	(void)state;
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(mkdir(directory, 0755), 0);
	assert_int_equal(mkfifo(socket, 0600), 0); /* nobody reads it */
	for (size_t i = 0; i < sizeof unusable / sizeof *unusable; i++) {
		json_t *lines;

		run_logged(unusable[i], &shim);
		lines = parse_lines(shim.err, shim.err_len);
		check(json_array_size(lines) == 3, "%s: %s", unusable[i], shim.err);
		assert_string_equal(get_string(json_array_get(lines, 0), "event.name"),
				    "epitaph.config");
		check_contains(get_string(json_array_get(lines, 0), "body"), unusable[i]);
		json_decref(lines);
		result_free(&shim);
	}
	assert_int_not_equal(access(target, F_OK), 0); /* the link was not followed */
}

/* A full disk: the file opens, but takes no line. One clear line on stderr, and the ends there. */
static void test_full_disk(void **state)
{
	struct result shim;
	json_t *lines;

	(void)state;
	run_logged("/dev/full", &shim);
	lines = parse_lines(shim.err, shim.err_len);
	assert_true(json_array_size(lines) >= 1);
	check_contains(shim.err, "/dev/full");
	json_decref(lines);
	result_free(&shim);
}

/* One descriptor more, high and close-on-exec; the lowest free number is the program's. */
static void test_descriptors(void **state)
{
	static const char *const values[] = {"stderr", "file"};
	static const char *const victims[] = {GLIBC("v_fds"), MUSL("v_fds")};

	(void)state;
	for (int i = 0; i < 4; i++) {
		const char *argv[] = {victims[i / 2], NULL};
		struct run r = {.argv = argv};
		struct result shim, bare;
		int extra = 0;
		char *line, *rest;

		if (access(victims[i / 2], X_OK) != 0)
			continue;
		r.no_log = !strcmp(values[i % 2], "stderr");
		run(&r, &shim);
		r.bare = true;
		run(&r, &bare);
		for (line = strtok_r(shim.out, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest)) {
			int fd;

			if (strstr(bare.out, line))
				continue;
			extra++;
			check(sscanf(line, "cloexec %d", &fd) == 1 && fd >= 500, "%s", line);
		}
		assert_true(extra <= 1);
		result_free(&shim);
		result_free(&bare);
	}
}

static void only_mine(const char *path)
{
	size_t len;
	char *text = slurp(path, &len);

	check(text && len > 0 && len % 5 == 0, "%s", text ? text : "no file");
	for (size_t i = 0; i < len; i += 5)
		check(!memcmp(text + i, "mine\n", 5), "a line of ours in the program's file: %s",
		      text);
	free(text);
}

struct closing {
	const char *name, *libc, *from, *how, *log;
};

static const struct closing closings[] = {
	{"close_range from 3, stderr", "glibc", "3", "range", NULL},
	{"close_range from 3, file", "glibc", "3", "range", "file"},
	{"close_range from 0, stderr", "glibc", "0", "range", NULL},
	{"close_range from 0, file", "glibc", "0", "range", "file"},
	{"close loop from 3, stderr", "glibc", "3", "loop", NULL},
	{"close loop from 3, file", "glibc", "3", "loop", "file"},
	{"close loop from 0, file", "glibc", "0", "loop", "file"},
	{"musl close loop from 3, stderr", "musl", "3", "loop", NULL},
	{"musl close_range from 0, file", "musl", "0", "range", "file"},
};

enum { CLOSING_COUNT = sizeof closings / sizeof *closings };

/* The program closes all and puts its own file under every number: nothing of ours goes there. */
static void test_closing(void **state)
{
	const struct closing *c = *state;
	char path[512];
	const char *mine = temp_path("mine-%d", (int)(c - closings));
	const char *argv[] = {path, mine, c->from, c->how, NULL};
	struct run r = {.argv = argv, .no_log = !c->log, .env = {"EPITAPH_FORMAT=json"}};
	struct result shim;

	snprintf(path, sizeof path, "%s/tests/%s/v_close_all", BUILD, c->libc);
	if (access(path, X_OK) != 0)
		skip_because("musl-gcc is missing");
	run(&r, &shim);
	assert_true(WIFEXITED(shim.status) && WEXITSTATUS(shim.status) == 5);
	only_mine(mine);
	if (c->log) /* a path is opened again */
		assert_int_equal(
			get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			5);
	else if (c->from[0] == '3') /* descriptor 2 is still what it was */
		check_contains(shim.err, "exit code 5");
	result_free(&shim);
}

static void test_stolen(void **state)
{
	(void)state;
	for (int file = 0; file < 2; file++) {
		const char *mine = temp_path("stolen-%d", file);
		const char *argv[] = {GLIBC("v_steal_log"), mine, NULL};
		struct run r = {.argv = argv, .no_log = !file};
		struct result shim;

		run(&r, &shim);
		assert_true(WIFEXITED(shim.status) && WEXITSTATUS(shim.status) == 5);
		only_mine(mine);
		check_contains(file ? shim.log : shim.err, "exit code 5");
		result_free(&shim);
	}
}

/* A daemon gives up its copy of stderr: the reader at the other end sees the end of the pipe while
 * the daemon lives, as with the bare program. */
static void lets_go(const char *victim, const char *how)
{
	int e[2], gate[2], status;
	char buffer[4096], number[16];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(e, O_CLOEXEC), 0);
	assert_int_equal(pipe(gate), 0);
	snprintf(number, sizeof number, "%d", gate[0]);
	pid = fork();
	if (!pid) {
		char *const argv[] = {(char *)(uintptr_t)victim, number, (char *)(uintptr_t)how,
				      NULL};
		char *envp[] = {(char *)(uintptr_t)("LD_PRELOAD=" SHIM), NULL};

		close(gate[1]);
		dup2(e[1], 2);
		execve(victim, argv, envp);
		_exit(127);
	}
	close(e[1]);
	close(gate[0]);
	alarm(60);
	while ((n = read(e[0], buffer, sizeof buffer)) > 0)
		;
	alarm(0);
	close(gate[1]);
	while (waitpid(-1, &status, 0) > 0 || errno == EINTR)
		;
	close(e[0]);
	check(n == 0, "%s %s keeps stderr open", victim, how ? how : "");
}

static void test_daemon_lets_go(void **state)
{
	(void)state;
	lets_go(GLIBC("v_daemon_waits"), NULL);
	lets_go(GLIBC("v_daemon_waits"), "daemon");
	if (access(MUSL("v_daemon_waits"), X_OK) == 0) {
		lets_go(MUSL("v_daemon_waits"), NULL);
		lets_go(MUSL("v_daemon_waits"), "daemon");
	}
}

enum { WRITERS = 8, ENDS = 1000 };

/* Starts eight programs of a thousand ends each, all with this stderr and EPITAPH_LOG. */
static void start_writers(int stderr_fd, const char *log, pid_t pids[WRITERS])
{
	char variable[600];

	snprintf(variable, sizeof variable, "EPITAPH_LOG=%s", log);
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			char *const argv[] = {(char *)(uintptr_t)GLIBC("v_ends"),
					      (char *)(uintptr_t) "1000", NULL};
			char *envp[] = {(char *)(uintptr_t)("LD_PRELOAD=" SHIM),
					(char *)(uintptr_t) "EPITAPH_FORMAT=json",
					(char *)(uintptr_t) "EPITAPH_SCOPE=all", variable, NULL};

			dup2(stderr_fd, 2);
			execve(argv[0], argv, envp);
			_exit(127);
		}
	}
}

static void check_all_whole(const char *text, size_t len)
{
	json_t *lines = parse_lines(text, len), *record;
	int ends = 0, mains = 0;
	size_t i;

	json_array_foreach(lines, i, record)
	{
		if (!is_string(record, "event.name", "epitaph.end"))
			continue;
		ends += get_int(record, "process.exit.code") == 3;
		mains += get_int(record, "process.exit.code") == 4;
	}
	assert_int_equal(ends, WRITERS * ENDS);
	assert_int_equal(mains, WRITERS);
	json_decref(lines);
}

static void test_whole_lines_in_a_pipe(void **state)
{
	pid_t pids[WRITERS];
	size_t len = 0, cap = 1 << 24;
	char *text = malloc(cap);
	int p[2], status;
	ssize_t n;

	(void)state;
	assert_non_null(text);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	start_writers(p[1], "stderr", pids);
	close(p[1]);
	alarm(120);
	while ((n = read(p[0], text + len, cap - len)) > 0)
		len += (size_t)n;
	alarm(0);
	close(p[0]);
	for (int i = 0; i < WRITERS; i++)
		assert_true(waitpid(pids[i], &status, 0) == pids[i] && WEXITSTATUS(status) == 4);
	check_all_whole(text, len);
	free(text);
}

static void test_whole_lines_in_a_file(void **state)
{
	const char *file = temp_path("torn.log");
	pid_t pids[WRITERS];
	size_t len;
	char *text;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), status;

	(void)state;
	start_writers(null, file, pids);
	for (int i = 0; i < WRITERS; i++)
		assert_true(waitpid(pids[i], &status, 0) == pids[i] && WEXITSTATUS(status) == 4);
	close(null);
	text = slurp(file, &len);
	assert_non_null(text);
	check_all_whole(text, len);
	free(text);
}

int main(void)
{
	static struct CMUnitTest tests[CLOSING_COUNT + 20];
	int n = 0;

#define ADD(f) tests[n++] = (struct CMUnitTest){.name = #f, .test_func = f}
	ADD(test_stderr);
	ADD(test_fd);
	ADD(test_fd_closed);
	ADD(test_path);
	ADD(test_template);
	ADD(test_template_name);
	ADD(test_template_of_children);
	ADD(test_relative);
	ADD(test_unusable);
	ADD(test_full_disk);
	ADD(test_descriptors);
	for (int i = 0; i < CLOSING_COUNT; i++)
		tests[n++] = table_test(closings[i].name, test_closing, &closings[i]);
	ADD(test_stolen);
	ADD(test_daemon_lets_go);
	ADD(test_whole_lines_in_a_pipe);
	ADD(test_whole_lines_in_a_file);
	return run_group("log", tests, (size_t)n);
}
