/*
 * Measures what it costs to start a program and see it end, in several settings at once. Each round
 * runs every setting once, in a new random order, so that whatever else the machine does hits all
 * of them alike; a setting is compared with the bare run of the same round.
 *
 *   startup ROUNDS 'NAME|EVERY|VAR=VALUE ...|PROGRAM ARG ...'...
 *
 * The first setting is the bare one, the second the yardstick. EVERY n runs a slow setting in one
 * round of n.
 *
 * SPDX-License-Identifier: MIT
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SETTINGS = 16, MAX_WORDS = 16, WARM_UP = 30 };

struct setting {
	const char *name;
	long every;
	char *env[MAX_WORDS];
	char *argv[MAX_WORDS];
	double *took;	/* microseconds, one a run */
	double *added;	/* the same, less the bare run of that round */
	double *faults; /* page faults of the run: what most of the time goes into */
	size_t runs;
};

static posix_spawn_file_actions_t quiet;

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static uint64_t random_word(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15U; /* xorshift64: the same orders in every run */

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Splits at spaces, in place. */
static void split(char *text, char **words)
{
	size_t n = 0;
	char *save = NULL;

	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (n == MAX_WORDS - 1)
			errx(2, "more than %d words", MAX_WORDS - 1);
		words[n++] = w;
	}
	words[n] = NULL;
}

static void parse(char *text, struct setting *s, size_t rounds)
{
	char *every, *env, *argv;

	s->name = strsep(&text, "|");
	every = strsep(&text, "|");
	env = strsep(&text, "|");
	argv = text;
	if (!every || !env || !argv)
		errx(2, "a setting is NAME|EVERY|ENVIRONMENT|COMMAND");
	s->every = strtol(every, NULL, 10);
	split(env, s->env);
	split(argv, s->argv);
	if (s->every < 1 || !s->argv[0])
		errx(2, "%s: EVERY is at least 1, COMMAND at least a word", s->name);
	s->took = calloc(rounds, sizeof(*s->took));
	s->added = calloc(rounds, sizeof(*s->added));
	s->faults = calloc(rounds, sizeof(*s->faults));
	if (!s->took || !s->added || !s->faults)
		err(2, "calloc");
}

static double run(const struct setting *s, double *faults)
{
	double start = now_us();
	int status, error;
	struct rusage usage;
	pid_t pid;

	error = posix_spawn(&pid, s->argv[0], &quiet, NULL, s->argv, s->env);
	if (error)
		errx(2, "%s: %s: %s", s->name, s->argv[0], strerror(error));
	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			err(2, "wait4");
	start = now_us() - start;
	if (status != 0)
		errx(2, "%s: %s ended with wait status %#x", s->name, s->argv[0],
		     (unsigned int)status);
	*faults = (double)usage.ru_minflt;
	return start;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which `part` of the values lie. Sorts them. */
static double quantile(double *values, size_t n, double part)
{
	qsort(values, n, sizeof(*values), ascending);
	return values[(size_t)((double)(n - 1) * part)];
}

static void report(struct setting *s, size_t n)
{
	double yard = n > 1 ? quantile(s[1].added, s[1].runs, 0.5) : 0;

	printf("%-34s %7s %9s %9s %9s %10s %10s %8s\n", "", "runs", "median", "lower 1/4",
	       "upper 1/4", "added", "of", "page");
	printf("%-34s %7s %9s %9s %9s %10s %10s %8s\n", "", "", "us", "us", "us", "us", "yardstick",
	       "faults");
	for (size_t i = 0; i < n; i++) {
		double added = quantile(s[i].added, s[i].runs, 0.5);

		printf("%-34s %7zu %9.1f %9.1f %9.1f", s[i].name, s[i].runs,
		       quantile(s[i].took, s[i].runs, 0.5), quantile(s[i].took, s[i].runs, 0.25),
		       quantile(s[i].took, s[i].runs, 0.75));
		if (i > 0)
			printf(" %+10.1f %9.2fx", added, added / yard);
		else
			printf(" %10s %10s", "", "");
		printf(" %8.0f\n", quantile(s[i].faults, s[i].runs, 0.5));
	}
}

int main(int argc, char **argv)
{
	static struct setting settings[MAX_SETTINGS];
	size_t order[MAX_SETTINGS], n = argc > 2 ? (size_t)argc - 2 : 0;
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	cpu_set_t cpu;

	if (rounds < 1 || n < 1 || n > MAX_SETTINGS)
		errx(2, "usage: startup ROUNDS SETTING...");
	for (size_t i = 0; i < n; i++) {
		parse(argv[i + 2], &settings[i], (size_t)rounds);
		order[i] = i;
	}
	if (settings[0].every != 1)
		errx(2, "the bare setting runs in every round");
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);

	/* One processor for all: moving between two is the greatest noise. */
	CPU_ZERO(&cpu);
	CPU_SET((size_t)sched_getcpu(), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu) != 0)
		warn("sched_setaffinity");

	for (long round = -WARM_UP; round < rounds; round++) {
		double took[MAX_SETTINGS] = {0}, faults[MAX_SETTINGS] = {0};

		for (size_t i = n - 1; i > 0; i--) {
			size_t j = random_word() % (i + 1), swap = order[i];

			order[i] = order[j];
			order[j] = swap;
		}
		for (size_t i = 0; i < n; i++)
			if (round % settings[order[i]].every == 0)
				took[order[i]] = run(&settings[order[i]], &faults[order[i]]);
		for (size_t i = 0; i < n && round >= 0; i++) {
			struct setting *s = &settings[i];

			if (round % s->every != 0)
				continue;
			s->took[s->runs] = took[i];
			s->faults[s->runs] = faults[i];
			s->added[s->runs++] = took[i] - took[0];
		}
	}
	report(settings, n);
	return 0;
}
