/* Records rendered to a file: JSON that a strict parser takes and text lines of the right form,
 * whatever is put into them. SPDX-License-Identifier: MIT */
#include "unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "epitaph.h"
#include "record.h"

static int log_fd = -1;
static char logged[65536];

static int open_log(void **state)
{
	char name[] = "/tmp/record-XXXXXX";
	struct log_identity none = {0};

	(void)state;
	log_fd = mkstemp(name);
	unlink(name);
	process.pid = getpid();
	process.name = process.execfn = "unit";
	config_parse(&config, NULL);
	config.log = LOG_FD;
	config.log_fd = log_fd;
	return log_open(&none, 0);
}

/* What was written since the last call. */
static size_t take(void)
{
	ssize_t n = pread(log_fd, logged, sizeof logged - 1, 0);

	assert_true(n >= 0);
	logged[n] = '\0';
	assert_int_equal(ftruncate(log_fd, 0), 0);
	lseek(log_fd, 0, SEEK_SET);
	return (size_t)n;
}

static json_t *take_json(void)
{
	size_t n = take();
	json_t *object = json_loadb(logged, n, JSON_REJECT_DUPLICATES, NULL);

	if (!object)
		print_error("not JSON: %s\n", logged);
	assert_non_null(object);
	assert_true(n <= 4096 && logged[n - 1] == '\n' && strchr(logged, '\n') == logged + n - 1);
	return object;
}

static struct record *begin(enum format format)
{
	struct record *r;

	config.format = format;
	r = record_begin(EVENT_END, SEVERITY_INFO);
	assert_non_null(r);
	return r;
}

static void test_fields(void **state)
{
	struct record *r = begin(FORMAT_JSON);
	json_t *o;

	(void)state;
	text_str(&r->body, "a sentence with \"quotes\"");
	record_string(r, "a.string", "tab\there");
	record_integer(r, "an.integer", INT64_MIN);
	record_seconds(r, "some.seconds", 1500000000);
	record_boolean(r, "a.boolean", true);
	record_boolean(r, "another", false);
	record_write(r);
	o = take_json();
	assert_string_equal(json_string_value(json_object_get(o, "body")),
			    "a sentence with \"quotes\"");
	assert_string_equal(json_string_value(json_object_get(o, "a.string")), "tab\\there");
	assert_true(json_integer_value(json_object_get(o, "an.integer")) == INT64_MIN);
	assert_true(json_real_value(json_object_get(o, "some.seconds")) == 1.5);
	assert_true(json_is_true(json_object_get(o, "a.boolean")));
	assert_true(json_is_false(json_object_get(o, "another")));
	assert_string_equal(json_string_value(json_object_get(o, "event.name")), "epitaph.end");
	assert_string_equal(json_string_value(json_object_get(o, "severity_text")), "INFO");
	assert_true(json_integer_value(json_object_get(o, "process.pid")) == getpid());
	json_decref(o);
}

/* Too much of everything: fields are left out, the object stays whole. */
static void test_overflow(void **state)
{
	static char big[9000];

	(void)state;
	for (size_t size = 1; size < sizeof big; size = size * 3 / 2 + 1) {
		for (int c = 0; c < 3; c++) {
			struct record *r = begin(FORMAT_JSON);

			memset(big, "a\"\xff"[c], size);
			big[size] = '\0';
			text_clean(&r->body, big, size);
			for (int i = 0; i < 60; i++)
				record_string(r, i % 2 ? "odd" : "even", i < 2 ? big : "");
			record_write(r);
			take();
			/* No take_json: this test puts the same key in many times. */
			json_decref(json_loads(logged, 0, NULL));
			assert_non_null(strstr(logged, "}\n"));
			assert_true(strlen(logged) <= 4096);
		}
	}
}

static void test_random_fields(void **state)
{
	static const char *const keys[] = {"k.0", "k.1", "k.2", "k.3", "k.4", "k.5", "k.6", "k.7"};
	uint32_t seed = 88172645;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct record *r = begin(FORMAT_JSON);

		for (int k = 0; k < 8; k++) {
			char value[900];
			size_t n = next_random(&seed) % sizeof value;

			for (size_t i = 0; i < n; i++)
				value[i] = (char)(1 + next_random(&seed) % 255);
			value[n ? n - 1 : 0] = '\0';
			record_string(r, keys[k], value);
			if (k == 3)
				text_clean(&r->body, value, strlen(value));
		}
		record_write(r);
		json_decref(take_json());
	}
}

static void test_text(void **state)
{
	struct record *r = begin(FORMAT_TEXT);
	char head[60], *line, *rest;
	int n = 0;

	(void)state;
	text_str(&r->body, "ENDED of old age");
	text_str(&r->details, "first detail\nsecond detail\n");
	record_integer(r, "not.in.text", 5);
	record_write(r);
	take();
	snprintf(head, sizeof head, "epitaph: unit[%d] ", getpid());
	for (line = strtok_r(logged, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), n++) {
		assert_int_equal(strncmp(line, head, strlen(head)), 0);
		line += strlen(head);
		if (n == 0)
			assert_true(line[0] == '+' && strstr(line, "s ENDED of old age"));
		else
			assert_string_equal(line, n == 1 ? "  first detail" : "  second detail");
	}
	assert_int_equal(n, 3);
}

static void test_level(void **state)
{
	(void)state;
	for (int level = LEVEL_ERROR; level <= LEVEL_DEBUG; level++) {
		config.level = (enum level)level;
		for (int severity = SEVERITY_ERROR; severity <= SEVERITY_DEBUG; severity++) {
			struct record *r = record_begin(EVENT_CONFIG, (enum severity)severity);

			assert_int_equal(r != NULL, severity <= level);
			if (r)
				record_drop(r);
		}
	}
	config.level = LEVEL_INFO;
}

/* More at once than are kept ready: each is whole, and all come back. */
static void test_many_at_once(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		struct record *r[8];

		for (int i = 0; i < 8; i++) {
			r[i] = begin(FORMAT_JSON);
			text_str(&r[i]->body, "number ");
			text_dec(&r[i]->body, i);
		}
		for (int i = 0; i < 8; i++) {
			char want[24];
			json_t *o;

			record_write(r[i]);
			o = take_json();
			snprintf(want, sizeof want, "number %d", i);
			assert_string_equal(json_string_value(json_object_get(o, "body")), want);
			json_decref(o);
		}
	}
}

static void test_caller(void **state)
{
	struct record *r = begin(FORMAT_JSON);
	struct trace trace = {.count = 2, .guessed = 2};
	json_t *o;

	(void)state;
	trace.pc[0] = (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0)) - 1;
	trace.pc[1] = 1; /* nowhere */
	record_caller(r, trace.pc[0], &trace);
	record_write(r);
	o = take_json();
	assert_non_null(json_object_get(o, "epitaph.caller.module"));
	assert_int_equal(
		strncmp(json_string_value(json_object_get(o, "epitaph.caller.offset")), "0x", 2),
		0);
	assert_non_null(json_object_get(o, "code.stacktrace"));
	json_decref(o);
	r = begin(FORMAT_JSON);
	record_caller(r, 0, NULL); /* nothing known: nothing said */
	record_write(r);
	o = take_json();
	assert_null(json_object_get(o, "epitaph.caller.module"));
	assert_null(json_object_get(o, "code.stacktrace"));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),	      cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_random_fields), cmocka_unit_test(test_text),
		cmocka_unit_test(test_level),	      cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_caller),
	};

	return cmocka_run_group_tests_name("record", tests, open_log, NULL);
}
