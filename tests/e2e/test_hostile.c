/*
 * Surroundings in which the program must run as if bare: descriptors closed, limits, no /proc,
 * sandboxes, a stderr that takes nothing.
 * SPDX-License-Identifier: MIT
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

struct ends {
	const char *victim, *arg, *more;
};

static const struct ends victims[] = {
	{GLIBC("v_return"), "3", NULL},
	{GLIBC("v_exit"), "3", NULL},
	{GLIBC("v__exit"), "3", NULL},
	{GLIBC("v_err"), "3", NULL},
	{GLIBC("v_abort"), NULL, NULL},
	{GLIBC("v_thread_exit"), NULL, NULL},
	{GLIBC("v_fork_exec"), GLIBC("v_return"), "3"},
	{GLIBC("v_exec"), "execve", GLIBC("v_return")},
	{MUSL("v_return"), "3", NULL},
	{MUSL("v_exit"), "3", NULL},
	{MUSL("v_err"), "3", NULL},
	{MUSL("v_abort"), NULL, NULL},
	{MUSL("v_vfork_exec"), MUSL("v_return"), "3"},
};

enum { VICTIM_COUNT = sizeof victims / sizeof *victims };

/*
 * All victims in the surroundings that prepare makes: as bare. Where the log can be had the end is
 * told. Returns how many ends were.
 */
static int as_bare(void (*prepare)(void *), void *arg, bool stderr_log, bool text)
{
	int ends = 0;

	for (int i = 0; i < VICTIM_COUNT; i++) {
		const char *argv[] = {victims[i].victim, victims[i].arg, victims[i].more, NULL};
		struct run r = {.argv = argv,
				.prepare = prepare,
				.arg = arg,
				.no_log = stderr_log,
				.text = text};
		struct result shim;

		if (access(victims[i].victim, X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		if (!text && !stderr_log)
			ends += count_records(&shim, "epitaph.end", shim.pid);
		result_free(&shim);
	}
	return ends;
}

static int victim_count(void)
{
	int n = 0;

	for (int i = 0; i < VICTIM_COUNT; i++)
		n += access(victims[i].victim, X_OK) == 0;
	return n;
}

static void close_standard(void *arg)
{
	const char *which = arg;

	for (; *which; which++)
		close(*which - '0');
}

static void test_closed_standard(void **state)
{
	static const char *const which[] = {"0", "1", "2", "12", "012"};

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(as_bare(close_standard, (void *)(uintptr_t)which[i], false, false),
				 victim_count());
		as_bare(close_standard, (void *)(uintptr_t)which[i], true, false);
	}
}

/* With 2 closed, the first file that the program opens is 2: no line may go there. */
static void test_closed_stderr_then_file(void **state)
{
	const char *mine = temp_path("took-2");
	const char *argv[] = {GLIBC("v_close_all"), mine, "3", "loop", NULL};
	struct run r = {.argv = argv,
			.prepare = close_standard,
			.arg = (void *)(uintptr_t) "2",
			.no_log = true};
	struct result shim;
	char *text;
	size_t len;

	(void)state;
	run(&r, &shim);
	assert_true(WIFEXITED(shim.status) && WEXITSTATUS(shim.status) == 5);
	text = slurp(mine, &len);
	assert_non_null(text);
	assert_null(strstr(text, "epitaph"));
	free(text);
	result_free(&shim);
}

static void limit_files(void *arg)
{
	struct rlimit limit = {(rlim_t)(uintptr_t)arg, (rlim_t)(uintptr_t)arg};

	setrlimit(RLIMIT_NOFILE, &limit);
}

static void test_few_files(void **state)
{
	(void)state;
	for (uintptr_t n = 3; n <= 20; n++) {
		if (n > 3) /* with 3 the loader itself cannot open a file, and says so */
			as_bare(limit_files, (void *)n, false, false);
		as_bare(limit_files, (void *)n, true, true);
	}
}

/* With room for a descriptor or two the log works. */
static void test_few_files_are_enough(void **state)
{
	(void)state;
	assert_int_equal(as_bare(limit_files, (void *)20, false, false), victim_count());
}

static void hide_proc(void *arg)
{
	(void)arg;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/proc", "tmpfs", 0, NULL))
		_exit(126);
}

static void test_no_proc(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip_because("only root can hide /proc");
	assert_int_equal(as_bare(hide_proc, NULL, false, false), victim_count());
	as_bare(hide_proc, NULL, true, true);

	const char *argv[] = {GLIBC("v_return"), NULL};
	struct run r = {.argv = argv, .prepare = hide_proc, .text = true};
	struct result shim;

	run(&r, &shim);
	check_contains(shim.log, "  threads: not known, and what else only /proc tells");
	result_free(&shim);
}

static void limit_size(void *arg)
{
	struct rlimit limit = {0, 0};

	(void)arg;
	setrlimit(RLIMIT_FSIZE, &limit);
}

/* SIGXFSZ would kill: with a log file of our own, and with stderr as a file. */
/* A log file that cannot grow: no SIGXFSZ, and one line on stderr says why the lines come there. */
static void test_no_file_size(void **state)
{
	const char *argv[] = {GLIBC("v_return"), "3", NULL};
	struct run r = {.argv = argv, .prepare = limit_size};
	struct result shim;

	(void)state;
	run(&r, &shim);
	assert_true(WIFEXITED(shim.status) && WEXITSTATUS(shim.status) == 3);
	assert_non_null(strstr(shim.err, "EFBIG"));
	assert_non_null(strstr(shim.err, "ENDED with exit code 3"));
	result_free(&shim);
	as_bare(limit_size, NULL, true, true);
}

/* The write end of a pipe, and what becomes of the other end. close_from in run spares nothing, so
 * the pipe is opened in the child. */
static void broken_pipe(void *arg)
{
	int p[2];

	(void)arg;
	if (pipe(p))
		_exit(126);
	close(p[0]);
	dup2(p[1], 2);
	close(p[1]);
}

static void full_pipe(void *arg)
{
	static char bytes[4096];
	int p[2], flags;

	if (pipe(p))
		_exit(126);
	/* The reader never reads; it must be there, out of the way of the low numbers. */
	fcntl(p[0], F_DUPFD, 400);
	flags = fcntl(p[1], F_GETFL);
	fcntl(p[1], F_SETFL, flags | O_NONBLOCK);
	while (write(p[1], bytes, sizeof bytes) > 0)
		;
	while (write(p[1], bytes, 1) > 0)
		;
	if (!arg)
		fcntl(p[1], F_SETFL, flags);
	dup2(p[1], 2);
	close(p[0]);
	close(p[1]);
}

static void device_full(void *arg)
{
	int fd = open("/dev/full", O_WRONLY);

	(void)arg;
	dup2(fd, 2);
	close(fd);
}

static void read_only(void *arg)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)arg;
	dup2(fd, 2);
	close(fd);
}

/* SIGPIPE must not come from a line of ours; err(3) itself writes and may die of it, as bare. */
static void test_broken_pipe(void **state)
{
	(void)state;
	as_bare(broken_pipe, NULL, true, false);
}

/* Blocking writes of err(3) itself would hang bare as well: only victims that write nothing. */
static void quiet_as_bare(void (*prepare)(void *), void *arg)
{
	static const char *const quiet[] = {GLIBC("v_return"), GLIBC("v_exit"),	 GLIBC("v__exit"),
					    GLIBC("v_abort"),  MUSL("v_return"), MUSL("v__exit")};

	for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++) {
		const char *argv[] = {quiet[i], NULL};
		struct run r = {.argv = argv, .prepare = prepare, .arg = arg, .no_log = true};
		struct result shim;

		if (access(quiet[i], X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		result_free(&shim);
	}
}

static void test_full_pipe(void **state)
{
	(void)state;
	quiet_as_bare(full_pipe, NULL);
}

static void test_full_nonblocking_pipe(void **state)
{
	(void)state;
	quiet_as_bare(full_pipe, (void *)1);
}

static void test_device_full(void **state)
{
	(void)state;
	as_bare(device_full, NULL, true, false);
}

static void test_read_only_stderr(void **state)
{
	(void)state;
	as_bare(read_only, NULL, true, false);
}

/* SIGPIPE blocked and pending, ignored: the program finds it as it left it. */
static void block_pipe(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	broken_pipe(arg);
}

static void test_blocked_pipe(void **state)
{
	(void)state;
	as_bare(block_pipe, NULL, true, false);
}

/* Opens a terminal that stops whoever writes from the background, and runs the victim there. */
static int in_background(void)
{
	int master, slave, status;
	struct termios t;
	pid_t pid;

	if (setsid() < 0 || openpty(&master, &slave, NULL, NULL, NULL) ||
	    ioctl(slave, TIOCSCTTY, 0) || tcgetattr(slave, &t))
		return 10;
	t.c_lflag |= TOSTOP;
	if (tcsetattr(slave, TCSANOW, &t))
		return 11;
	pid = fork();
	if (!pid) {
		char *const argv[] = {(char *)(uintptr_t)GLIBC("v_exit"), NULL};
		char *envp[] = {(char *)(uintptr_t)("LD_PRELOAD=" SHIM), NULL};

		setpgid(0, 0);
		dup2(slave, 2);
		execve(argv[0], argv, envp);
		_exit(127);
	}
	/* Stopped or gone. */
	if (waitpid(pid, &status, WUNTRACED) != pid)
		return 12;
	if (WIFSTOPPED(status)) {
		kill(pid, SIGKILL);
		return 1;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 3 ? 0 : 13;
}

/* A program in the background that itself writes nothing must not be stopped by a line of ours. */
static void test_background(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(in_background());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

struct seccomp_case {
	const char *name, *victim, *arg, *more;
	bool told; /* the end is told, or that it will not be */
};

static const struct seccomp_case sandboxes[] = {
	{"strict", "v_seccomp_strict", NULL, NULL, true},
	{"strict _exit", "v_seccomp_strict", "e", NULL, true},
	{"filter _exit", "v_seccomp_filter", "_", NULL, true},
	{"filter exit", "v_seccomp_filter", "e", NULL, true},
	{"filter return", "v_seccomp_filter", "r", NULL, true},
	{"filter syscall", "v_seccomp_filter", "s", NULL, true},
	{"seccomp(2) _exit", "v_seccomp_filter", "_", "seccomp", true},
	{"seccomp(2) exit", "v_seccomp_filter", "e", "seccomp", true},
};

enum { SANDBOX_COUNT = sizeof sandboxes / sizeof *sandboxes };

static void test_seccomp(void **state)
{
	const struct seccomp_case *c = *state;

	for (int musl = 0; musl < 2; musl++) {
		char path[512];
		const char *argv[] = {path, c->arg, c->more, NULL};
		struct run r = {.argv = argv};
		struct result shim;

		snprintf(path, sizeof path, "%s/tests/%s/%s", BUILD, musl ? "musl" : "glibc",
			 c->victim);
		if (access(path, X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		if (c->told)
			check(count_records(&shim, "epitaph.end", shim.pid) +
					      count_records(&shim, "epitaph.silence", shim.pid) ==
				      1,
			      "%s", shim.log);
		result_free(&shim);
		r.no_log = true;
		run_both(&r, &shim, NULL);
		result_free(&shim);
	}
}

/* The alternate stack and the pending signals are the program's. */
static void test_kept_state(void **state)
{
	static const char *const modes[] = {"refused", "onstack", "pending"};
	static const char *const victims[] = {GLIBC("v_kept_state"), MUSL("v_kept_state")};

	(void)state;
	for (int i = 0; i < 6; i++) {
		const char *argv[] = {victims[i % 2], modes[i / 2], NULL};
		struct run r = {.argv = argv};
		struct result shim;

		if (access(argv[0], X_OK) != 0)
			continue;
		run_both(&r, &shim, NULL);
		result_free(&shim);
	}
}

static void small_stack(void *arg)
{
	struct rlimit limit = {(rlim_t)(uintptr_t)arg, (rlim_t)(uintptr_t)arg};

	setrlimit(RLIMIT_STACK, &limit);
}

/* The main thread's stack: the kernel gives at least what exec needs. */
static void test_small_main_stack(void **state)
{
	(void)state;
	as_bare(small_stack, (void *)(128 * 1024), false, false);
}

static void small_memory(void *arg)
{
	struct rlimit limit = {(rlim_t)(uintptr_t)arg, (rlim_t)(uintptr_t)arg};

	setrlimit(RLIMIT_AS, &limit);
}

/* Just enough for a bare libc program and some: no room to waste. */
static void test_small_memory(void **state)
{
	(void)state;
	as_bare(small_memory, (void *)(16 * 1024 * 1024), false, false);
}

/* Another user than the log's: after a setuid drop the descriptor still works. */
static void drop_user(void *arg)
{
	(void)arg;
	if (chmod(temp_dir(), 0777) || setgid(65534) || setuid(65534))
		_exit(126);
}

static void test_other_user(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip_because("only root can become another user");
	as_bare(drop_user, NULL, false, true);
	as_bare(drop_user, NULL, true, true);
}

/* argv[0] missing: Linux 5.18 and later give an empty string instead. */
static void test_no_arguments(void **state)
{
	static char *const none[] = {NULL};
	int status;

	(void)state;
	for (int bare = 0; bare < 2; bare++) {
		pid_t pid = fork();

		if (!pid) {
			char log[600];
			char *envp[] = {(char *)(uintptr_t)("LD_PRELOAD=" SHIM), log, NULL};
			char *empty[] = {NULL};

			snprintf(log, sizeof log, "EPITAPH_LOG=%s", temp_path("no-arguments"));
			execve(GLIBC("v_return"), none, bare ? empty : envp);
			_exit(127);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
}

/* A dynamically linked program without a libc: every import is null, the shim keeps quiet. */
static void test_no_libc(void **state)
{
	const char *argv[] = {GLIBC("v_nolibc"), NULL};
	struct run r = {.argv = argv};
	struct result shim;

	(void)state;
	if (access(argv[0], X_OK) != 0)
		skip_because("the libc-free victim is only for x86_64");
	run_both(&r, &shim, NULL);
	assert_string_equal(shim.out, "no libc\n");
	assert_int_equal(count_records(&shim, "epitaph.end", 0), 0);
	result_free(&shim);
	r.no_log = true;
	run_both(&r, &shim, NULL);
	assert_int_equal(shim.err_len, 0);
	result_free(&shim);
}

/* Loaded twice, by two names: still one record. */
static void test_loaded_twice(void **state)
{
	char both[1100];
	const char *copy = temp_path("copy.so");
	const char *argv[] = {GLIBC("v_exit"), NULL};
	struct run r = {.argv = argv};
	struct result shim;
	char command[1100];

	(void)state;
	snprintf(command, sizeof command, "ln -s %s %s", SHIM, copy);
	assert_int_equal(system(command), 0);
	snprintf(both, sizeof both, "LD_PRELOAD=%s:%s", SHIM, copy);
	r.env[0] = both;
	run_both(&r, &shim, NULL);
	assert_int_equal(count_records(&shim, "epitaph.end", 0), 1);
	result_free(&shim);
	/* A list with blanks, as people write it, and another object before it. */
	snprintf(both, sizeof both, "LD_PRELOAD=%s %s", GLIBC("libleaver.so"), SHIM);
	run_both(&r, &shim, NULL);
	assert_int_equal(count_records(&shim, "epitaph.end", 0), 1);
	result_free(&shim);
}

int main(void)
{
	static struct CMUnitTest tests[SANDBOX_COUNT + 24];
	int n = 0;

	for (int i = 0; i < SANDBOX_COUNT; i++)
		tests[n++] = table_test(sandboxes[i].name, test_seccomp, &sandboxes[i]);
#define ADD(f) tests[n++] = (struct CMUnitTest){.name = #f, .test_func = f}
	ADD(test_kept_state);
	ADD(test_closed_standard);
	ADD(test_closed_stderr_then_file);
	ADD(test_few_files);
	ADD(test_few_files_are_enough);
	ADD(test_no_proc);
	ADD(test_no_file_size);
	ADD(test_broken_pipe);
	ADD(test_full_pipe);
	ADD(test_full_nonblocking_pipe);
	ADD(test_device_full);
	ADD(test_read_only_stderr);
	ADD(test_blocked_pipe);
	ADD(test_background);
	ADD(test_small_main_stack);
	ADD(test_small_memory);
	ADD(test_other_user);
	ADD(test_no_arguments);
	ADD(test_no_libc);
	ADD(test_loaded_twice);
	return run_group("hostile", tests, (size_t)n);
}
