/* The rules with facts of the test's own making: what they say, and when they are silent. And the
 * memory of failures that they read. SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "epitaph.h"
#include "failures.h"
#include "rules.h"

#define MS(n) ((int64_t)(n)*1000000)
/* The end, long after the start. */
#define END MS(1000000)

static char said[1024];
static bool likely;
static int pid = 12;

/* What the rules say of these facts. */
static const char *tell(struct facts f)
{
	struct record *r = record_begin(EVENT_END, SEVERITY_INFO);

	assert_non_null(r);
	r->pid = pid;
	rules_tell(r, &f);
	strcpy(said, r->body.buf);
	likely = false;
	for (int i = 0; i < r->field_count; i++)
		likely |= !strcmp(r->fields[i].key, "epitaph.likely");
	record_drop(r);
	return said;
}

/* Facts of a main process of which nothing is known; each test adds to them. */
static struct facts plain(int code)
{
	return (struct facts){.code = code,
			      .start_ns = 1,
			      .end_ns = END,
			      .main_process = true,
			      .output_bytes = -1};
}

static struct failure failure(enum failing kind, const char *call, const char *subject, int error,
			      int64_t before_ns)
{
	struct failure x = {.kind = kind, .call = call, .error = error, .when_ns = END - before_ns};

	strcpy(x.subject, subject);
	return x;
}

static struct facts with(struct facts f, const struct failure *x)
{
	f.failures[x->kind] = x;
	return f;
}

static struct facts signalled(struct facts f, int sig, int64_t before_ns)
{
	f.signal = (struct sender){
		.kind = SENDER_OUTSIDE, .signal = sig, .code = SI_USER, .when_ns = END - before_ns};
	return f;
}

static void test_nothing_known(void **state)
{
	(void)state;
	assert_string_equal(tell(plain(0)), "");
	assert_string_equal(tell(plain(1)), "");
	assert_false(likely);
}

static void test_signal(void **state)
{
	static const struct {
		int sig;
		int64_t before;
		const char *words; /* NULL: silent */
	} rows[] = {
		{SIGTERM, MS(5), ", 5 ms after SIGTERM from outside"},
		{SIGTERM, MS(299999), ", 299.9 s after SIGTERM from outside"},
		{SIGTERM, MS(300000), NULL},
		{SIGHUP, MS(9999), ", 9.9 s after SIGHUP from outside"},
		{SIGHUP, MS(10000), NULL},
		{SIGTERM, -1, NULL}, /* it came while the process was ending already */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		tell(signalled(plain(0), rows[i].sig, rows[i].before));
		if (rows[i].words)
			assert_memory_equal(said, rows[i].words, strlen(rows[i].words));
		else
			assert_string_equal(said, "");
	}
	struct facts f = signalled(plain(0), SIGTERM, MS(5));
	f.forked = true; /* it may have been its parent's */
	assert_string_equal(tell(f), "");
}

static void test_failure(void **state)
{
	static const struct {
		enum failing kind;
		int error, code;
		int64_t before;
		const char *words; /* NULL: silent */
	} rows[] = {
		{FAILED_CONNECT, ECONNREFUSED, 1, MS(3),
		 ", 3 ms after call to x failed: connection refused (ECONNREFUSED)"},
		{FAILED_CONNECT, ECONNREFUSED, 0, MS(999),
		 ", 999 ms after call to x failed: connection refused (ECONNREFUSED)"},
		{FAILED_CONNECT, ECONNREFUSED, 0, MS(1000), NULL},
		{FAILED_CONNECT, ECONNREFUSED, 1, MS(1000),
		 ", likely because 1.0 s before call to x failed: connection refused "
		 "(ECONNREFUSED)"},
		{FAILED_CONNECT, ECONNREFUSED, 1, MS(10000), NULL},
		{FAILED_CONNECT, ECONNREFUSED, 1, -1, NULL},
		{FAILED_CONNECT, ENOENT, 0, 0, NULL}, /* a service that need not be there */
		{FAILED_OPEN, ENOENT, 1, MS(49),
		 ", likely because 49 ms before call of x failed: no such file or directory "
		 "(ENOENT)"},
		{FAILED_OPEN, ENOENT, 1, MS(50), NULL},
		{FAILED_OPEN, ENOENT, 0, MS(1), NULL},
		{FAILED_OPEN, EACCES, 1, MS(999),
		 ", likely because 999 ms before call of x failed: permission denied (EACCES)"},
		{FAILED_OPEN, EACCES, 1, MS(1000), NULL},
		{FAILED_OPEN, EACCES, 0, MS(1), NULL},
		{FAILED_LISTEN, EADDRINUSE, 1, 0,
		 ", 0 ms after call on x failed: address already in use (EADDRINUSE)"},
		{FAILED_LOOKUP, EAI_AGAIN, 1, 0,
		 ", 0 ms after call of x failed: temporary failure in name resolution (EAI_AGAIN)"},
		{FAILED_EXEC, 4095, 1, 0, ", 0 ms after call of x failed: error 4095"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct failure x =
			failure(rows[i].kind, "call", "x", rows[i].error, rows[i].before);

		tell(with(plain(rows[i].code), &x));
		assert_string_equal(said, rows[i].words ? rows[i].words : "");
		assert_int_equal(likely, !!strstr(said, "likely"));
	}

	struct failure file = failure(FAILED_OPEN, "open", "x", ENOENT, MS(1));
	struct facts aborted = with(plain(134), &file);

	aborted.aborted = true;
	tell(aborted);
	assert_string_equal(said, "");
}

/* The nearest wins, a missing file only alone, a shutdown explains them all. */
static void test_which_failure(void **state)
{
	struct failure far = failure(FAILED_CONNECT, "connect", "a:1", ECONNREFUSED, MS(50)),
		       near = failure(FAILED_BIND, "bind", "b:2", EADDRINUSE, MS(20)),
		       file = failure(FAILED_OPEN, "open", "c", ENOENT, MS(1));
	struct facts f = with(with(plain(1), &far), &near);

	(void)state;
	assert_non_null(strstr(tell(f), "bind to b:2"));
	assert_null(strstr(said, "connect"));
	assert_non_null(strstr(tell(with(f, &file)), "bind to b:2"));
	assert_null(strstr(said, "open"));
	assert_non_null(strstr(tell(with(plain(1), &file)), "open of c"));
	tell(signalled(f, SIGTERM, MS(9000)));
	assert_non_null(strstr(said, "SIGTERM"));
	assert_null(strstr(said, "bind"));
	tell(signalled(f, SIGTERM, MS(200000)));
	assert_non_null(strstr(said, "SIGTERM"));
	assert_non_null(strstr(said, "bind"));
	f.forked = true;
	assert_non_null(strstr(tell(f), "bind to b:2"));
	strcpy(far.subject, "evil\n\033[31m");
	assert_non_null(strstr(tell(with(plain(1), &far)), "to evil\\n\\x1b[31m failed"));
}

static void test_input(void **state)
{
	struct failure x = failure(FAILED_CONNECT, "connect", "a:1", ECONNREFUSED, MS(50));
	struct facts f = plain(0);

	(void)state;
	f.input_ended_ns = END - MS(2);
	assert_string_equal(tell(f),
			    "; stdin was at its end: read returned end of file 2 ms before");
	assert_non_null(strstr(tell(with(f, &x)), "stdin"));
	assert_null(strstr(said, "connect"));
	x.when_ns = END - MS(1);
	assert_non_null(strstr(tell(with(f, &x)), "connect"));
	assert_null(strstr(said, "stdin"));
	assert_null(strstr(tell(signalled(f, SIGTERM, MS(9000))), "stdin"));
	f.input_ended_ns = END - MS(1000);
	assert_string_equal(tell(f), "");
	f.input_ended_ns = END - MS(2);
	f.forked = true;
	assert_string_equal(tell(f), "");
}

static void test_child(void **state)
{
	struct facts f = plain(0);

	(void)state;
	f.children_running = 1;
	assert_string_equal(tell(f), "; its child is still running");
	f.child_pid = 17;
	strcpy(f.child_name, "server");
	assert_string_equal(tell(f), "; its child, process 17 (server), is still running");
	f.children_running = 3;
	assert_string_equal(tell(f),
			    "; its child, process 17 (server), is still running, and 2 more");
	pid = 1;
	assert_non_null(strstr(tell(f), "and 2 more: the entrypoint ended before it"));
	pid = 12;
	f.main_process = false;
	assert_string_equal(tell(f), "");
}

static void test_went_deaf(void **state)
{
	struct failure x = failure(FAILED_CONNECT, "connect", "a:1", ECONNREFUSED, 0);
	struct facts f = plain(0), g;

	(void)state;
	f.deaf_port = "0.0.0.0:80";
	assert_string_equal(tell(f),
			    "; no signal came, and it had stopped listening on 0.0.0.0:80 before");
	assert_null(strstr(tell(with(f, &x)), "stopped listening"));
	g = f;
	g.input_ended_ns = END;
	assert_null(strstr(tell(g), "stopped listening"));
	g = f;
	g.main_process = false;
	assert_string_equal(tell(g), "");
	g = f;
	g.signal = (struct sender){.signal = SIGTERM, .when_ns = END, .kind = SENDER_OUTSIDE};
	assert_null(strstr(tell(g), "stopped listening"));
}

/* One fact after the other that explains a silent short life. */
static void test_did_nothing(void **state)
{
	static const char words[] = "; it printed nothing, opened no socket and lived 2 ms: is "
				    "this the right binary?";
	struct facts nothing = plain(0), f;
	struct failure x = failure(FAILED_CONNECT, "connect", "a:1", ECONNREFUSED, 0);

	(void)state;
	nothing.output_bytes = 0;
	nothing.start_ns = END - MS(2);
	assert_string_equal(tell(nothing), words);
	assert_true(likely);
	f = nothing;
	f.code = 3; /* it says itself that it failed */
	assert_string_equal(tell(f), "");
	f = nothing;
	f.output_bytes = 1;
	assert_string_equal(tell(f), "");
	f.output_bytes = -1;
	assert_string_equal(tell(f), "");
	f = nothing;
	f.used_network = true;
	assert_string_equal(tell(f), "");
	f = nothing;
	f.had_children = true;
	assert_string_equal(tell(f), "");
	f = nothing;
	f.main_process = false;
	assert_string_equal(tell(f), "");
	f = nothing;
	f.start_ns = END - MS(100);
	assert_string_equal(tell(f), "");
	f = nothing;
	f.input_ended_ns = END;
	assert_null(strstr(tell(f), "nothing"));
	assert_null(strstr(tell(with(nothing, &x)), "nothing"));
	assert_null(strstr(tell(signalled(nothing, SIGTERM, 0)), "nothing"));
}

/* ---- The memory of failures ---- */

static void test_memory(void **state)
{
	const struct failure *x;
	char line[300];
	struct text t = text_over(line, sizeof line);

	(void)state;
	assert_null(failures_take(FAILED_CONNECT));
	failures_note(FAILED_CONNECT, "connect", "127.0.0.1:80", ECONNREFUSED);
	assert_null(failures_take(FAILED_BIND));
	x = failures_take(FAILED_CONNECT);
	assert_non_null(x);
	text_failure(&t, x);
	assert_string_equal(line,
			    "connect to 127.0.0.1:80 failed: connection refused (ECONNREFUSED)");
	/* Nobody changes it while it is held, nor gets it twice. */
	failures_note(FAILED_CONNECT, "connect", "127.0.0.1:81", ECONNREFUSED);
	failures_forget(FAILED_CONNECT, "127.0.0.1:80");
	assert_string_equal(x->subject, "127.0.0.1:80");
	assert_null(failures_take(FAILED_CONNECT));
	failures_give_back(x);
	failures_give_back(NULL);
	failures_note(FAILED_CONNECT, "connect", "127.0.0.1:82", ECONNREFUSED);
	x = failures_take(FAILED_CONNECT);
	assert_string_equal(x->subject, "127.0.0.1:82");
	failures_give_back(x);
	/* Nor behind the end that was decided. */
	failures_freeze(getpid());
	failures_note(FAILED_CONNECT, "connect", "127.0.0.1:83", ECONNREFUSED);
	failures_forget(FAILED_CONNECT, "127.0.0.1:82");
	failures_freeze(getpid() + 1);
	x = failures_take(FAILED_CONNECT);
	assert_string_equal(x->subject, "127.0.0.1:82");
	failures_give_back(x);
	/* Another process's: the one that this was forked from. */
	process.pid++;
	config.scope = SCOPE_ALL;
	((struct failure *)(uintptr_t)x)->pid++;
	assert_null(failures_take(FAILED_CONNECT));
	process.pid--;
	config.scope = SCOPE_NEAR;
}

static void test_forget(void **state)
{
	static const struct {
		enum failing kind;
		bool forgotten;
		const char *failed, *succeeded;
	} rows[] = {
		{FAILED_CONNECT, true, "[::1]:5432", "127.0.0.1:5432"},
		{FAILED_CONNECT, false, "127.0.0.1:5432", "127.0.0.1:543"},
		{FAILED_CONNECT, false, "127.0.0.1:5432", "family 0"},
		{FAILED_CONNECT, true, "unix:/a/x.sock", "unix:/b/x.sock"},
		{FAILED_CONNECT, false, "unix:/a/x.sock", "unix:/a/y.sock"},
		{FAILED_OPEN, true, "/a/x.conf", "/b/x.conf"},
		{FAILED_OPEN, true, "x.conf", "/b/x.conf"},
		{FAILED_OPEN, false, "/a/x.conf", "/a/y.conf"},
		{FAILED_OPEN, false, "/a/b:c", "/a/d:c"},
		{FAILED_LOOKUP, true, "db", "db"},
		{FAILED_LOOKUP, false, "db", "db2"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct failure *x;

		failures_note(rows[i].kind, "call", rows[i].failed, EACCES);
		assert_true(FAILURES_HAVE(rows[i].kind));
		failures_forget(rows[i].kind, rows[i].succeeded);
		assert_int_equal(!FAILURES_HAVE(rows[i].kind), rows[i].forgotten);
		x = failures_take(rows[i].kind);
		assert_int_equal(!x, rows[i].forgotten);
		failures_give_back(x);
	}
}

/* Sixteen other files opened since; of other kinds of calls any number. */
static void test_since(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		failures_note(FAILED_OPEN, "open", "/a/x.conf", ENOENT);
		failures_note(FAILED_CONNECT, "connect", "a:1", ECONNREFUSED);
		for (int i = 0; i < 16; i++) {
			assert_true(FAILURES_HAVE(FAILED_OPEN));
			failures_forget(FAILED_OPEN, "/a/y.conf");
			failures_forget(FAILED_CONNECT, "b:2");
		}
		assert_false(FAILURES_HAVE(FAILED_OPEN));
		assert_true(FAILURES_HAVE(FAILED_CONNECT));
	}
}

static void test_long_subject(void **state)
{
	static char path[5000];
	const struct failure *x;

	(void)state;
	memset(path, 'a', sizeof path - 1);
	failures_note(FAILED_OPEN, "open", path, EACCES);
	x = failures_take(FAILED_OPEN);
	assert_int_equal(strlen(x->subject), sizeof x->subject - 1);
	assert_string_equal(x->subject + sizeof x->subject - 4, "...");
	failures_give_back(x);
	/* What cannot be read is not read. */
	failures_note_path(FAILED_EXEC, "execv", (const char *)16, EACCES);
	assert_null(failures_take(FAILED_EXEC));
	failures_note_path(FAILED_EXEC, "execv", "/a/program", EFAULT);
	assert_null(failures_take(FAILED_EXEC));
	failures_note_path(FAILED_EXEC, "execv", "/a/program", EACCES);
	x = failures_take(FAILED_EXEC);
	assert_string_equal(x->subject, "/a/program");
	failures_give_back(x);
}

static void test_search(void **state)
{
	static const struct {
		const char *path;
		int flags, error;
		bool search;
	} rows[] = {
		{"/etc/app.conf", 0, ENOENT, false},
		{"/library/app.conf", 0, ENOENT, true}, /* as /lib64: better silent than wrong */
		{"/usr/lib/locale/locale-archive", 0, ENOENT, true},
		{"/usr/share/app/app.conf", 0, ENOENT, false},
		{"/opt/libx.so", 0, ENOENT, true},
		{"/opt/libx.so.1.2", 0, ENOENT, true},
		{"/opt/x.sock", 0, ENOENT, false},
		{"/opt/bin/pyvenv.cfg", 0, ENOENT, true},
		{"/opt/my-pyvenv.cfg", 0, ENOENT, false},
		{"/package.json", 0, ENOENT, true},
		{"", 0, ENOENT, false},
		{"/proc/sys/x", 0, ENOENT, true},
		{"/proc/sys/x", 0, EACCES, false},
		{"/usr/lib/x", O_WRONLY | O_CREAT, ENOENT, false},
		{"/run/lock", O_WRONLY | O_CREAT | O_EXCL, EEXIST, true},
		{"/run/lock", O_WRONLY | O_CREAT, EEXIST, false},
		{"/a", O_DIRECTORY, ENOTDIR, true},
		{"/a/b", 0, ENOTDIR, false},
		{"/a", O_NOFOLLOW, ELOOP, true},
		{"/a", 0, ELOOP, false},
		{"/dev/tty", O_RDWR, ENXIO, true},
		{"/tmp", O_TMPFILE | O_RDWR, EOPNOTSUPP, true},
		{"/tmp", O_DIRECTORY, EACCES, false},
		{"/a", 0, EMFILE, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (failures_is_search(rows[i].path, rows[i].flags, rows[i].error) !=
		    rows[i].search)
			fail_msg("%s with %x and %d: not %d", rows[i].path,
				 (unsigned int)rows[i].flags, rows[i].error, rows[i].search);
}

static int setup(void **state)
{
	(void)state;
	process.pid = getpid();
	process.active = true;
	config_parse(&config, NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_known), cmocka_unit_test(test_signal),
		cmocka_unit_test(test_failure),	      cmocka_unit_test(test_which_failure),
		cmocka_unit_test(test_input),	      cmocka_unit_test(test_child),
		cmocka_unit_test(test_went_deaf),     cmocka_unit_test(test_did_nothing),
		cmocka_unit_test(test_memory),	      cmocka_unit_test(test_forget),
		cmocka_unit_test(test_long_subject),  cmocka_unit_test(test_since),
		cmocka_unit_test(test_search),
	};

	return cmocka_run_group_tests_name("rules", tests, setup, NULL);
}
