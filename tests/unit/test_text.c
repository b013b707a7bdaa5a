/* Formatting and escaping: exact results, and what never happens whatever comes in.
 * SPDX-License-Identifier: MIT */
#include "unit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "text.h"

static char buffer[256];

#define MADE(call)                                                                                 \
	__extension__({                                                                            \
		struct text t = text_over(buffer, sizeof buffer);                                  \
		call;                                                                              \
		assert_false(t.cut);                                                               \
		assert_int_equal(t.len, strlen(buffer));                                           \
		buffer;                                                                            \
	})

static void test_numbers(void **state)
{
	static const int64_t values[] = {0,  1,		-1,	   9,	      10,	-10,
					 42, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
	char want[40];

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		snprintf(want, sizeof want, "%" PRId64, values[i]);
		assert_string_equal(MADE(text_dec(&t, values[i])), want);
		snprintf(want, sizeof want, "0x%" PRIx64, (uint64_t)values[i]);
		assert_string_equal(MADE(text_hex(&t, (uint64_t)values[i])), want);
		snprintf(want, sizeof want, "%020" PRIu64, (uint64_t)values[i]);
		assert_string_equal(MADE(text_padded(&t, (uint64_t)values[i], 20)), want);
	}
}

static void test_seconds(void **state)
{
	(void)state;
	assert_string_equal(MADE(text_seconds(&t, 0, 3)), "0.000");
	assert_string_equal(MADE(text_seconds(&t, 1203999999, 3)), "1.203");
	assert_string_equal(MADE(text_seconds(&t, 1203999999, 9)), "1.203999999");
	assert_string_equal(MADE(text_seconds(&t, 999999999, 1)), "0.9");
	assert_string_equal(MADE(text_seconds(&t, -1500000000, 1)), "-1.5");
	assert_string_equal(MADE(text_seconds(&t, INT64_MAX, 6)), "9223372036.854775");
}

/* Against libc's calendar, leap days and centuries included. */
static void test_time(void **state)
{
	(void)state;
	for (int64_t s = 0; s < 9000000000; s += 86400 * 3 + 12345) {
		time_t at = (time_t)s;
		struct tm tm;
		char want[64];

		assert_non_null(gmtime_r(&at, &tm));
		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.000007Z", &tm);
		assert_string_equal(MADE(text_time(&t, s * 1000000000 + 7999)), want);
	}
	assert_string_equal(MADE(text_time(&t, 951827696000000000)), "2000-02-29T12:34:56.000000Z");
}

/* Every size of buffer: cut where it does not fit, and never a byte behind it. */
static void test_bounds(void **state)
{
	(void)state;
	for (size_t cap = 1; cap < 40; cap++) {
		char *exact = malloc(cap); /* a sanitizer sees a byte too many */
		struct text t;

		assert_non_null(exact);
		t = text_over(exact, cap);
		text_str(&t, "\xe2\x82\xac"
			     "uro ");
		if (cap <= 3)
			assert_int_equal(t.len, 0); /* no part of the sign */
		text_dec(&t, INT64_MIN);
		text_char(&t, 'x');
		assert_int_equal(t.len, strlen(exact));
		assert_true(t.len < cap);
		assert_int_equal(t.cut, cap <= 7 + 20 + 1);
		free(exact);
	}
}

static const char *clean(const char *s, size_t n)
{
	return MADE(text_clean(&t, s, n));
}

#define CLEAN(literal) clean(literal, sizeof literal - 1)

static void test_clean(void **state)
{
	(void)state;
	assert_string_equal(CLEAN("plain \"text\" \\ 100%"), "plain \"text\" \\ 100%");
	assert_string_equal(CLEAN("\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\x80"),
			    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\x80");
	assert_string_equal(CLEAN("a\nb\tc\rd"), "a\\nb\\tc\\rd");
	assert_string_equal(CLEAN("\0\x01\x1b\x7f"), "\\x00\\x01\\x1b\\x7f");
	assert_string_equal(CLEAN("\xff\xfe"), "\\xff\\xfe");
	assert_string_equal(CLEAN("\xc0\xaf"), "\\xc0\\xaf"); /* overlong */
	assert_string_equal(CLEAN("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
	assert_string_equal(CLEAN("\xed\xa0\x80"), "\\xed\\xa0\\x80");		/* a surrogate */
	assert_string_equal(CLEAN("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
	assert_string_equal(CLEAN("\xe2\x82"), "\\xe2\\x82");			/* cut off */
	assert_string_equal(CLEAN("\xe2\x82X"), "\\xe2\\x82X");
	assert_string_equal(CLEAN("\xc2\x9b"), "\\u{009b}");	 /* C1: CSI */
	assert_string_equal(CLEAN("\xe2\x80\xae"), "\\u{202e}"); /* right-to-left override */
	assert_string_equal(CLEAN("\xe2\x80\xa8"), "\\u{2028}");
}

/* Whatever the bytes: what is clean has no control byte, and makes a JSON string that a strict
 * parser takes and that gives the clean text back. */
static void test_random_bytes(void **state)
{
	uint32_t seed = 0x2545f491;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char in[48], out[200], json[500];
		size_t n = next_random(&seed) % sizeof in,
		       cap = 1 + next_random(&seed) % sizeof out;
		struct text t = text_over(out, cap), j = text_over(json, sizeof json);
		json_t *value;

		for (size_t i = 0; i < n; i++)
			in[i] = next_random(&seed) % 5 ? (char)next_random(&seed)
						       : "\"\\\n\xe2\x80\xae"[seed % 6];
		text_clean(&t, in, n);
		assert_int_equal(t.len, strlen(out));
		for (size_t i = 0; i < t.len; i++)
			assert_true((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
		text_char(&j, '"');
		text_json(&j, out);
		text_char(&j, '"');
		assert_false(j.cut);
		value = json_loads(json, JSON_DECODE_ANY, NULL);
		assert_non_null(value);
		assert_string_equal(json_string_value(value), out);
		json_decref(value);
	}
}

static void test_strings(void **state)
{
	uint64_t v = 5;

	(void)state;
	assert_string_equal(str_base("/usr/bin/sh"), "sh");
	assert_string_equal(str_base("sh"), "sh");
	assert_string_equal(str_base(""), "");
	assert_true(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("ab", "abc"));
	assert_true(str_eq("", "") && str_eq("a", "a") && !str_eq("a", "ab") && !str_eq("ab", "a"));
	assert_true(str_number("0", 0, &v) && v == 0);
	assert_true(str_number("64", 64, &v) && v == 64);
	assert_true(str_number("00064", 64, &v) && v == 64);
	assert_true(str_number("18446744073709551615", UINT64_MAX, &v) && v == UINT64_MAX);
	assert_false(str_number("18446744073709551616", UINT64_MAX, &v));
	assert_false(str_number("65", 64, &v));
	assert_false(str_number("", 64, &v));
	assert_false(str_number("-1", 64, &v));
	assert_false(str_number("+1", 64, &v));
	assert_false(str_number(" 1", 64, &v));
	assert_false(str_number("1 ", 64, &v));
	assert_false(str_number("0x10", 64, &v));
	assert_false(str_number("5", 3, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_time),	cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_clean),	cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
