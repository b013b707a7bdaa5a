/*
 * A new program in this process or in a child: the exec record, whether it says truly that the shim
 * comes along, and why not.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct how {
	const char *libc, *name;
	bool spawn, env; /* env: takes an environment, so it can drop LD_PRELOAD */
};

static const struct how hows[] = {
	{"glibc", "execve", false, true},     {"glibc", "execv", false, false},
	{"glibc", "execvp", false, false},    {"glibc", "execvpe", false, true},
	{"glibc", "execl", false, false},     {"glibc", "execlp", false, false},
	{"glibc", "execle", false, true},     {"glibc", "fexecve", false, true},
	{"glibc", "execveat", false, true},   {"glibc", "syscall", false, true},
	{"glibc", "posix_spawn", true, true}, {"glibc", "posix_spawnp", true, true},
	{"musl", "execve", false, true},      {"musl", "execv", false, false},
	{"musl", "execvp", false, false},     {"musl", "execvpe", false, true},
	{"musl", "execl", false, false},      {"musl", "execlp", false, false},
	{"musl", "execle", false, true},      {"musl", "fexecve", false, true},
	{"musl", "syscall", false, true},     {"musl", "posix_spawn", true, true},
	{"musl", "posix_spawnp", true, true},
};

enum { HOW_COUNT = sizeof hows / sizeof *hows };

/* Runs v_exec HOW TARGET 3; the record must be there and agree with what then happened. */
static void exec_one(const struct how *h, const char *suffix, const char *target, bool follows,
		     const char *reason)
{
	char path[512], how[40];
	const char *argv[] = {path, how, target, "3", NULL};
	struct run r = {.argv = argv};
	struct result shim;
	json_t *exec;
	int ends;

	snprintf(path, sizeof path, "%s/tests/%s/v_exec", BUILD, h->libc);
	snprintf(how, sizeof how, "%s%s", h->name, suffix);
	run_both(&r, &shim, NULL);
	exec = one_record(&shim, "epitaph.exec", shim.pid);
	assert_string_equal(get_string(exec, "epitaph.exec.path"), target);
	check(get_bool(exec, "epitaph.exec.followed") == follows, "%s", shim.log);
	check_contains(get_string(exec, "body"), target);
	/* The truth: whoever has the shim writes an end record with its code. */
	ends = count_records(&shim, "epitaph.end", 0);
	if (h->spawn) {
		check_contains(shim.out, "spawned 3");
		assert_int_equal(ends, follows ? 2 : 1);
		assert_int_equal(
			get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			60);
	} else {
		assert_true(WIFEXITED(shim.status) && WEXITSTATUS(shim.status) == 3);
		check(ends == (follows ? 1 : 0), "%d ends; %s", ends, shim.log);
		if (follows) {
			const json_t *end = one_record(&shim, "epitaph.end", shim.pid);

			assert_int_equal(get_int(end, "process.exit.code"), 3);
			assert_string_equal(get_string(end, "process.executable.path"), target);
		}
	}
	if (follows)
		assert_false(has(exec, "epitaph.exec.reason"));
	else
		check_contains(get_string(exec, "epitaph.exec.reason"), reason);
	result_free(&shim);
}

static void test_followed(void **state)
{
	exec_one(*state, "", GLIBC("v_return"), true, NULL);
}

static void test_static(void **state)
{
	exec_one(*state, "", STATIC("v_return"), false, "static");
}

static void test_dropped(void **state)
{
	const struct how *h = *state;

	if (h->env)
		exec_one(h, "-empty", GLIBC("v_return"), false, "LD_PRELOAD");
	else
		exec_one(h, "", GLIBC("v_exit"), true, NULL);
}

/* A file that is not there: the program goes on, nobody was replaced, no record. */
static void test_missing(void **state)
{
	const struct how *h = *state;
	char path[512];
	const char *argv[] = {path, h->name, "/nonexistent/program", "3", NULL};
	struct run r = {.argv = argv};
	struct result shim;

	snprintf(path, sizeof path, "%s/tests/%s/v_exec", BUILD, h->libc);
	run_both(&r, &shim, NULL);
	assert_int_equal(count_records(&shim, "epitaph.exec", 0), 0);
	assert_int_equal(get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			 WEXITSTATUS(shim.status));
	result_free(&shim);
}

static const struct how *const by_execve = &hows[0];

/* A set-uid file of another user drops LD_PRELOAD. */
static void set_id(const char *name, mode_t mode, uid_t uid, gid_t gid, const char *reason)
{
	const char *copy = temp_path("%s", name);
	char command[700];

	if (geteuid() != 0)
		skip_because("only root can make a set-uid file of another user");
	snprintf(command, sizeof command, "cp %s %s", GLIBC("v_return"), copy);
	assert_int_equal(system(command), 0);
	assert_int_equal(chmod(temp_dir(), 0755), 0);
	assert_int_equal(chown(copy, uid, gid), 0);
	assert_int_equal(chmod(copy, mode), 0);
	exec_one(by_execve, "", copy, !reason, reason);
}

static void test_set_uid(void **state)
{
	(void)state;
	set_id("set-uid", 04755, 65534, 0, "set-uid");
}

static void test_set_gid(void **state)
{
	(void)state;
	set_id("set-gid", 02755, 0, 65534, "set-gid");
}

/* Set-uid to who we are changes nothing: the loader keeps LD_PRELOAD. */
static void test_set_uid_of_own(void **state)
{
	(void)state;
	set_id("set-uid-own", 04755, 0, 0, NULL);
}

static void test_other_architecture(void **state)
{
	const char *argv[] = {GLIBC("v_foreign"), NULL};
	struct run r = {.argv = argv, .bare = true};
	struct result bare;
	int status;

	(void)state;
	if (access(GLIBC("v_foreign"), X_OK) != 0)
		skip_because("the 32-bit victim is only for x86_64");
	run(&r, &bare);
	status = bare.status;
	result_free(&bare);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 5)
		skip_because("this kernel runs no 32-bit programs");
	{
		const char *exec[] = {GLIBC("v_exec"), "execve", GLIBC("v_foreign"), NULL};
		struct run e = {.argv = exec};
		struct result shim;
		json_t *record;

		run_both(&e, &shim, NULL);
		record = one_record(&shim, "epitaph.exec", shim.pid);
		assert_false(get_bool(record, "epitaph.exec.followed"));
		check_contains(get_string(record, "epitaph.exec.reason"), "architecture");
		result_free(&shim);
	}
}

/* A script: the interpreter is what counts. */
static void test_script(void **state)
{
	const char *script = temp_path("script.sh"), *wrapped = temp_path("static-script");
	FILE *f = fopen(script, "we");

	(void)state;
	fputs("#!/bin/sh\nexit $1\n", f);
	fclose(f);
	chmod(script, 0755);
	{
		const char *argv[] = {GLIBC("v_exec"), "execve", script, "3", NULL};
		struct run r = {.argv = argv};
		struct result shim;
		json_t *record;

		run_both(&r, &shim, NULL);
		record = one_record(&shim, "epitaph.exec", shim.pid);
		assert_true(get_bool(record, "epitaph.exec.followed"));
		assert_int_equal(
			get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			3);
		result_free(&shim);
	}
	f = fopen(wrapped, "we");
	fprintf(f, "#!%s 3\n", STATIC("v_return"));
	fclose(f);
	chmod(wrapped, 0755);
	{
		const char *argv[] = {GLIBC("v_exec"), "execve", wrapped, NULL};
		struct run r = {.argv = argv};
		struct result shim;
		json_t *record;

		run_both(&r, &shim, NULL);
		record = one_record(&shim, "epitaph.exec", shim.pid);
		assert_false(get_bool(record, "epitaph.exec.followed"));
		check_contains(get_string(record, "epitaph.exec.reason"), "static");
		result_free(&shim);
	}
}

/* The pid stays: the exec'd program is still the main process, through a chain of programs. */
static void test_chain(void **state)
{
	const char *argv[] = {"/bin/sh",       "-c", "exec sh -c 'exec \"$1\" 3' x \"$1\"", "x",
			      GLIBC("v_exit"), NULL};
	struct run r = {.argv = argv};
	struct result shim;
	json_t *end;

	(void)state;
	run_both(&r, &shim, NULL);
	assert_int_equal(count_records(&shim, "epitaph.exec", shim.pid), 2);
	end = one_record(&shim, "epitaph.end", shim.pid);
	assert_string_equal(get_string(end, "process.executable.name"), "v_exit");
	assert_int_equal(get_int(end, "process.exit.code"), 3);
	result_free(&shim);
}

/* A child's exec is told by its own end; only where the shim stays behind there is a record. */
static void test_child(void **state)
{
	static const char *const parents[] = {GLIBC("v_fork_exec"), GLIBC("v_vfork_exec"),
					      MUSL("v_fork_exec"), MUSL("v_vfork_exec")};

	(void)state;
	for (size_t i = 0; i < sizeof parents / sizeof *parents; i++) {
		const char *argv[] = {parents[i], GLIBC("v_return"), "3", NULL};
		struct run r = {.argv = argv};
		struct result shim;
		json_t *record;

		if (access(parents[i], X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		assert_int_equal(count_records(&shim, "epitaph.exec", 0), 0);
		assert_int_equal(count_records(&shim, "epitaph.end", 0), 2);
		assert_int_equal(
			get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			4);
		result_free(&shim);

		argv[1] = STATIC("v_return");
		run_both(&r, &shim, NULL);
		assert_int_equal(count_records(&shim, "epitaph.exec", 0), 1);
		record = nth_record(&shim, "epitaph.exec", 0, 0);
		assert_int_not_equal(get_int(record, "process.pid"), shim.pid);
		check_contains(get_string(record, "epitaph.exec.reason"), "static");
		assert_int_equal(count_records(&shim, "epitaph.end", 0), 1);
		result_free(&shim);

		argv[1] = "/nonexistent/program";
		run_both(&r, &shim, NULL);
		assert_int_equal(count_records(&shim, "epitaph.exec", 0), 0);
		assert_int_equal(
			get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			4);
		result_free(&shim);
	}
}

static void test_many_arguments(void **state)
{
	static const char *const victims[] = {GLIBC("v_exec_many_args"), MUSL("v_exec_many_args")};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *argv[] = {victims[i], NULL};
		struct run r = {.argv = argv};
		struct result shim;

		if (access(victims[i], X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		assert_string_equal(shim.out, "123456789\nargc 11\n");
		result_free(&shim);
	}
}

int main(void)
{
	static struct CMUnitTest tests[4 * HOW_COUNT + 20];
	static char names[4][HOW_COUNT][64];
	static const struct {
		const char *name;
		CMUnitTestFunction f;
	} kinds[] = {{"followed", test_followed},
		     {"static", test_static},
		     {"dropped", test_dropped},
		     {"missing", test_missing}};
	int n = 0;

	for (int k = 0; k < 4; k++) {
		for (int i = 0; i < HOW_COUNT; i++) {
			if (!strcmp(hows[i].libc, "musl") && access(MUSL("v_exec"), X_OK) != 0)
				continue;
			snprintf(names[k][i], sizeof names[k][i], "%s %s %s", hows[i].libc,
				 hows[i].name, kinds[k].name);
			tests[n++] = table_test(names[k][i], kinds[k].f, &hows[i]);
		}
	}
#define ADD(f) tests[n++] = (struct CMUnitTest){.name = #f, .test_func = f}
	ADD(test_set_uid);
	ADD(test_set_gid);
	ADD(test_set_uid_of_own);
	ADD(test_other_architecture);
	ADD(test_script);
	ADD(test_chain);
	ADD(test_child);
	ADD(test_many_arguments);
	return run_group("execs", tests, (size_t)n);
}
