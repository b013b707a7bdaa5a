/* The harness; the contract is in harness.h. SPDX-License-Identifier: MIT */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HANG_SECONDS = 90 };

static char folder[128];
static volatile pid_t running;
static volatile sig_atomic_t hung;

static void on_alarm(int sig)
{
	(void)sig;
	hung = 1;
	kill(running, SIGKILL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int harness_setup(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct rlimit none = {0, 0};

	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setrlimit(RLIMIT_CORE, &none);
	sigaction(SIGALRM, &action, NULL);
	signal(SIGPIPE, SIG_DFL);
	snprintf(folder, sizeof folder, "%s/tests/tmp-XXXXXX", BUILD);
	return mkdtemp(folder) ? 0 : -1;
}

int harness_teardown(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *temp_dir(void)
{
	return folder;
}

const char *temp_path(const char *format, ...)
{
	static char ring[16][512];
	static int next;
	char *path = ring[next++ % 16];
	int n = snprintf(path, sizeof *ring, "%s/", folder);
	va_list ap;

	va_start(ap, format);
	vsnprintf(path + n, sizeof *ring - (size_t)n, format, ap);
	va_end(ap);
	return path;
}

char *slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	size_t cap = 1 << 16, n = 0, got;
	char *buf;

	if (!f)
		return NULL;
	buf = malloc(cap);
	while (buf && (got = fread(buf + n, 1, cap - n - 1, f)) > 0) {
		n += got;
		if (n == cap - 1)
			buf = realloc(buf, cap *= 2);
	}
	fclose(f);
	assert_non_null(buf);
	buf[n] = '\0';
	if (len)
		*len = n;
	return buf;
}

char *status_text(int status)
{
	static char ring[4][40];
	static int next;
	char *s = ring[next++ % 4];

	if (WIFEXITED(status))
		snprintf(s, sizeof *ring, "exit %d", WEXITSTATUS(status));
	else
		snprintf(s, sizeof *ring, "signal %d%s", WTERMSIG(status),
			 WCOREDUMP(status) ? " with core" : "");
	return s;
}

bool in_ci(void)
{
	const char *ci = getenv("CI");

	return ci && *ci;
}

void skip_because(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print_error(in_ci() ? "FAILED FOR WANT OF: " : "SKIPPED: ");
	vprint_error(format, ap);
	print_error("\n");
	va_end(ap);
	if (in_ci())
		fail();
	skip();
}

/* PATH and HOME, what the harness sets, what the test sets: later ones replace earlier ones. */
static void put(char **envp, int *n, const char *entry)
{
	size_t name = strcspn(entry, "=") + 1;

	for (int i = 0; i < *n; i++) {
		if (!strncmp(envp[i], entry, name)) {
			free(envp[i]);
			envp[i] = strdup(entry);
			return;
		}
	}
	assert_true(*n < ENV_MOST + 7);
	envp[(*n)++] = strdup(entry);
}

static void build_environment(const struct run *r, const char *log, char **envp)
{
	char entry[640];
	int n = 0;

	put(envp, &n, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	put(envp, &n, "HOME=/tmp");
	if (!r->bare) {
		put(envp, &n, "LD_PRELOAD=" SHIM);
		if (!r->text)
			put(envp, &n, "EPITAPH_FORMAT=json");
		if (!r->no_log) {
			snprintf(entry, sizeof entry, "EPITAPH_LOG=%s", log);
			put(envp, &n, entry);
		}
	}
	for (int i = 0; i < ENV_MOST && r->env[i]; i++)
		if (!r->bare ||
		    (strncmp(r->env[i], "EPITAPH_", 8) && strncmp(r->env[i], "LD_PRELOAD=", 11)))
			put(envp, &n, r->env[i]);
	envp[n] = NULL;
}

struct capture {
	char *buf;
	size_t len, cap;
};

/* Reads both pipes until their last writer is gone. */
static void drain(struct pollfd fds[2], struct capture c[2])
{
	while ((fds[0].fd >= 0 || fds[1].fd >= 0) && !hung) {
		if (poll(fds, 2, -1) < 0)
			continue;
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			if (c[i].cap - c[i].len < 4096)
				c[i].buf = realloc(c[i].buf, c[i].cap = c[i].cap * 2 + 8192);
			n = read(fds[i].fd, c[i].buf + c[i].len, c[i].cap - c[i].len - 1);
			if (n > 0) {
				c[i].len += (size_t)n;
			} else if (n == 0) {
				close(fds[i].fd);
				fds[i].fd = -1;
			}
		}
	}
}

json_t *parse_lines(const char *text, size_t len)
{
	json_t *all = json_array();

	for (size_t at = 0; at < len;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - text) - at : len - at;
		json_error_t error;
		json_t *line = json_loadb(text + at, n, JSON_REJECT_DUPLICATES, &error);

		check(end, "the last line has no end: %.*s", (int)n, text + at);
		check(json_is_object(line), "no JSON object (%s): %.*s", error.text, (int)n,
		      text + at);
		check(n + 1 <= 4096, "a line of %zu bytes", n + 1);
		json_array_append_new(all, line);
		at += n + 1;
	}
	return all;
}

static void close_from(int first)
{
	for (int fd = first; fd < 256; fd++)
		close(fd);
}

void run(const struct run *r, struct result *out)
{
	static int serial;
	struct capture c[2] = {{0}, {0}};
	struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
	char *envp[ENV_MOST + 8], log[600];
	int o[2], e[2], status;
	pid_t pid;

	snprintf(log, sizeof log, "%s/log-%d", folder, serial++);
	build_environment(r, log, envp);
	memset(out, 0, sizeof *out);
	assert_int_equal(pipe2(o, O_CLOEXEC), 0);
	assert_int_equal(pipe2(e, O_CLOEXEC), 0);
	out->pid = running = fork();
	assert_true(out->pid >= 0);
	if (!out->pid) {
		int null = open("/dev/null", O_RDONLY);

		alarm(0);
		dup2(null, 0);
		dup2(o[1], 1);
		dup2(e[1], 2);
		close_from(3);
		if (r->prepare)
			r->prepare(r->arg);
		execvpe(r->argv[0], (char *const *)(uintptr_t)r->argv, envp);
		_exit(127);
	}
	close(o[1]);
	close(e[1]);
	fds[0].fd = o[0];
	fds[1].fd = e[0];
	hung = 0;
	alarm(HANG_SECONDS);
	drain(fds, c);
	while ((pid = waitpid(-1, &status, 0)) > 0 || (errno == EINTR && !hung))
		if (pid == out->pid)
			out->status = status;
	alarm(0);
	for (int i = 0; i < 2; i++)
		if (fds[i].fd >= 0)
			close(fds[i].fd);
	for (int i = 0; envp[i]; i++)
		free(envp[i]);
	check(!hung, "%s hung for %d seconds", r->argv[0], HANG_SECONDS);
	for (int i = 0; i < 2; i++) {
		if (!c[i].buf)
			c[i].buf = calloc(1, 1);
		c[i].buf[c[i].len] = '\0';
	}
	out->out = c[0].buf;
	out->out_len = c[0].len;
	out->err = c[1].buf;
	out->err_len = c[1].len;
	out->log = slurp(log, &out->log_len);
	unlink(log);
	if (!out->log)
		out->log = calloc(1, 1);
	if (!r->text && !r->bare)
		out->records = parse_lines(out->log, out->log_len);
}

void result_free(struct result *r)
{
	free(r->out);
	free(r->err);
	free(r->log);
	json_decref(r->records);
	memset(r, 0, sizeof *r);
}

void run_both(const struct run *r, struct result *shim, struct result *bare)
{
	struct result own;
	struct run copy = *r;

	if (!bare)
		bare = &own;
	copy.bare = true;
	run(&copy, bare);
	copy.bare = false;
	run(&copy, shim);
	check(bare->status == shim->status, "%s %s: bare %s, under the shim %s; log: %s",
	      r->argv[0], r->argv[1] ? r->argv[1] : "", status_text(bare->status),
	      status_text(shim->status), shim->log);
	check(bare->out_len == shim->out_len && !memcmp(bare->out, shim->out, bare->out_len),
	      "%s: stdout bare: %s\nunder the shim: %s", r->argv[0], bare->out, shim->out);
	check(r->no_log || (bare->err_len == shim->err_len &&
			    !memcmp(bare->err, shim->err, bare->err_len)),
	      "%s: stderr bare: %s\nunder the shim: %s", r->argv[0], bare->err, shim->err);
	if (bare == &own)
		result_free(&own);
}

json_t *nth_record(const struct result *r, const char *event, pid_t pid, int nth)
{
	size_t i;
	json_t *record;

	json_array_foreach(r->records, i, record)
	{
		if (strcmp(get_string(record, "event.name"), event))
			continue;
		if ((!pid || get_int(record, "process.pid") == pid) && nth-- == 0)
			return record;
	}
	return NULL;
}

int count_records(const struct result *r, const char *event, pid_t pid)
{
	int n = 0;

	while (nth_record(r, event, pid, n))
		n++;
	return n;
}

json_t *one_record(const struct result *r, const char *event, pid_t pid)
{
	int n = count_records(r, event, pid);

	check(n == 1, "%d %s of pid %d instead of one; log: %s", n, event, pid, r->log);
	return nth_record(r, event, pid, 0);
}

static char *shown(const json_t *record)
{
	return json_dumps(record, JSON_COMPACT);
}

const char *get_string(const json_t *record, const char *key)
{
	const json_t *v = json_object_get(record, key);

	check(json_is_string(v), "no string %s in %s", key, shown(record));
	return json_string_value(v);
}

int64_t get_int(const json_t *record, const char *key)
{
	const json_t *v = json_object_get(record, key);

	check(json_is_integer(v), "no integer %s in %s", key, shown(record));
	return json_integer_value(v);
}

double get_real(const json_t *record, const char *key)
{
	const json_t *v = json_object_get(record, key);

	check(json_is_number(v), "no number %s in %s", key, shown(record));
	return json_number_value(v);
}

bool get_bool(const json_t *record, const char *key)
{
	const json_t *v = json_object_get(record, key);

	check(json_is_boolean(v), "no boolean %s in %s", key, shown(record));
	return json_boolean_value(v);
}

bool has(const json_t *record, const char *key)
{
	return json_object_get(record, key) != NULL;
}

bool is_string(const json_t *record, const char *key, const char *value)
{
	const json_t *v = json_object_get(record, key);

	return json_is_string(v) && !strcmp(json_string_value(v), value);
}

struct CMUnitTest table_test(const char *name, CMUnitTestFunction f, const void *row)
{
	return (struct CMUnitTest){
		.name = name, .test_func = f, .initial_state = (void *)(uintptr_t)row};
}

int run_group(const char *name, const struct CMUnitTest *tests, size_t n)
{
	return _cmocka_run_group_tests(name, tests, n, harness_setup, harness_teardown);
}
