/*
 * What reaches the pipe: never less than bare, never twice, and in the mode `none` all of it; and
 * what is told of it. The wait status is the bare program's.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MODES = 3 };

static const char *const modes[MODES] = {"EPITAPH_STDIO=none", "EPITAPH_STDIO=line",
					 "EPITAPH_STDIO=keep"};

#define WORDS	  "words 7 and!"
#define ALL	  WORDS, WORDS, WORDS
#define FILED	  "to a file"
#define UNFLUSHED "\"epitaph.streams.unflushed\":9"
#define LONG	  "(900 lines)"

struct row {
	const char *how, *end;
	const char *out[MODES]; /* what comes through, in each mode */
	const char *told;	/* in the log, or NULL */
};

static const struct row rows[] = {
	{"print", "return", {ALL}, NULL},
	{"print", "_exit", {ALL}, NULL},
	{"print", "quick_exit", {ALL}, NULL},
	{"print", "abort", {ALL}, NULL},
	{"print", "TERM", {WORDS, "", ""}, NULL},
	{"print", "KILL", {WORDS, "", ""}, NULL},
	{"print", "exec", {WORDS, "", ""}, NULL},
	{"own_buffer", "_exit", {LONG, LONG, LONG}, NULL},
	{"own_buffer", "KILL", {LONG, LONG, ""}, NULL},
	{"reopen", "KILL", {WORDS, "", ""}, NULL},
	{"other_stream", "KILL", {"other", "", ""}, NULL},
	{"file", "_exit", {FILED, FILED, FILED}, "epitaph.streams.flushed\":9"},
	{"file", "abort", {FILED, FILED, FILED}, NULL},
	{"file", "return", {FILED, FILED, FILED}, NULL},
	{"file", "TERM", {"", "", ""}, UNFLUSHED},
	{"file_closed", "_exit", {FILED, FILED, FILED}, NULL},
	{"file_forked", "_exit", {"", "", ""}, UNFLUSHED},
	{"file_cloned", "_exit", {FILED, FILED, FILED}, UNFLUSHED},
	{"file_forked_raw", "_exit", {FILED, FILED, FILED}, UNFLUSHED},
	{"file_forked_flushed", "_exit", {FILED ", more", FILED ", more", FILED ", more"}, NULL},
	{"file_replaced", "_exit", {"", "", ""}, UNFLUSHED},
	{"file_again", "_exit", {FILED ", again", FILED ", again", FILED ", again"}, NULL},
	{"fork", "_exit", {WORDS, "", ""}, NULL},
	{"fork_child_flushes", "_exit", {ALL}, NULL},
	{"handler", "", {WORDS, "", ""}, NULL},
	{"locked", "_exit", {WORDS, "", ""}, NULL},
	{"line", "return", {"one write\n", "one write\n", "one write\n"}, NULL},
	{"written", "return", {"plainly\n", "plainly\n", "plainly\n"}, NULL},
	{"full_device", "_exit", {"", "", ""}, "write to stdout failed: ENOSPC"},
	{"full_device_lines", "_exit", {"", "", ""}, "printf to stdout failed: ENOSPC"},
	{"wide", "_exit", {"", "", ""}, NULL},
	{"closed", "_exit", {"", "", ""}, "write to stdout failed: EBADF"},
	{"no_reader", "_exit", {"", "", ""}, "write to stdout failed: EPIPE"},
	{"reader_gone", "_exit", {"", "", ""}, NULL},
	{"full_pipe", "_exit", {"", "", ""}, "(it is non-blocking, and its reader does not keep"},
	{"size_limit", "_exit", {"", "", ""}, "write to stdout failed: EFBIG"},
};

static bool same(const char *wanted, const char *got)
{
	char lines[16384];
	size_t n = 0;

	if (strcmp(wanted, LONG) != 0)
		return strcmp(wanted, got) == 0;
	for (int i = 0; i < 900; i++)
		n += (size_t)snprintf(lines + n, sizeof lines - n, "line %d\n", i);
	return strcmp(lines, got) == 0;
}

static void test_row(void **state)
{
	const struct row *c = *state;
	const char *const victims[] = {GLIBC("v_output"), MUSL("v_output")};

	for (int i = 0; i < 2 * MODES; i++) {
		const char *argv[] = {victims[i / MODES], c->how, c->end, NULL};
		struct run how = {.argv = argv, .env = {modes[i % MODES]}};
		struct result ours, bare;

		run(&how, &ours);
		how.bare = true;
		run(&how, &bare);
		check(ours.status == bare.status, "%s %s: %s, bare %s", argv[0], how.env[0],
		      status_text(ours.status), status_text(bare.status));
		/* A limit of file size is the log's, too: then its lines go to stderr. */
		bool to_stderr = strcmp(c->how, "size_limit") == 0;
		check(to_stderr || ours.err_len == bare.err_len, "%s", ours.err);
		check(same(c->out[i % MODES], ours.out), "%s %s: %s, bare: %s", argv[0], how.env[0],
		      ours.out, bare.out);
		check(ours.out_len >= bare.out_len, "less than bare: %s", ours.out);
		if (c->told)
			check_contains(to_stderr ? ours.err : ours.log, c->told);
		result_free(&ours);
		result_free(&bare);
	}
}

/* With KEEP the words lie in a buffer that nobody will take. */
static void test_no_way_out(void **state)
{
	static const char *const hows[] = {"reader_gone", "full_pipe"};
	static const char *const why[] = {"it cannot be written to",
					  "nobody took it within a second"};
	const char *const victims[] = {GLIBC("v_output"), MUSL("v_output")};

	(void)state;
	for (int i = 0; i < 4; i++) {
		const char *argv[] = {victims[i / 2], hows[i % 2], "_exit", NULL};
		struct result r;

		run_both(&(struct run){.argv = argv,
				       .text = true,
				       .env = {"EPITAPH_STDIO=keep", "KEEP=1"}},
			 &r, NULL);
		check_contains(r.log, "; 12 bytes of stdout left in its buffer: ");
		check_contains(r.log, why[i % 2]);
		result_free(&r);
	}
}

static void test_threads(void **state)
{
	const char *const victims[] = {GLIBC("v_output"), MUSL("v_output")};
	struct result r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *argv[] = {victims[i], "threads", "return", NULL};
		const json_t *end;

		run(&(struct run){.argv = argv}, &r);
		end = one_record(&r, "epitaph.end", r.pid);
		/* The last to be joined may not be gone from /proc. */
		assert_in_range(get_int(end, "epitaph.threads"), 1, 2);
		assert_int_equal(get_int(end, "epitaph.threads.most"), 4);
		result_free(&r);
		run(&(struct run){.argv = argv, .text = true}, &r);
		check_contains(r.log, " at the end, at most 4\n");
		result_free(&r);
	}
}

static void test_refused_buffer(void **state)
{
	const char *argv[] = {MUSL("v_output"), "own_buffer", "_exit", NULL};
	struct result r;

	(void)state;
	run(&(struct run){.argv = argv, .text = true, .env = {"EPITAPH_LEVEL=debug"}}, &r);
	check_contains(r.log, "setvbuf of stdout changes nothing: EPITAPH_STDIO is none\n");
	result_free(&r);
}

/* Why the bytes of a stream of the program's own stay where they are. */
static void test_other_streams(void **state)
{
	static const char *const hows[][3] = {
		{"file", "TERM", "; 9 bytes of other streams left in their buffers\n"},
		{"file_forked", "_exit", "buffers: a forked child has the same bytes in its"},
		{"file_replaced", "_exit", "buffers: its descriptor is another file's by now"},
		{"file", "return", "; 9 bytes of other streams left for exit to write\n"},
		{"file", "_exit", "; 9 bytes of other streams flushed by Epitaph"}};

	(void)state;
	for (int i = 0; i < 5; i++) {
		const char *argv[] = {GLIBC("v_output"), hows[i][0], hows[i][1], NULL};
		struct result r;

		run(&(struct run){.argv = argv, .text = true}, &r);
		check_contains(r.log, hows[i][2]);
		result_free(&r);
	}
}

static void test_report(void **state)
{
	const char *print[] = {GLIBC("v_output"), "print", "_exit", NULL};
	const char *print_musl[] = {MUSL("v_output"), "print", "_exit", NULL};
	const char *written[] = {MUSL("v_output"), "written", "return", NULL};
	const char *parts[] = {MUSL("v_output"), "parts", "return", NULL};
	const char *failing[] = {GLIBC("v_output"), "full_device", "_exit", NULL};
	const char *handler[] = {GLIBC("v_output"), "handler", "", NULL};
	const char *locked[] = {GLIBC("v_output"), "locked", "_exit", NULL};
	const json_t *end;
	struct result r;

	(void)state;
	run(&(struct run){.argv = print, .env = {"EPITAPH_STDIO=keep"}}, &r);
	end = one_record(&r, "epitaph.end", r.pid);
	assert_int_equal(get_int(end, "epitaph.stdout.bytes"), 12);
	assert_int_equal(get_int(end, "epitaph.stdout.writes"), 3);
	assert_int_equal(get_int(end, "epitaph.stdout.flushed"), 12);
	assert_int_equal(get_int(end, "epitaph.stderr.bytes"), 0);
	assert_string_equal(get_string(end, "epitaph.stdout.tail"), " and!");
	assert_true(get_real(end, "epitaph.stdout.last") >= 0);
	result_free(&r);
	for (int i = 0; i < 2; i++) {
		run(&(struct run){.argv = i ? print_musl : print}, &r);
		end = one_record(&r, "epitaph.end", r.pid);
		assert_int_equal(get_int(end, "epitaph.stdout.bytes"), 12);
		assert_string_equal(get_string(end, "epitaph.stdout.tail"), WORDS);
		result_free(&r);
	}
	run(&(struct run){.argv = written, .text = true}, &r);
	check_contains(r.log, "output: stdout 8 bytes in 1 write, last at +");
	check_contains(r.log, "s \"plainly\"; stderr none seen; nothing left unflushed");
	result_free(&r);
	run(&(struct run){.argv = written, .text = true, .env = {"EPITAPH_TAIL=3"}}, &r);
	check_contains(r.log, "s \"ly\"; ");
	result_free(&r);
	run(&(struct run){.argv = written, .text = true, .env = {"EPITAPH_TAIL=0"}}, &r);
	check(!strstr(r.log, "ly\""), "%s", r.log);
	result_free(&r);
	run(&(struct run){.argv = parts}, &r);
	end = one_record(&r, "epitaph.end", r.pid);
	assert_int_equal(get_int(end, "epitaph.stdout.bytes"), 8);
	assert_int_equal(get_int(end, "epitaph.stdout.writes"), 1);
	assert_string_equal(get_string(end, "epitaph.stdout.tail"), "one\\x00\u20ac");
	result_free(&r);
	run(&(struct run){.argv = parts, .text = true, .env = {"EPITAPH_TAIL=3"}}, &r);
	check_contains(r.log, "in 1 write, last at +");
	check(!strstr(r.log, "s \"\\x82"), "%s", r.log);
	result_free(&r);
	run(&(struct run){.argv = failing}, &r);
	assert_int_equal(count_records(&r, "epitaph.output", r.pid), 1);
	end = one_record(&r, "epitaph.output", r.pid);
	assert_string_equal(get_string(end, "epitaph.output.stream"), "stdout");
	assert_int_equal(get_int(end, "epitaph.output.errno"), 28);
	assert_int_equal(get_int(end, "epitaph.output.bytes"), 4);
	result_free(&r);
	run(&(struct run){.argv = handler, .text = true, .env = {"EPITAPH_STDIO=keep"}}, &r);
	check_contains(r.log, "left in its buffer: a signal handler ends the process");
	result_free(&r);
	run(&(struct run){.argv = locked, .text = true, .env = {"EPITAPH_STDIO=line"}}, &r);
	check_contains(r.log, "left in its buffer: another thread holds the stream's lock");
	result_free(&r);
}

/* A handled signal cuts writes to a full pipe short, and Python without its buffer does not care:
 * nothing may be lost that its buffer would have kept. */
static void into_file(void *arg)
{
	dup2(open((const char *)arg, O_RDWR | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
}

/* What a stream without a buffer answers: the results, errno, the stream's error, the bytes. */
static void test_answers(void **state)
{
	static const char *const ways[] = {"plain", "offset", "closed", "full", "reopened"};
	const char *const victims[] = {GLIBC("v_prints"), MUSL("v_prints")};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof ways / sizeof *ways; i++) {
		const char *argv[] = {victims[i % 2], ways[i / 2], NULL};
		const char *path = temp_path("printed");
		struct run r = {.argv = argv};
		struct result shim;
		char *bare, *ours;
		size_t bare_len, ours_len;

		run_both(&r, &shim, NULL);
		assert_int_equal(shim.status, 0);
		check_contains(shim.err, "is 8, errno 0");
		result_free(&shim);
		r.prepare = into_file;
		r.arg = (void *)path;
		r.bare = true;
		run(&r, &shim);
		bare = slurp(path, &bare_len);
		result_free(&shim);
		r.bare = false;
		run(&r, &shim);
		ours = slurp(path, &ours_len);
		result_free(&shim);
		check(bare_len == ours_len && !memcmp(bare, ours, bare_len), "%s", ways[i / 2]);
		free(bare);
		free(ours);
	}
}

static void test_short_writes(void **state)
{
	const char *python[] = {
		"python3", "-c",
		"import os,signal,time\n"
		"r,w=os.pipe(); real=os.dup(1); os.dup2(w,1); os.close(w)\n"
		"if os.fork()==0:\n"
		" os.close(1); n=0\n"
		" while d:=os.read(r,65536): n+=len(d); time.sleep(.005)\n"
		" os.write(real,b'%d'%n); os._exit(0)\n"
		"signal.signal(signal.SIGALRM,lambda *a:None)\n"
		"signal.setitimer(signal.ITIMER_REAL,.02,.02)\n"
		"print('x'*(1<<20),flush=True); os.close(1); os.wait(); os._exit(0)\n",
		NULL};
	struct result r;

	(void)state;
	run(&(struct run){.argv = python}, &r);
	assert_string_equal(r.out, "1048577");
	result_free(&r);
}

/* The start of Python, and C++'s streams, which have buffers of their own. */
static void test_runtimes(void **state)
{
	const char *python[] = {"python3", "-c",
				"import os,sys; sys.stdout.write('words'); os.kill(os.getpid(), 9)",
				NULL};
	const char *cxx[] = {GLIBC("v_cxx_output"), NULL};
	struct result r;

	(void)state;
	run(&(struct run){.argv = cxx}, &r);
	assert_string_equal(r.out, "words 7");
	result_free(&r);
	run(&(struct run){.argv = cxx, .env = {"EPITAPH_STDIO=keep"}}, &r);
	assert_string_equal(r.out, "");
	result_free(&r);
	run(&(struct run){.argv = python}, &r);
	assert_string_equal(r.out, "words");
	result_free(&r);
	run(&(struct run){.argv = python, .env = {"EPITAPH_STDIO=keep"}}, &r);
	assert_string_equal(r.out, "");
	result_free(&r);
}

int main(void)
{
	enum { ROWS = sizeof rows / sizeof *rows };
	struct CMUnitTest tests[ROWS + 8];
	size_t n = 0;

	for (; n < ROWS; n++)
		tests[n] = table_test(rows[n].how, test_row, &rows[n]);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_no_way_out);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_refused_buffer);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_threads);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_other_streams);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_report);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_answers);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_short_writes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_runtimes);
	return run_group("output", tests, n);
}
