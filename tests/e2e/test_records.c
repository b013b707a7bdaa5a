/*
 * The records' form: keys and their types, text and JSON from the same description, hostile names,
 * no line over 4,096 bytes, colours only for a terminal.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool matches(const char *pattern, const char *text)
{
	regex_t regex;
	bool yes;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	yes = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return yes;
}

static void check_common(const json_t *record, const struct result *r, const char *path)
{
	static const char *const severities[] = {"DEBUG", "INFO", "WARN", "ERROR"};
	bool known = false;

	check(matches("^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{6}"
		      "Z$",
		      get_string(record, "timestamp")),
	      "%s", r->log);
	for (int i = 0; i < 4; i++)
		known |= is_string(record, "severity_text", severities[i]);
	assert_true(known);
	assert_true(strlen(get_string(record, "body")) > 0);
	assert_int_equal(get_int(record, "process.pid"), r->pid);
	assert_int_equal(get_int(record, "process.parent_pid"), getpid());
	assert_string_equal(get_string(record, "process.executable.path"), path);
	assert_string_equal(get_string(record, "process.executable.name"), strrchr(path, '/') + 1);
	assert_true(get_real(record, "process.uptime") >= 0 &&
		    get_real(record, "process.uptime") < 3600);
}

static void test_keys(void **state)
{
	const char *argv[] = {GLIBC("v_exit"), NULL};
	struct run r = {.argv = argv};
	struct result shim;
	json_t *start, *end;

	(void)state;
	run_both(&r, &shim, NULL);
	assert_int_equal(json_array_size(shim.records), 2);
	start = json_array_get(shim.records, 0);
	end = json_array_get(shim.records, 1);
	assert_string_equal(get_string(start, "event.name"), "epitaph.start");
	assert_string_equal(get_string(end, "event.name"), "epitaph.end");
	check_common(start, &shim, GLIBC("v_exit"));
	check_common(end, &shim, GLIBC("v_exit"));
	check_contains(get_string(start, "body"), "watching");
	check_contains(get_string(start, "body"), "glibc");
	check_contains(get_string(end, "body"), "ENDED with exit code 3:");
	check(matches("^0x[0-9a-f]+$", get_string(end, "epitaph.caller.offset")), "%s", shim.log);
	assert_true(strcmp(get_string(start, "timestamp"), get_string(end, "timestamp")) <= 0);
	assert_true(get_real(start, "process.uptime") <= get_real(end, "process.uptime"));
	result_free(&shim);
}

static void test_musl_says_so(void **state)
{
	const char *argv[] = {MUSL("v_exit"), NULL};
	struct run r = {.argv = argv};
	struct result shim;

	(void)state;
	if (access(argv[0], X_OK) != 0)
		skip_because("musl-gcc is missing");
	run_both(&r, &shim, NULL);
	check_contains(get_string(one_record(&shim, "epitaph.start", shim.pid), "body"), "musl");
	result_free(&shim);
}

/* Every line of text mode: the head, and two more blanks before a detail. */
static void test_text(void **state)
{
	const char *argv[] = {GLIBC("v_exit"), NULL};
	struct run r = {.argv = argv, .text = true};
	struct result shim;
	char head[64], *line, *rest;
	int starts = 0, ends = 0, details = 0;

	(void)state;
	run_both(&r, &shim, NULL);
	snprintf(head, sizeof head, "epitaph: v_exit[%d] ", shim.pid);
	assert_int_equal(shim.log[shim.log_len - 1], '\n');
	for (line = strtok_r(shim.log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		check(!strncmp(line, head, strlen(head)), "%s", line);
		assert_true(strlen(line) < 4096);
		if (!strncmp(line + strlen(head), "  ", 2))
			details++;
		else if (strstr(line, "watching"))
			starts++;
		else if (matches("\\] \\+[0-9]+\\.[0-9]{3}s ENDED with exit code 3: ", line))
			ends++;
		else
			check(false, "%s", line);
	}
	assert_int_equal(starts, 1);
	assert_int_equal(ends, 1);
	assert_true(details >= 1);
	result_free(&shim);
}

/* The sentence of text mode is the JSON body. */
static void test_text_and_json_agree(void **state)
{
	static const char *const victims[] = {GLIBC("v_exit"), GLIBC("v_return"), GLIBC("v_err"),
					      GLIBC("v_last_thread")};

	(void)state;
	for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) {
		const char *argv[] = {victims[i], NULL};
		struct run r = {.argv = argv};
		struct result json, text;

		run(&r, &json);
		r.text = true;
		run(&r, &text);
		for (int k = 0; k < 2; k++)
			check_contains(text.log,
				       get_string(json_array_get(json.records, (size_t)k), "body"));
		result_free(&json);
		result_free(&text);
	}
}

/* Copies the victim to a hostile name and lets it end, in both formats. */
static void run_as(const char *name)
{
	char path[600], program[512];
	const char *argv[] = {program, NULL};
	struct run r = {.argv = argv};
	struct result shim;
	char *copy;
	size_t len;
	FILE *f;

	snprintf(program, sizeof program, "%s/%s", temp_dir(), name);
	snprintf(path, sizeof path, "%s", program);
	copy = slurp(GLIBC("v_exit"), &len);
	f = fopen(path, "we");
	if (!f && (errno == EILSEQ || errno == EINVAL)) /* a file system that wants valid UTF-8 */
		goto out;
	assert_non_null(f);
	assert_int_equal(fwrite(copy, 1, len, f), len);
	fclose(f);
	chmod(path, 0755);
	run_both(&r, &shim, NULL); /* parses every line strictly */
	assert_int_equal(count_records(&shim, "epitaph.end", shim.pid), 1);
	assert_int_equal(json_array_size(shim.records), 2);
	result_free(&shim);
	r.text = true;
	run_both(&r, &shim, NULL);
	for (size_t i = 0, column = 0; i < shim.log_len; i++, column++) {
		unsigned char c = (unsigned char)shim.log[i];

		if (c == '\n') {
			column = (size_t)-1;
			check(i + 1 == shim.log_len || !strncmp(shim.log + i + 1, "epitaph: ", 9),
			      "%s: %s", name, shim.log);
		} else {
			check(c >= 0x20 && c != 0x7f, "byte %#x in the log of %s", c, name);
		}
		assert_true(column + 1 < 4096 || column == (size_t)-1);
	}
	result_free(&shim);
	unlink(path);
out:
	free(copy);
}

static void test_hostile_names(void **state)
{
	static const char *const names[] = {
		"quo\"te",
		"back\\slash",
		"new\nline",
		"tab\ttab",
		"esc\033[31mred",
		"inv\xff\xfe"
		"alid",
		"cut\xe2\x82",
		"over\xc0\xafshort",
		"sur\xed\xa0\x80rogate",
		"c1\xc2\x9b"
		"31m",
		"bidi\xe2\x80\xae"
		"evil",
		"del\x7f",
		"{\"a\":1}",
		"ends with \\",
		"per%cent%s%n",
		"\xf0\x9f\x92\x80",
		"line\xe2\x80\xa8sep",
		" ",
		"]",
		"a\rb\ab",
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		run_as(names[i]);
}

/* All that one byte can be. */
static void test_every_byte(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char name[] = {'v', (char)c, 'w', '\0'};

		if (c != '/')
			run_as(name);
	}
}

/* A very long path, all of it to be escaped: the line is still one valid object. */
static void test_long_names(void **state)
{
	char name[256];

	(void)state;
	memset(name, '\001', 250);
	name[250] = '\0';
	run_as(name);
	memset(name, '"', 250);
	run_as(name);
	memset(name, '\xff', 250);
	run_as(name);
}

static void test_deep_path(void **state)
{
	char dir[3800], program[3840], command[4000];
	const char *argv[] = {program, NULL};
	struct run r = {.argv = argv};
	struct result shim;
	int n = snprintf(dir, sizeof dir, "%s", temp_dir());

	(void)state;
	while (n < 3500) {
		n += snprintf(dir + n, sizeof dir - (size_t)n, "/%0200d\"", 7);
		assert_int_equal(mkdir(dir, 0755), 0);
	}
	snprintf(program, sizeof program, "%s/v", dir);
	snprintf(command, sizeof command, "cp %s '%s'", GLIBC("v_exit"), program);
	assert_int_equal(system(command), 0);
	run_both(&r, &shim, NULL);
	assert_int_equal(json_array_size(shim.records), 2);
	assert_int_equal(get_int(one_record(&shim, "epitaph.end", shim.pid), "process.exit.code"),
			 3);
	result_free(&shim);
}

/* Runs with stderr on a terminal of its own; what arrives there. */
static void on_terminal(const char *no_color, char *seen, size_t cap)
{
	int master, slave, status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	pid = fork();
	if (!pid) {
		char *const argv[] = {(char *)(uintptr_t)GLIBC("v_exit"), NULL};
		char *envp[] = {(char *)(uintptr_t)("LD_PRELOAD=" SHIM),
				(char *)(uintptr_t)no_color, NULL};

		dup2(slave, 2);
		close(slave);
		close(master);
		execve(argv[0], argv, envp);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 3);
	/* Our own end is still open, so there is no hang-up to wait for: read what is there. */
	fcntl(master, F_SETFL, O_NONBLOCK);
	while (n < cap - 1 && (got = read(master, seen + n, cap - 1 - n)) > 0)
		n += (size_t)got;
	seen[n] = '\0';
	close(slave);
	close(master);
}

static void test_colours(void **state)
{
	const char *argv[] = {GLIBC("v_exit"), NULL};
	struct run r = {.argv = argv, .text = true};
	struct result shim;
	char seen[8192];

	(void)state;
	on_terminal(NULL, seen, sizeof seen);
	check_contains(seen, "ENDED with exit code 3");
	check_contains(seen, "\033[");
	on_terminal("NO_COLOR=1", seen, sizeof seen);
	check_contains(seen, "ENDED with exit code 3");
	assert_null(strchr(seen, '\033'));
	on_terminal("NO_COLOR=", seen, sizeof seen); /* empty counts as not set: no-color.org */
	check_contains(seen, "\033[");
	run(&r, &shim);
	assert_null(strchr(shim.log, '\033'));
	result_free(&shim);
	r.no_log = true;
	run(&r, &shim);
	check_contains(shim.err, "ENDED with exit code 3");
	assert_null(strchr(shim.err, '\033'));
	result_free(&shim);
}

/* Secrets live in the environment and in arguments: neither is ever logged. */
static void test_no_secrets(void **state)
{
	const char *argv[] = {"/bin/sh",       "-c", "exec \"$1\" 3 s3cret-argument", "x",
			      GLIBC("v_exit"), NULL};
	struct run r = {
		.argv = argv,
		.env = {"PASSWORD=s3cret-variable", "EPITAPH_LEVEL=debug", "EPITAPH_SCOPE=all"}};
	struct result shim;

	(void)state;
	for (int text = 0; text < 2; text++) {
		r.text = text;
		run_both(&r, &shim, NULL);
		check_contains(shim.log, "ENDED");
		assert_null(strstr(shim.log, "s3cret"));
		result_free(&shim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),	      cmocka_unit_test(test_musl_says_so),
		cmocka_unit_test(test_text),	      cmocka_unit_test(test_text_and_json_agree),
		cmocka_unit_test(test_hostile_names), cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_long_names),    cmocka_unit_test(test_deep_path),
		cmocka_unit_test(test_colours),	      cmocka_unit_test(test_no_secrets),
	};

	return run_group("records", tests, sizeof tests / sizeof *tests);
}
