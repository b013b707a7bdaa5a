/*
 * stress N: N starts of mixed real programs under the shim, a few at a time. Each must end with the
 * wait status that it has bare, and leave exactly one end record where the shim sees its end.
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct program {
	int weight;
	bool told; /* writes an end record of its own pid */
	const char *argv[5];
	int status;
	long started;
};

#define T BUILD "/tests/"

static struct program programs[] = {
	{20, true, {"/bin/true"}, 0, 0},
	{20, true, {"/bin/false"}, 0, 0},
	{20, true, {"/bin/sh", "-c", "exit 3"}, 0, 0},
	{20, true, {"/bin/sh", "-c", "echo a b | tr ' ' '\\n' | sort >/dev/null; (exit 4)"}, 0, 0},
	{10, true, {"/bin/bash", "-c", "x=$(echo in); [ \"$x\" = in ] && exit 5"}, 0, 0},
	{10, true, {"/bin/ls", "/"}, 0, 0},
	{10, true, {"/bin/cat", "/etc/passwd"}, 0, 0},
	{10, true, {"/bin/sed", "q5", "/etc/passwd"}, 0, 0},
	{5, true, {"/usr/bin/perl", "-e", "exit 6"}, 0, 0},
	{3, true, {"/usr/bin/python3", "-c", "import sys; sys.exit(7)"}, 0, 0},
	{1, true, {"/usr/bin/node", "-e", "process.exit(8)"}, 0, 0},
	{3, true, {T "tokio-server", "exit"}, 0, 0},
	{10, true, {T "glibc/v_thread_exit"}, 0, 0},
	{10, true, {T "glibc/v_threads_race", "mixed"}, 0, 0},
	{10, true, {T "glibc/v_vfork_exec", T "glibc/v_return", "3"}, 0, 0},
	{10, true, {T "glibc/v_abort"}, 0, 0},
	{10, true, {T "glibc/v_err"}, 0, 0},
	{10, true, {T "glibc/v_last_thread"}, 0, 0},
	{5, true, {T "glibc/v_cxx_throw", "pthread_exit"}, 0, 0},
	{10, true, {T "musl/v_exit"}, 0, 0},
	{10, true, {T "musl/v_fork_exec", T "musl/v_return", "3"}, 0, 0},
	{5, false, {T "static/v_exit"}, 0, 0},
	{5, false, {T "glibc/v_nolibc"}, 0, 0},
};

enum { COUNT = sizeof programs / sizeof *programs, AT_A_TIME = 4 };

static char log_variable[200];

static pid_t start(const struct program *p, bool bare)
{
	char *const shim[] = {(char *)(size_t)("LD_PRELOAD=" BUILD "/libepitaph.so"),
			      (char *)(size_t) "EPITAPH_FORMAT=json",
			      (char *)(size_t) "PATH=/usr/bin:/bin", log_variable, NULL};
	char *const none[] = {(char *)(size_t) "PATH=/usr/bin:/bin", NULL};
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		execve(p->argv[0], (char *const *)(size_t)p->argv, bare ? none : shim);
		_exit(127);
	}
	return pid;
}

/* The log's end records of main processes: those whose parent is this program. */
static long count_ends(const char *path)
{
	FILE *f = fopen(path, "re");
	static char line[8192];
	char parent[60];
	long n = 0;

	snprintf(parent, sizeof parent, "\"process.parent_pid\":%d,", getpid());
	while (f && fgets(line, sizeof line, f))
		n += strstr(line, "\"event.name\":\"epitaph.end\"") && strstr(line, parent);
	if (f)
		fclose(f);
	return n;
}

static unsigned int seed;

/* Xorshift (Marsaglia 2003): the same choice from the same seed on every libc. */
static int below(int most)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return (int)(seed % (unsigned int)most);
}

static const struct program *pick(void)
{
	int total = 0, at;

	for (int i = 0; i < COUNT; i++)
		total += programs[i].weight;
	at = below(total);
	for (int i = 0; i < COUNT; i++)
		if ((at -= programs[i].weight) < 0)
			return &programs[i];
	return programs;
}

int main(int argc, char **argv)
{
	struct {
		pid_t pid;
		const struct program *program;
	} running[AT_A_TIME] = {{0, NULL}};
	long wanted = argc > 1 ? atol(argv[1]) : 10000, started = 0, done = 0, wrong = 0, told = 0,
	     ends;
	struct rlimit none = {0, 0};
	unsigned int chosen = argc > 2 ? (unsigned int)atoi(argv[2]) : (unsigned int)time(NULL);
	char path[150];

	setrlimit(RLIMIT_CORE, &none);
	seed = chosen | 1; /* zero would stay zero */
	snprintf(path, sizeof path, T "stress-%d.log", getpid());
	snprintf(log_variable, sizeof log_variable, "EPITAPH_LOG=%s", path);
	for (int i = 0; i < COUNT; i++) {
		if (access(programs[i].argv[0], X_OK) != 0) {
			printf("without %s: it is missing\n", programs[i].argv[0]);
			programs[i].weight = 0;
			continue;
		}
		waitpid(start(&programs[i], true), &programs[i].status, 0);
	}
	while (done < wanted) {
		int status;
		pid_t pid;

		for (int i = 0; i < AT_A_TIME && started < wanted; i++) {
			if (running[i].pid)
				continue;
			running[i].program = pick();
			running[i].pid = start(running[i].program, false);
			started++;
		}
		pid = waitpid(-1, &status, 0);
		for (int i = 0; i < AT_A_TIME; i++) {
			const struct program *p = running[i].program;

			if (running[i].pid != pid)
				continue;
			running[i].pid = 0;
			done++;
			told += p->told;
			if (status != p->status && wrong++ < 20)
				printf("%s %s: bare status %x, under the shim %x\n", p->argv[0],
				       p->argv[1] ? p->argv[1] : "", (unsigned int)p->status,
				       (unsigned int)status);
		}
	}
	ends = count_ends(path);
	printf("%ld starts (seed %u), %ld with another status than bare; %ld end records of %ld\n",
	       done, chosen, wrong, ends, told);
	if (!wrong && ends == told)
		unlink(path);
	else
		printf("the log is %s\n", path);
	/* For whoever adds up: a start is a check, and the sum of the records one more. */
	printf("%ld passed, %ld failed, 0 skipped\n", done - wrong + (ends == told),
	       wrong + (ends != told));
	return wrong || ends != told;
}
