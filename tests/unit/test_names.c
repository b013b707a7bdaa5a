/* Marks, mangled names, error names, log templates. SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "config.h"
#include "demangle.h"
#include "epitaph.h"
#include "log.h"
#include "names.h"
#include "scope.h"

static const char *demangled(const char *symbol)
{
	static char buffer[300];
	struct text t = text_over(buffer, sizeof buffer);

	demangle(&t, symbol);
	return buffer;
}

static void test_demangle(void **state)
{
	static const char *const pairs[][2] = {
		{"main", "main"},
		{"", ""},
		{"_", "_"},
		{"_Z", "_Z"},
		{"_ZN", "_ZN"},
		{"_R", "_R"},
		{"_Z5leavei", "leave"},
		{"_ZN3foo3barEv", "foo::bar"},
		{"_ZNK3foo3bar3bazEi", "foo::bar::baz"},
		{"_ZN3foo3BarC1Ev", "foo::Bar::Bar"},
		{"_ZN3foo3BarD2Ev", "foo::Bar::~Bar"},
		{"_ZSt9terminatev", "std::terminate"},
		{"_ZN3std7process4exit17h0123456789abcdefE", "std::process::exit"},
		{"_ZN12tokio_server10leave_here17h0123456789abcdefE", "tokio_server::leave_here"},
		{"_ZN4core3ops8function6FnOnce40call_once$u7b$$u7b$vtable.shim$u7d$$u7d$"
		 "17h0123456789abcdefE",
		 "core::ops::function::FnOnce::call_once{{vtable.shim}}"},
		{"_ZN47_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$X$GT$$3foo17h0123456789abcdefE",
		 NULL},
		{"_RNvCs1234_7mycrate3foo", "mycrate::foo"},
		{"_RNvNtCs1234_7mycrate3bar3foo", "mycrate::bar::foo"},
		/* Broken ones come out as they went in. */
		{"_ZN3foo", "_ZN3foo"},
		{"_ZN99fooE", "_ZN99fooE"},
		{"_ZN99999999999999999999fooE", "_ZN99999999999999999999fooE"},
		{"_ZN0E", "_ZN0E"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		const char *got = demangled(pairs[i][0]);

		if (pairs[i][1])
			assert_string_equal(got, pairs[i][1]);
	}
}

/* Any bytes at all: no crash (a sanitizer watches), an end. */
static void test_demangle_anything(void **state)
{
	uint32_t seed = 12345;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		static const char letters[] = "_ZNRKVrESt0123456789CDsvhux$.abPI";
		char symbol[60];
		size_t n = next_random(&seed) % (sizeof symbol - 1);

		for (size_t i = 0; i < n; i++)
			symbol[i] = letters[next_random(&seed) % (sizeof letters - 1)];
		if (n > 2) {
			symbol[0] = '_';
			symbol[1] = round % 2 ? 'Z' : 'R';
		}
		symbol[n] = '\0';
		demangled(symbol);
	}
}

static void test_mark(void **state)
{
	static const char *const bad[] = {"",
					  "1",
					  "1:2:3",
					  "1:2:3:4:5",
					  "a:2:3:4",
					  "1:b:3:4",
					  "1:2:3:",
					  ":2:3:4",
					  "0:2:3:4",
					  "-1:2:3:4",
					  " 1:2:3:4",
					  "1:2:3:4 ",
					  "2147483648:2:3:4",
					  "1;2;3;4"};
	struct mark m, again;
	char text[96];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		m.pid = 5;
		assert_false(mark_parse(&m, bad[i]));
		assert_int_equal(m.pid, 0);
	}
	assert_true(mark_parse(&m, "7:8:9:10"));
	assert_true(m.pid == 7 && m.loaded_ns == 8 && m.log.known && m.log.dev == 9 &&
		    m.log.ino == 10);
	assert_true(mark_parse(&m, "7:8:0:0"));
	assert_false(m.log.known);
	m = (struct mark){INT32_MAX, UINT64_MAX, {UINT64_MAX, UINT64_MAX, true}};
	mark_format(text, sizeof text, &m);
	assert_int_equal(strncmp(text, "EPITAPH_ROOT=", 13), 0);
	assert_true(mark_parse(&again, text + 13)); /* the longest there is fits */
	assert_true(again.pid == m.pid && again.loaded_ns == m.loaded_ns &&
		    again.log.ino == m.log.ino);
}

static void test_errors(void **state)
{
	(void)state;
	assert_int_equal(strncmp(error_name(ENOENT), "ENOENT", 6), 0);
	assert_int_equal(strncmp(error_name(EACCES), "EACCES", 6), 0);
	assert_int_equal(strncmp(error_name(ENOSPC), "ENOSPC", 6), 0);
	for (int e = -5; e < 300; e++)
		assert_true(strlen(error_name(e)) > 0);
}

static void test_template(void **state)
{
	char out[200], want[200], cwd[100], small[10];

	(void)state;
	process.name = "unit";
	log_expand(out, sizeof out, "/a/%n-%p-%%.log", 42);
	assert_string_equal(out, "/a/unit-42-%.log");
	assert_non_null(getcwd(cwd, sizeof cwd));
	log_expand(out, sizeof out, "b", 42);
	snprintf(want, sizeof want, "%s/b", cwd);
	assert_string_equal(out, want);
	log_expand(small, sizeof small, "/a/long/path/that/does/not/fit", 42);
	assert_string_equal(small, ""); /* never the first part of a name */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demangle), cmocka_unit_test(test_demangle_anything),
		cmocka_unit_test(test_mark),	 cmocka_unit_test(test_errors),
		cmocka_unit_test(test_template),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
