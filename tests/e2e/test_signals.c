/*
 * Signals: deaths as bare, with the right sender; handled ones, and the ends that follow them; pid
 * 1; threads that change dispositions while signals rain in. SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const victims[] = {GLIBC("v_signal"), MUSL("v_signal")};

static void both(const char *victim, const char *how, const char *sig, struct result *shim)
{
	const char *argv[] = {victim, how, sig, NULL};
	struct run r = {.argv = argv};

	run_both(&r, shim, NULL);
}

static json_t *end_of(const struct result *r)
{
	return one_record(r, "epitaph.end", r->pid);
}

/* Every watched signal, by raise, kill, in a thread and from another process. */
static void test_deaths(void **state)
{
	static const int deadly[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,	 SIGTRAP, SIGABRT,
				     SIGBUS,  SIGFPE,  SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE,
				     SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGSYS};
	static const char *const ways[] = {"raise", "kill", "thread", "child"};

	(void)state;
	for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
		for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
			struct result r;
			char sig[8];
			json_t *end;

			snprintf(sig, sizeof sig, "%d", deadly[i]);
			both(victims[(i + w) % 2], ways[w], sig, &r);
			assert_true(WIFSIGNALED(r.status) && WTERMSIG(r.status) == deadly[i]);
			end = end_of(&r);
			assert_int_equal(get_int(end, "epitaph.signal.number"), deadly[i]);
			assert_false(has(end, "process.exit.code"));
			assert_string_equal(get_string(end, "epitaph.cause"),
					    deadly[i] == SIGABRT && w < 3 ? "abort" : "signal");
			assert_string_equal(get_string(end, "epitaph.ended_by"),
					    w == 3 ? "process" : "self");
			if (w == 3) {
				check_contains(get_string(end, "body"), "(v_signal)");
				assert_string_equal(get_string(end, "epitaph.sender.name"),
						    "v_signal");
			}
			result_free(&r);
		}
	}
}

static void test_faults(void **state)
{
	struct result r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		both(victims[i], "fault", NULL, &r);
		assert_string_equal(get_string(end_of(&r), "epitaph.signal.code"), "SEGV_MAPERR");
		assert_string_equal(get_string(end_of(&r), "epitaph.ended_by"), "kernel");
		assert_string_equal(get_string(end_of(&r), "code.function.name"), "fault");
		check_contains(get_string(end_of(&r), "body"), "address 0x8 (a null pointer)");
		result_free(&r);
		both(victims[i], "trap", NULL, &r);
		assert_true(WTERMSIG(r.status) == SIGILL || WTERMSIG(r.status) == SIGTRAP);
		check_contains(get_string(end_of(&r), "code.function.name"), "main");
		result_free(&r);
		both(victims[i], "pipe", NULL, &r);
		check_contains(get_string(end_of(&r), "body"), "nobody reads any more");
		result_free(&r);
		both(victims[i], "timer", NULL, &r);
		check_contains(get_string(end_of(&r), "body"), "a timer of its own");
		result_free(&r);
		both(victims[i], "assert", NULL, &r);
		check_contains(get_string(end_of(&r), "body"), "a failed assert");
		result_free(&r);
		both(victims[i], "once", NULL, &r);
		assert_int_equal(WTERMSIG(r.status), SIGTERM);
		end_of(&r);
		result_free(&r);
	}
}

/* The sentence of a chosen end names the handled signal before it, and who sent it. */
static void test_handled(void **state)
{
	struct result r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		both(victims[i], "handled", NULL, &r);
		json_t *end = end_of(&r), *got = one_record(&r, "epitaph.signal", r.pid);

		assert_string_equal(get_string(end, "epitaph.cause"), "exit");
		assert_int_equal(get_int(end, "process.exit.code"), 0);
		assert_string_equal(get_string(end, "epitaph.after_signal.name"), "SIGTERM");
		assert_string_equal(get_string(end, "epitaph.after_signal.sender"), "process");
		check_contains(get_string(end, "body"), "after SIGTERM from process");
		assert_string_equal(get_string(got, "epitaph.signal.disposition"), "handled");
		check_contains(get_string(got, "body"), "handles it at v_signal");
		check_contains(get_string(got, "body"), "(leave+0x0)");
		assert_string_equal(get_string(end, "epitaph.signals.handled"), "TERM");
		result_free(&r);
		both(victims[i], "winch", NULL, &r);
		check_contains(get_string(end_of(&r), "body"), "after SIGWINCH from process");
		result_free(&r);
		both(victims[i], "passed_on", NULL, &r);
		check_contains(get_string(end_of(&r), "body"), ": sent from itself, ");
		check_contains(get_string(end_of(&r), "body"), " after SIGTERM from process");
		result_free(&r);
		both(victims[i], "wait", NULL, &r);
		check_contains(get_string(end_of(&r), "body"), "after SIGTERM from process");
		result_free(&r);
		both(victims[i], "inherited", NULL, &r);
		assert_int_equal(WEXITSTATUS(r.status), 5);
		check_contains(r.log, "in a forked child");
		check_contains(r.log, "from its own parent");
		result_free(&r);
	}
}

static void take_hup_away(void *arg)
{
	(void)arg;
	signal(SIGHUP, SIG_IGN);
}

/* The report: which came, which have handlers, which are ignored. */
static void test_report(void **state)
{
	const char *argv[] = {GLIBC("v_signal"), "handled", NULL};
	const char *nothing[] = {GLIBC("v_return"), NULL};
	struct run r = {.argv = argv, .text = true, .prepare = take_hup_away};
	struct result shim;

	(void)state;
	run_both(&r, &shim, NULL);
	check_contains(shim.log, "  signals: 1 received (SIGTERM 1), the last at +");
	check_contains(shim.log, "s; set handlers for TERM; ignores HUP");
	result_free(&shim);
	r = (struct run){.argv = nothing, .text = true};
	run_both(&r, &shim, NULL);
	assert_null(strstr(shim.log, "set handlers"));
	result_free(&shim);
}

/* A forked child's death is told, in its own record, and not as its parent's. */
static void test_forked(void **state)
{
	struct result r;

	(void)state;
	both(victims[0], "forked", "15", &r);
	assert_int_equal(count_records(&r, "epitaph.end", 0), 2);
	assert_int_equal(get_int(end_of(&r), "process.exit.code"), SIGTERM);
	check_contains(r.log, "(in a forked child)");
	result_free(&r);
}

static void test_flood(void **state)
{
	struct result r;

	(void)state;
	both(victims[0], "flood", NULL, &r);
	assert_int_equal(WEXITSTATUS(r.status), 7);
	assert_int_equal(count_records(&r, "epitaph.signal", 0), 5);
	assert_int_equal(count_records(&r, "epitaph.kill", 0), 5);
	assert_int_equal(get_int(end_of(&r), "epitaph.left_out"), 2 * (100000 - 5));
	result_free(&r);
}

static void test_ignored_hook(void **state)
{
	const char *argv[] = {victims[0], "raise", "15", NULL};
	struct run r = {.argv = argv, .env = {"EPITAPH_IGNORE=sigaction"}};
	struct result shim;

	(void)state;
	run_both(&r, &shim, NULL);
	assert_int_equal(count_records(&shim, "epitaph.end", 0), 0);
	result_free(&shim);
}

/* The kernel drops what has its default action there; so do we, and say so. */
static void test_pid1(void **state)
{
	const char *argv[] = {"unshare", "--pid", "--fork", victims[0], "pid1", NULL};
	struct run r = {.argv = argv};
	struct result shim;

	(void)state;
	if (geteuid() != 0)
		skip_because("unshare --pid needs root");
	run_both(&r, &shim, NULL);
	assert_int_equal(WEXITSTATUS(shim.status), 4);
	check_contains(shim.log, "ignored_by_pid1");
	check_contains(shim.log, "the kernel ignores it for pid 1");
	result_free(&shim);
}

static void test_torture(void **state)
{
	const char *argv[] = {NULL, "250000", NULL};
	struct run r = {.argv = argv};
	struct result shim;

	(void)state;
	for (int i = 0; i < 2; i++) {
		argv[0] = i ? MUSL("v_sigtorture") : GLIBC("v_sigtorture");
		run_both(&r, &shim, NULL);
		check(WEXITSTATUS(shim.status) == 0, "%s", shim.out);
		result_free(&shim);
	}
}

/* What it reads back, what its handlers see, and what becomes of a signal on little stack. */
static void test_dispositions(void **state)
{
	static const char *const ways[][2] = {
		{"masks", NULL},      {"context", NULL},    {"small_stack", "4"},
		{"small_stack", "7"}, {"small_stack", "8"}, {"small_stack", "15"},
		{"no_room", NULL},    {"one_shot", NULL},
	};
	struct result r;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof ways / sizeof *ways; i++) {
		both(i & 1 ? MUSL("v_dispositions") : GLIBC("v_dispositions"), ways[i / 2][0],
		     ways[i / 2][1], &r);
		result_free(&r);
	}
}

/* An ignored signal stays ignored from the first instruction on: it comes between the system calls
 * of the start, at each fourth stop of a tracer, and in four runs at every one. */
static void test_ignored_at_load(void **state)
{
	int status;

	(void)state;
	for (int i = 0; i < 8; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			signal(SIGHUP, SIG_IGN);
			setenv("LD_PRELOAD", SHIM, 1);
			setenv("EPITAPH_LOG", "/dev/null", 1);
			ptrace(PTRACE_TRACEME, 0, 0, 0);
			execl(i & 1 ? MUSL("v_return") : GLIBC("v_return"), "v_return", "0", NULL);
			_exit(127);
		}
		for (int stop = 0;;) {
			assert_int_equal(waitpid(pid, &status, 0), pid);
			if (!WIFSTOPPED(status))
				break;
			int sig = WSTOPSIG(status);

			if (sig == SIGTRAP) {
				sig = 0;
				if (stop++ % 4 == i / 2)
					kill(pid, SIGHUP);
			}
			ptrace(PTRACE_SYSCALL, pid, 0, sig);
		}
		check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", status_text(status));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deaths),		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_handled),		cmocka_unit_test(test_report),
		cmocka_unit_test(test_forked),		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_ignored_hook),	cmocka_unit_test(test_pid1),
		cmocka_unit_test(test_torture),		cmocka_unit_test(test_dispositions),
		cmocka_unit_test(test_ignored_at_load),
	};

	return run_group("signals", tests, sizeof tests / sizeof *tests);
}
