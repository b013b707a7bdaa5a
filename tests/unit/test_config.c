/* EPITAPH_* variables into the struct, and the complaints. SPDX-License-Identifier: MIT */
#include "unit.h"

#include "config.h"

#define PARSE(...) config_parse(&c, (char *const[]){__VA_ARGS__, NULL})

static struct config c;

static void test_defaults(void **state)
{
	(void)state;
	PARSE("A=1");
	assert_int_equal(c.log, LOG_STDERR);
	assert_int_equal(c.format, FORMAT_TEXT);
	assert_int_equal(c.level, LEVEL_INFO);
	assert_int_equal(c.scope, SCOPE_NEAR);
	assert_int_equal(c.stdio, STDIO_NONE);
	assert_int_equal(c.tail, 120);
	assert_int_equal(c.backtrace, 16);
	assert_int_equal(c.termination, TERMINATION_AUTO);
	assert_false(c.disabled);
	assert_false(c.no_color);
	assert_null(c.mark);
	assert_int_equal(c.complaint_count, 0);
	config_parse(&c, NULL);
	assert_int_equal(c.level, LEVEL_INFO);
}

static void test_good_values(void **state)
{
	(void)state;
	PARSE("EPITAPH_LOG=/tmp/%n-%p-%%", "EPITAPH_FORMAT=json", "EPITAPH_LEVEL=debug",
	      "EPITAPH_SCOPE=all", "EPITAPH_STDIO=keep", "EPITAPH_TAIL=0", "EPITAPH_BACKTRACE=64",
	      "EPITAPH_TERMINATION_LOG=/x", "EPITAPH_DISABLE=", "EPITAPH_ROOT=5:6:7:8",
	      "EPITAPH_IGNORE=exit,execve", "NO_COLOR=1");
	assert_int_equal(c.complaint_count, 0);
	assert_int_equal(c.log, LOG_PATH);
	assert_string_equal(c.log_path, "/tmp/%n-%p-%%");
	assert_int_equal(c.format, FORMAT_JSON);
	assert_int_equal(c.level, LEVEL_DEBUG);
	assert_int_equal(c.scope, SCOPE_ALL);
	assert_int_equal(c.stdio, STDIO_KEEP);
	assert_int_equal(c.tail, 0);
	assert_int_equal(c.backtrace, 64);
	assert_int_equal(c.termination, TERMINATION_PATH);
	assert_string_equal(c.termination_path, "/x");
	assert_true(c.disabled && c.no_color);
	assert_string_equal(c.mark, "5:6:7:8");
	assert_true(c.ignore[HOOK_exit] && c.ignore[HOOK_execve]);
	assert_false(c.ignore[HOOK__exit] || c.ignore[HOOK_execv] || c.ignore[HOOK_quick_exit]);
}

static void test_log(void **state)
{
	(void)state;
	PARSE("EPITAPH_LOG=stderr");
	assert_int_equal(c.log, LOG_STDERR);
	PARSE("EPITAPH_LOG=fd:0");
	assert_true(c.log == LOG_FD && c.log_fd == 0 && !c.complaint_count);
	PARSE("EPITAPH_LOG=fd:2147483647");
	assert_true(c.log == LOG_FD && c.log_fd == INT32_MAX && !c.complaint_count);
	PARSE("EPITAPH_LOG=relative/path");
	assert_true(c.log == LOG_PATH && !c.complaint_count);
}

static void test_bad_values(void **state)
{
	static const char *const bad[] = {
		"EPITAPH_LOG=",
		"EPITAPH_LOG=fd:",
		"EPITAPH_LOG=fd:x",
		"EPITAPH_LOG=fd:2147483648",
		"EPITAPH_LOG=a%",
		"EPITAPH_LOG=a%x",
		"EPITAPH_FORMAT=xml",
		"EPITAPH_FORMAT=jso",
		"EPITAPH_FORMAT=jsonl",
		"EPITAPH_FORMAT=text json",
		"EPITAPH_LEVEL=",
		"EPITAPH_SCOPE=Near",
		"EPITAPH_STDIO=full",
		"EPITAPH_TAIL=-1",
		"EPITAPH_TAIL=1025",
		"EPITAPH_BACKTRACE=65",
		"EPITAPH_BACKTRACE=0x1",
		"EPITAPH_TERMINATION_LOG=x",
		"EPITAPH_IGNORE=exi",
		"EPITAPH_IGNORE=exit ",
		"EPITAPH_NONSENSE=1",
		"EPITAPH_",
		"EPITAPH_A_NAME_THAT_IS_LONGER_THAN_ANY_THAT_THERE_IS=1",
	};
	struct config defaults;

	(void)state;
	PARSE("A=1");
	defaults = c;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		PARSE((char *)(uintptr_t)bad[i]);
		assert_int_equal(c.complaint_count, 1);
		assert_int_equal(strncmp(c.complaints[0].variable, bad[i], strcspn(bad[i], "=")),
				 0);
		assert_true(strlen(c.complaints[0].allowed) > 10);
		/* The default stays. */
		assert_int_equal(c.log, defaults.log);
		assert_int_equal(c.format, defaults.format);
		assert_int_equal(c.level, defaults.level);
		assert_int_equal(c.scope, defaults.scope);
		assert_int_equal(c.stdio, defaults.stdio);
		assert_int_equal(c.tail, defaults.tail);
		assert_int_equal(c.backtrace, defaults.backtrace);
		assert_int_equal(c.termination, defaults.termination);
	}
}

static void test_complaint_tells_the_value(void **state)
{
	(void)state;
	PARSE("EPITAPH_LEVEL=loud");
	assert_int_equal(c.complaints[0].value_len, 4);
	assert_int_equal(strncmp(c.complaints[0].value, "loud", 4), 0);
	PARSE("EPITAPH_IGNORE=exit,nonsense,abort");
	assert_int_equal(c.complaint_count, 1);
	assert_int_equal(c.complaints[0].value_len, 8);
	assert_int_equal(strncmp(c.complaints[0].value, "nonsense", 8), 0);
	assert_true(c.ignore[HOOK_exit] && c.ignore[HOOK_abort]);
}

static void test_many_complaints(void **state)
{
	(void)state;
	PARSE("EPITAPH_IGNORE=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20");
	assert_int_equal(c.complaint_count,
			 20); /* more than are kept: a sanitizer watches the array */
}

static void test_others_are_left_alone(void **state)
{
	(void)state;
	PARSE("EPITAPHX=1", "epitaph_level=x", "LEVEL=x", "=", "", "NO_COLOR=");
	assert_int_equal(c.complaint_count, 0);
	assert_false(c.no_color);
}

static void test_hook_names(void **state)
{
	(void)state;
	assert_string_equal(hook_name(HOOK_exit), "exit");
	assert_string_equal(hook_name(HOOK___libc_start_main), "__libc_start_main");
	for (int i = 0; i < HOOK_COUNT; i++)
		assert_true(strlen(hook_name((enum hook)i)) > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_good_values),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_complaint_tells_the_value),
		cmocka_unit_test(test_many_complaints),
		cmocka_unit_test(test_others_are_left_alone),
		cmocka_unit_test(test_hook_names),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
