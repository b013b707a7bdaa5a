/*
 * Ends whose cause has words of its own: timers, limits, broken pipes, overflows, aborts; and
 * children that a signal killed. The wait status and the output are the bare program's.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

struct cause {
	const char *how;
	const char *words[3];
	int signal; /* 0: an exit */
	bool glibc_only;
};

static const struct cause causes[] = {
	{"alarm", {"a timer of its own, armed by alarm() called by", "by_alarm"}, SIGALRM, false},
	{"alarm_seconds", {"alarm() called by", "by_alarm_seconds", "s before"}, SIGALRM, false},
	{"value", {"sent from itself, by sigqueue with the value 4711"}, SIGTERM, false},
#ifdef __x86_64__
	{"raised_pipe", {"ENDED by SIGPIPE", "sent from itself"}, SIGPIPE, false},
	{"wild_address", {"a general protection fault (SI_KERNEL)"}, SIGSEGV, false},
#endif
	{"setitimer", {"armed by setitimer() called by", "by_setitimer"}, SIGALRM, false},
	{"setitimer_prof", {"armed by setitimer() called by", "by_setitimer_prof"}, SIGPROF, false},
	{"timer_create", {"armed by timer_create() called by", "by_timer"}, SIGUSR1, false},
	{"cpu_limit", {"limit of CPU time", "(RLIMIT_CPU: 1 s)"}, SIGXCPU, false},
	{"file_limit", {"limit of file size", "(RLIMIT_FSIZE: 4096 bytes)"}, SIGXFSZ, false},
	{"pipe", {"it wrote to descriptor 30 (a pipe), which nobody reads"}, SIGPIPE, false},
	{"stdout", {"it wrote to descriptor 1 (stdout, a pipe), which nobody"}, SIGPIPE, false},
	{"socket", {"(a socket), which nobody reads any more"}, SIGPIPE, false},
	{"recursion",
	 {"a stack overflow (all", "of this thread's stack", "deeper"},
	 SIGSEGV,
	 false},
	{"recursion_in_thread", {"a stack overflow (all", "in thread"}, SIGSEGV, false},
	{"mapping", {"SEGV_ACCERR", "in the mapping r--p (anonymous)"}, SIGSEGV, false},
	{"nowhere", {"SEGV_MAPERR", "where nothing is mapped"}, SIGSEGV, false},
	{"passed_on", {"sent from itself, ", " ms after SIGTERM from process "}, SIGTERM, false},
	{"fault_passed_on",
	 {"sent from itself, likely by its own handler of a fault"},
	 SIGSEGV,
	 false},
	/* musl-gcc's programs have no tables by which the stack could be read as far as that. */
	{"handler_of_fault",
	 {"exit(4) called by ", "(told+", "in its handler of SIGSEGV: SEGV_ACCERR at address 0x"},
	 0,
	 true},
	{"handler_reset",
	 {"in its handler of SIGSEGV: SEGV_ACCERR at", "(by_handler_reset+"},
	 0,
	 true},
	{"handler_untold", {"(untold+", "in its handler of SIGSEGV, at v_causes+"}, 0, true},
	{"handler_passing_on",
	 {"sent from itself, in its handler of SIGSEGV: SEGV_ACCERR", "which passes it on"},
	 SIGSEGV,
	 true},
	{"handler_of_alarm",
	 {"in its handler of SIGALRM from a timer of its own, armed by alarm() called by",
	  "\"epitaph.after_signal.name\":\"SIGALRM\""},
	 0,
	 true},
	{"handler_stale", {"(untold+", "in its handler of SIGALRM"}, 0, true},
	{"handler_after_signal",
	 {"in its handler of SIGALRM from a timer", " ms after SIGTERM from process ",
	  "\"epitaph.after_signal.name\":\"SIGTERM\""},
	 0,
	 true},
	{"assert", {"after a failed assert: ", "depth == 1", "v_causes.c"}, SIGABRT, false},
	{"heap_check", {"a heap check in free: free(): double free"}, SIGABRT, true},
	{"signalfd", {"read it from a signalfd", "after SIGTERM from process"}, 0, false},
	{"sigaltstack", {"main() returned 0"}, 0, false},
	{"onstack", {"main() returned 0"}, 0, false},
};

static void test_cause(void **state)
{
	const struct cause *c = *state;
	const char *const victims[] = {GLIBC("v_causes"), MUSL("v_causes")};

	for (int i = 0; i < (c->glibc_only ? 1 : 2); i++) {
		const char *argv[] = {victims[i], c->how, NULL};
		struct result r;

		run_both(&(struct run){.argv = argv}, &r, NULL);
		if (c->signal)
			check(WIFSIGNALED(r.status) && WTERMSIG(r.status) == c->signal, "%s",
			      status_text(r.status));
		one_record(&r, "epitaph.end", r.pid);
		for (int w = 0; w < 3 && c->words[w]; w++)
			check_contains(r.log, c->words[w]);
		result_free(&r);
	}
}

/* The grandchild's end, which the harness waits for. */
static void test_parent_s_death(void **state)
{
	const char *argv[] = {GLIBC("v_causes"), "pdeathsig", NULL};
	struct result r;

	(void)state;
	run_both(&(struct run){.argv = argv}, &r, NULL);
	check_contains(r.log, "ENDED by SIGTERM");
	check_contains(r.log, "sent because its parent ended (PR_SET_PDEATHSIG), process ");
	result_free(&r);
}

static void test_reaped(void **state)
{
	const char *const victims[] = {GLIBC("v_causes"), MUSL("v_causes")};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *argv[] = {victims[i], "reaping", NULL};
		struct result r;

		run_both(&(struct run){.argv = argv, .env = {"EPITAPH_LEVEL=debug"}}, &r, NULL);
		assert_int_equal(WEXITSTATUS(r.status), 3);
		/* four SIGKILL, a SIGTERM that was peeked at first, one sent by the parent, an exit
		 */
		assert_int_equal(count_records(&r, "epitaph.child", r.pid), 7);
		for (int n = 0; n < 6; n++) {
			json_t *child = nth_record(&r, "epitaph.child", r.pid, n);

			assert_int_equal(get_int(child, "epitaph.signal.number"),
					 n == 4 ? SIGTERM : SIGKILL);
			assert_true(get_int(child, "epitaph.child.pid") > 1);
			assert_string_equal(get_string(child, "severity_text"), "WARN");
			check(!!strstr(get_string(child, "body"), "out-of-memory") == (n < 4), "%s",
			      get_string(child, "body"));
		}
		check_contains(get_string(nth_record(&r, "epitaph.child", r.pid, 5), "body"),
			       "which this process had sent it");
		assert_int_equal(get_int(nth_record(&r, "epitaph.child", r.pid, 6),
					 "epitaph.child.exit.code"),
				 3);
		result_free(&r);
	}
}

static void test_handler_records(void **state)
{
	const char *const victims[] = {GLIBC("v_signal"), MUSL("v_signal")};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *argv[] = {victims[i], "handled", NULL};
		struct result r;
		json_t *set;

		run_both(&(struct run){.argv = argv, .env = {"EPITAPH_LEVEL=debug"}}, &r, NULL);
		set = one_record(&r, "epitaph.handler", r.pid);
		assert_string_equal(get_string(set, "epitaph.signal.name"), "SIGTERM");
		assert_string_equal(get_string(set, "epitaph.signal.disposition"), "handled");
		assert_string_equal(get_string(set, "severity_text"), "DEBUG");
		check_contains(get_string(set, "body"), "handles SIGTERM at v_signal+");
		check_contains(get_string(set, "body"), "(leave+0x0): set by v_signal+");
		result_free(&r);
		run_both(&(struct run){.argv = argv}, &r, NULL);
		assert_int_equal(count_records(&r, "epitaph.handler", 0), 0);
		result_free(&r);
	}
}

static void test_exception(void **state)
{
	const char *argv[] = {GLIBC("v_cxx_throw"), "uncaught", NULL};
	struct result r;

	(void)state;
	run_both(&(struct run){.argv = argv}, &r, NULL);
	check_contains(get_string(one_record(&r, "epitaph.end", r.pid), "body"),
		       "a C++ exception that nobody catches of type std::runtime_error");
	result_free(&r);
}

int main(void)
{
	struct CMUnitTest tests[sizeof causes / sizeof *causes + 4];
	size_t n = 0;

	for (; n < sizeof causes / sizeof *causes; n++)
		tests[n] = table_test(causes[n].how, test_cause, &causes[n]);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_parent_s_death);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_reaped);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_handler_records);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_exception);
	return run_group("causes", tests, n);
}
