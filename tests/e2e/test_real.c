/*
 * Real programs, bare and under the shim: wait status, stdout and stderr are equal, and the end
 * record tells what happened.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct real {
	const char *name, *program;
	const char *args[6];
	int code;	   /* -1: a signal */
	const char *cause; /* NULL: any; "": no end record (static, a signal) */
};

#define PYTHON "/usr/bin/python3"
#define PERL   "/usr/bin/perl"
#define NODE   "/usr/bin/node"
#define ANY    NULL
#define UNTOLD ""
#define TOKIO  BUILD "/tests/tokio-server"
#define MAIN   "main_returned"

static const struct real reals[] = {
	{"sh exit", "/bin/sh", {"-c", "exit 3"}, 3, ANY},
	{"sh end of script", "/bin/sh", {"-c", "echo out; echo err >&2; false"}, 1, ANY},
	{"sh pipeline",
	 "/bin/sh",
	 {"-c", "echo b a | tr ' ' '\\n' | sort | tail -n 1; exit 4"},
	 4,
	 ANY},
	{"sh substitution",
	 "/bin/sh",
	 {"-c", "x=$(echo inner; exit 5); echo \"$? $x\"; (exit 6)"},
	 6,
	 ANY},
	{"sh trap", "/bin/sh", {"-c", "trap 'echo bye' EXIT; exit 7"}, 7, ANY},
	{"sh set -e", "/bin/sh", {"-ec", "false; echo never"}, 1, ANY},
	{"sh not found", "/bin/sh", {"-c", "no-such-program-here"}, 127, ANY},
	{"sh exec", "/bin/sh", {"-c", "exec cat /etc/hostname"}, 0, ANY},
	{"sh wait", "/bin/sh", {"-c", "sh -c 'exit 9' & wait $!"}, 9, ANY},
	{"sh kills itself", "/bin/sh", {"-c", "kill -TERM $$"}, -1, ANY},
	{"bash exit", "/bin/bash", {"-c", "exit 3"}, 3, "exit"},
	{"bash functions", "/bin/bash", {"-c", "f() { return 8; }; f"}, 8, "exit"},
	{"bash process substitution",
	 "/bin/bash",
	 {"-c", "cat <(echo one) <(echo two); exit 5"},
	 5,
	 "exit"},
	{"bash coproc and arrays",
	 "/bin/bash",
	 {"-c", "a=(1 2 3); for i in \"${a[@]}\"; do (echo $i); done"},
	 0,
	 "exit"},
	{"bash pipefail", "/bin/bash", {"-c", "set -o pipefail; (exit 3) | cat"}, 3, "exit"},
	{"python return", PYTHON, {"-c", "print('hello')"}, 0, MAIN},
	{"python sys.exit", PYTHON, {"-c", "import sys; print('x'); sys.exit(3)"}, 3, ANY},
	{"python os._exit", PYTHON, {"-c", "import os; os._exit(4)"}, 4, "_exit"},
	{"python exception", PYTHON, {"-c", "raise SystemError('x')"}, 1, ANY},
	{"python abort", PYTHON, {"-c", "import os; os.abort()"}, -1, "abort"},
	{"python fork",
	 PYTHON,
	 {"-c", "import os\np=os.fork()\nif p==0: os._exit(5)\nprint(os.waitpid(p,0)[1])"},
	 0,
	 MAIN},
	{"python subprocess",
	 PYTHON,
	 {"-c",
	  "import subprocess as s; print(s.run(['sh','-c','echo x; exit 3'],capture_output=True))"},
	 0,
	 MAIN},
	{"python threads",
	 PYTHON,
	 {"-c", "import threading as t\nx=[t.Thread(target=print) for i in range(8)]\n[i.start() "
		"for i in x]\n[i.join() for i in x]"},
	 0,
	 MAIN},
	{"python multiprocessing",
	 PYTHON,
	 {"-c", "import multiprocessing as m\nif __name__=='__main__':\n with m.Pool(2) as p: "
		"print(p.map(abs,[-1,-2]))"},
	 0,
	 MAIN},
	{"python exec",
	 PYTHON,
	 {"-c", "import os; os.execv('/bin/sh',['sh','-c','exit 6'])"},
	 6,
	 ANY},
	{"perl exit", PERL, {"-e", "print 1; exit 3"}, 3, ANY},
	{"perl die", PERL, {"-e", "die 'x'"}, 255, ANY},
	{"perl END", PERL, {"-e", "END { print 'end'; $? = 9 } exit 3"}, 9, ANY},
	{"perl system", PERL, {"-e", "print system('exit 2'), `echo x`"}, 0, ANY},
	{"perl POSIX::_exit", PERL, {"-MPOSIX", "-e", "POSIX::_exit(4)"}, 4, "_exit"},
	{"node return", NODE, {"-e", "console.log('x')"}, 0, ANY},
	{"node exit", NODE, {"-e", "process.exit(3)"}, 3, ANY},
	{"node throw", NODE, {"-e", "throw new Error('x')"}, 1, ANY},
	{"node abort", NODE, {"-e", "process.abort()"}, -1, ANY},
	{"node spawn",
	 NODE,
	 {"-e", "console.log(require('child_process').spawnSync('sh',['-c','exit 3']).status)"},
	 0,
	 ANY},
	{"true", "/bin/true", {NULL}, 0, ANY},
	{"false", "/bin/false", {NULL}, 1, ANY},
	{"ls", "/bin/ls", {"/"}, 0, ANY},
	{"ls missing", "/bin/ls", {"/nonexistent"}, 2, ANY},
	{"cat", "/bin/cat", {"/etc/passwd"}, 0, ANY},
	{"date", "/bin/date", {"-u", "-d", "@0"}, 0, ANY},
	{"env", "/usr/bin/env", {"-i", "A=1", "/usr/bin/env"}, 0, UNTOLD},
	{"sort", "/usr/bin/sort", {"-r", "/etc/passwd"}, 0, ANY},
	{"timeout passes", "/usr/bin/timeout", {"60", "/bin/sh", "-c", "exit 3"}, 3, ANY},
	{"nice", "/usr/bin/nice", {"/bin/sh", "-c", "exit 3"}, 3, ANY},
	{"nohup", "/usr/bin/nohup", {"/bin/sh", "-c", "exit 3"}, 3, ANY},
	{"stdbuf", "/usr/bin/stdbuf", {"-oL", "/bin/cat", "/etc/hostname"}, 0, ANY},
	{"find -exec", "/usr/bin/find", {"/etc/hostname", "-exec", "cat", "{}", ";"}, 0, ANY},
	{"xargs", "/usr/bin/xargs", {"-a", "/etc/hostname", "echo"}, 0, ANY},
	{"awk", "/usr/bin/awk", {"BEGIN { system(\"exit 3\"); exit 4 }"}, 4, ANY},
	{"sed", "/bin/sed", {"q5", "/etc/passwd"}, 5, ANY},
	{"grep", "/bin/grep", {"-c", "no such line at all", "/etc/passwd"}, 1, ANY},
	{"tar", "/bin/tar", {"-cf", "-", "-C", "/etc", "passwd"}, 0, ANY},
	{"static", STATIC("v_exit"), {"6"}, 6, UNTOLD},
	{"musl", MUSL("v_exit"), {"6"}, 6, "exit"},
	{"no libc", GLIBC("v_nolibc"), {NULL}, 3, UNTOLD},
	{"tokio returns", TOKIO, {"return"}, 0, MAIN},
	{"tokio exits in a worker", TOKIO, {"exit"}, 0, "exit"},
	{"tokio panics", TOKIO, {"panic"}, 101, MAIN},
	{"tokio aborts", TOKIO, {"abort"}, -1, "abort"},
};

enum { REAL_COUNT = sizeof reals / sizeof *reals };

static bool there(const char *program)
{
	return access(program, X_OK) == 0;
}

static void test_real(void **state)
{
	const struct real *p = *state;
	const char *argv[8] = {p->program};
	struct run r = {.argv = argv, .env = {"LC_ALL=C", "PYTHONDONTWRITEBYTECODE=1"}};
	struct result shim;
	json_t *end;
	int ends;

	for (int i = 0; i < 6 && p->args[i]; i++)
		argv[i + 1] = p->args[i];
	if (!there(p->program))
		skip_because("%s is missing", p->program);
	/* A panic prints the thread's id, and node's abort an address: the status is what counts.
	 */
	r.no_log = p->code == 101 || (p->code < 0 && !strcmp(p->program, NODE));
	run_both(&r, &shim, NULL);
	if (p->code < 0)
		assert_true(WIFSIGNALED(shim.status));
	else
		check(WIFEXITED(shim.status) && WEXITSTATUS(shim.status) == p->code, "%s",
		      status_text(shim.status));
	if (r.no_log)
		shim.records = json_array();
	ends = count_records(&shim, "epitaph.end", shim.pid);
	if (p->cause && !*p->cause) {
		check(ends == 0, "%s", shim.log);
	} else if (!r.no_log && (p->code >= 0 || p->cause)) {
		end = one_record(&shim, "epitaph.end", shim.pid);
		if (p->code >= 0)
			assert_int_equal(get_int(end, "process.exit.code"), p->code);
		if (p->cause)
			check(is_string(end, "epitaph.cause", p->cause), "%s", shim.log);
	}
	result_free(&shim);
}

/* The case that it was made for: a worker ends the server silently with 0, and the record names it.
 */
static void test_silent_end_is_named(void **state)
{
	const char *argv[] = {TOKIO, "exit", NULL};
	struct run r = {.argv = argv};
	struct result shim;
	json_t *end;

	(void)state;
	if (!there(TOKIO))
		skip_because("the tokio server was not built (cargo, librust-tokio-dev)");
	run_both(&r, &shim, NULL);
	end = one_record(&shim, "epitaph.end", shim.pid);
	assert_string_equal(get_string(end, "thread.name"), "tokio-runtime-w");
	check_contains(get_string(end, "code.stacktrace"), "tokio_server::leave_here");
	check_contains(get_string(end, "body"), "exit code 0");
	result_free(&shim);
}

/* One end a process, one start a tree: a shell script does not drown the log. */
static void test_script_is_quiet(void **state)
{
	const char *argv[] = {
		"/bin/bash", "-c",
		"for i in 1 2 3 4 5 6 7 8; do x=$(echo $i | cat); (true); done; exit 3", NULL};
	struct run r = {.argv = argv};
	struct result shim;

	(void)state;
	run_both(&r, &shim, NULL);
	assert_int_equal(count_records(&shim, "epitaph.start", 0), 1);
	/* Each cat is the child of a subshell that never exec'd: not near. */
	check(count_records(&shim, "epitaph.end", 0) == 1, "%s", shim.log);
	result_free(&shim);
}

int main(void)
{
	static struct CMUnitTest tests[REAL_COUNT + 4];
	int n = 0;

	for (int i = 0; i < REAL_COUNT; i++)
		tests[n++] = table_test(reals[i].name, test_real, &reals[i]);
#define ADD(f) tests[n++] = (struct CMUnitTest){.name = #f, .test_func = f}
	ADD(test_silent_end_is_named);
	ADD(test_script_is_quiet);
	return run_group("real", tests, (size_t)n);
}
