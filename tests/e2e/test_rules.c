/*
 * What the end sentence names as having come before the end, and where it must be silent. The wait
 * status and the output are the bare program's.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct rule {
	const char *how, *code; /* of v_rules */
	const char *words[3];	/* in the sentence; none: no rule speaks */
	const char *keys[4];	/* in the record */
};

#define AFTER "epitaph.after_failure."
#define FAILURE_KEYS                                                                               \
	{                                                                                          \
		AFTER "call", AFTER "address", AFTER "errno", AFTER "seconds"                      \
	}
#define FILE_KEYS                                                                                  \
	{                                                                                          \
		AFTER "call", AFTER "path", AFTER "errno", "epitaph.likely"                        \
	}
#define REFUSED                                                                                    \
	{                                                                                          \
		" ms after connect to 127.0.0.1:", " failed: connection refused (ECONNREFUSED)"    \
	}
#define SILENT                                                                                     \
	{                                                                                          \
		NULL                                                                               \
	}

static const struct rule rules[] = {
	{"nothing", "1", SILENT, SILENT},
	{"placeholder",
	 "0",
	 {"; it printed nothing, opened no socket and lived ", " ms: is this the right binary?"},
	 SILENT},
	{"refusal", "1", REFUSED, FAILURE_KEYS},
	{"refusal", "0", REFUSED, FAILURE_KEYS},
	{"asking", "1", REFUSED, FAILURE_KEYS},
	{"trying_again", "1", REFUSED, FAILURE_KEYS},
	{"trying_and_asking", "1", REFUSED, FAILURE_KEYS},
	{"path", "1", {"connect to unix:/nonexistent/db.sock failed: no such"}, FAILURE_KEYS},
	{"retry", "1", SILENT, SILENT},
	{"other_success", "1", REFUSED, FAILURE_KEYS},
	{"probe", "1", SILENT, SILENT},
	{"bind", "1", {"after bind to 127.0.0.1:", "already in use (EADDRINUSE)"}, FAILURE_KEYS},
	{"listen", "1", {"after listen on 127.0.0.1:", "(EADDRINUSE)"}, FAILURE_KEYS},
	{"missing",
	 "1",
	 {", likely because ", " ms before open of /nonexistent/app.conf failed: no such file or "
			       "directory (ENOENT)"},
	 FILE_KEYS},
	{"missing", "0", SILENT, SILENT},
	{"missing_at", "1", {"before openat of app.nonexistent failed"}, FILE_KEYS},
	{"missing_stream", "1", {"before fopen of /nonexistent/app.conf failed"}, FILE_KEYS},
	{"folder", "1", {"before open of /tmp failed: is a directory (EISDIR)"}, FILE_KEYS},
	{"folder", "0", SILENT, SILENT},
	{"long_ago", "1", SILENT, SILENT},
	{"search", "1", SILENT, SILENT},
	{"look", "1", SILENT, SILENT},
	{"second_place", "1", SILENT, SILENT},
	{"exclusion", "1", SILENT, SILENT},
	{"both", "1", REFUSED, FAILURE_KEYS},
	{"look_up",
	 "1",
	 {"after getaddrinfo of db.nonexistent failed: name or service not known (EAI_NONAME)"},
	 FAILURE_KEYS},
	{"exec",
	 "127",
	 {"after execv of /nonexistent/program failed: no such file"},
	 {AFTER "call", AFTER "path", AFTER "errno", AFTER "seconds"}},
	{"spawn",
	 "1",
	 {"after posix_spawn of /nonexistent/program failed: no such"},
	 {AFTER "call", AFTER "path", AFTER "errno", AFTER "seconds"}},
	{"spawn", "0", SILENT, SILENT},
	{"second_spawn", "1", SILENT, SILENT},
	{"path", "0", SILENT, SILENT},
	{"mode", "1", SILENT, SILENT},
	{"vfork", "1", SILENT, SILENT},
	{"vfork_after", "1", REFUSED, FAILURE_KEYS},
	{"vfork_after_missing", "1", {"open of /nonexistent/passwd failed"}, FILE_KEYS},
	{"fork", "1", SILENT, SILENT},
	{"input",
	 "0",
	 {"; stdin was at its end: read returned end of file ", " ms before"},
	 {"epitaph.after_input_end.seconds"}},
	{"input_and_failure", "1", REFUSED, FAILURE_KEYS},
	{"failure_and_input",
	 "1",
	 {"; stdin was at its end: read returned end of file ", " ms before"},
	 {"epitaph.after_input_end.seconds"}},
	{"exit_handler", "1", {"connect to unix:/nonexistent/db.sock"}, FAILURE_KEYS},
	{"late_failure", "1", SILENT, SILENT},
	{"child",
	 "0",
	 {"; its child, process ", " (v_rules), is still running"},
	 {"epitaph.child.pid", "epitaph.child.name", "epitaph.children_running"}},
	{"children",
	 "0",
	 {" (v_rules), is still running, and 1 more"},
	 {"epitaph.child.pid", "epitaph.child.name", "epitaph.children_running"}},
	{"thread_s_child",
	 "0",
	 {" (v_rules), is still running"},
	 {"epitaph.child.pid", "epitaph.child.name", "epitaph.children_running"}},
	{"dead_child", "0", SILENT, SILENT},
	{"deaf",
	 "0",
	 {"; no signal came, and it had stopped listening on 127.0.0.1:", " before"},
	 {"epitaph.ports"}},
	{"deaf_moved", "0", SILENT, SILENT},
	{"reaped_child", "0", SILENT, {"epitaph.last_child.exit.code"}},
	{"missing_then_child", "1", SILENT, SILENT},
	{"signal",
	 "1",
	 {" ms after SIGTERM from itself"},
	 {"epitaph.after_signal.name", "epitaph.after_signal.seconds"}},
	{"abort", "1", REFUSED, FAILURE_KEYS},
};

enum { RULES = sizeof rules / sizeof *rules };

/* Every key that a rule may add. */
static const char *const all_keys[] = {AFTER "call",
				       AFTER "address",
				       AFTER "path",
				       AFTER "errno",
				       AFTER "seconds",
				       "epitaph.after_input_end.seconds",
				       "epitaph.child.pid",
				       "epitaph.children_running",
				       "epitaph.after_signal.name"};

static bool expected(const struct rule *c, const char *key)
{
	for (int i = 0; i < 4; i++)
		if (c->keys[i] && !strcmp(c->keys[i], key))
			return true;
	return false;
}

static void check_end(const struct rule *c, const struct result *r)
{
	const json_t *end = one_record(r, "epitaph.end", r->pid);
	const char *body = get_string(end, "body");
	bool failure = expected(c, AFTER "call");

	for (int i = 0; i < 3 && c->words[i]; i++)
		check_contains(body, c->words[i]);
	if (!c->words[0])
		check(strstr(body, "main() returned ") && !strpbrk(body, ",;"), "%s", body);
	for (int i = 0; i < 4; i++)
		check(!c->keys[i] || has(end, c->keys[i]), "no %s: %s", c->keys[i], r->log);
	for (size_t i = 0; i < sizeof all_keys / sizeof *all_keys; i++)
		check((failure && !strncmp(all_keys[i], AFTER, strlen(AFTER))) ||
			      expected(c, all_keys[i]) || !has(end, all_keys[i]),
		      "it has %s: %s", all_keys[i], r->log);
	check(has(end, "epitaph.likely") == (strstr(body, "likely") || strchr(body, '?')), "%s",
	      r->log);
}

static void test_rule(void **state)
{
	const struct rule *c = *state;
	const char *const victims[] = {GLIBC("v_rules"), MUSL("v_rules")};

	/* With records of forked children, what they do is looked at, too. */
	for (int i = 0; i < 4; i++) {
		const char *argv[] = {victims[i % 2], c->how, c->code, NULL};
		struct result r;

		run_both(&(struct run){.argv = argv, .env = {i < 2 ? NULL : "EPITAPH_SCOPE=all"}},
			 &r, NULL);
		if (WIFEXITED(r.status))
			assert_int_equal(WEXITSTATUS(r.status), atoi(c->code));
		check_end(c, &r);
		result_free(&r);
	}
}

static void test_values(void **state)
{
	const char *refusal[] = {GLIBC("v_rules"), "refusal", NULL};
	const char *missing[] = {MUSL("v_rules"), "missing", NULL};
	const json_t *end;
	struct result r;

	(void)state;
	run_both(&(struct run){.argv = refusal}, &r, NULL);
	end = one_record(&r, "epitaph.end", r.pid);
	assert_string_equal(get_string(end, AFTER "call"), "connect");
	check(strncmp(get_string(end, AFTER "address"), "127.0.0.1:", 10) == 0, "%s", r.log);
	assert_int_equal(get_int(end, AFTER "errno"), 111);
	assert_true(get_real(end, AFTER "seconds") >= 0);
	result_free(&r);
	run_both(&(struct run){.argv = missing}, &r, NULL);
	end = one_record(&r, "epitaph.end", r.pid);
	assert_string_equal(get_string(end, AFTER "path"), "/nonexistent/app.conf");
	assert_int_equal(get_int(end, AFTER "errno"), 2);
	assert_true(get_bool(end, "epitaph.likely"));
	result_free(&r);
	run_both(&(struct run){.argv = refusal, .env = {"EPITAPH_IGNORE=connect,getsockopt"}}, &r,
		 NULL);
	assert_false(has(one_record(&r, "epitaph.end", r.pid), AFTER "call"));
	result_free(&r);
}

/* Told at once, and of many only the first five. */
static void test_failure_records(void **state)
{
	const char *const victims[] = {GLIBC("v_rules"), MUSL("v_rules")};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *one[] = {victims[i], "bind", NULL};
		const char *many[] = {victims[i], "binds", NULL};
		const char *listening[] = {victims[i], "listen", NULL};
		struct result r;
		json_t *failure;

		run_both(&(struct run){.argv = one}, &r, NULL);
		failure = one_record(&r, "epitaph.failure", r.pid);
		assert_string_equal(get_string(failure, "severity_text"), "WARN");
		assert_string_equal(get_string(failure, "epitaph.failure.call"), "bind");
		check(strncmp(get_string(failure, "epitaph.failure.address"), "127.0.0.1:", 10) ==
			      0,
		      "%s", r.log);
		assert_int_equal(get_int(failure, "epitaph.failure.errno"), 98);
		check_contains(get_string(failure, "body"), "bind to 127.0.0.1:");
		check_contains(get_string(failure, "body"),
			       " failed: address already in use (EADDRINUSE)");
		check_contains(get_string(failure, "epitaph.caller.module"), "/v_rules");
		result_free(&r);
		run_both(&(struct run){.argv = many}, &r, NULL);
		assert_int_equal(count_records(&r, "epitaph.failure", r.pid), 5);
		assert_int_equal(get_int(one_record(&r, "epitaph.end", r.pid), "epitaph.left_out"),
				 7);
		result_free(&r);
		run_both(&(struct run){.argv = listening}, &r, NULL);
		assert_string_equal(get_string(one_record(&r, "epitaph.failure", r.pid),
					       "epitaph.failure.call"),
				    "listen");
		result_free(&r);
	}
}

/* A forked child's own failures are its own: where EPITAPH_SCOPE has records of it. */
static void test_forked(void **state)
{
	const char *const victims[] = {GLIBC("v_rules"), MUSL("v_rules")};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *own[] = {victims[i], "fork", NULL};
		const char *parents[] = {victims[i], "parent", NULL};
		struct result r;
		size_t n;
		json_t *record;

		run_both(&(struct run){.argv = own, .env = {"EPITAPH_SCOPE=all"}}, &r, NULL);
		assert_int_equal(count_records(&r, "epitaph.end", 0), 2);
		json_array_foreach(r.records, n,
				   record) if (is_string(record, "event.name", "epitaph.end"))
			assert_true(has(record, AFTER "call") ==
				    (get_int(record, "process.pid") != r.pid));
		result_free(&r);
		run_both(&(struct run){.argv = parents, .env = {"EPITAPH_SCOPE=all"}}, &r, NULL);
		assert_int_equal(count_records(&r, "epitaph.end", 0), 2);
		json_array_foreach(r.records, n,
				   record) if (is_string(record, "event.name", "epitaph.end"))
			assert_true(has(record, AFTER "call") ==
				    (get_int(record, "process.pid") == r.pid));
		result_free(&r);
	}
}

int main(void)
{
	struct CMUnitTest tests[RULES + 3];
	size_t n = 0;

	for (; n < RULES; n++)
		tests[n] = table_test(rules[n].how, test_rule, &rules[n]);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_values);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_failure_records);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_forked);
	return run_group("rules", tests, n);
}
