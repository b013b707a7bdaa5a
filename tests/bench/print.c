/*
 * Nanoseconds of a line printed to a pipe, on average. The program takes the lines out of the pipe
 * itself, now and then: a second process would be the larger part of what is measured.
 *   print printf|puts|putchar ROUNDS      the result goes to what was stdout
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINES = 1000 }; /* fit into the pipe */

static int by_printf(int i)
{
	return printf("line %d of %s\n", i, "some");
}

static int by_puts(int i)
{
	(void)i;
	return puts("a line of some words");
}

static int by_putchar(int i)
{
	(void)i;
	return putchar('.');
}

int main(int argc, char **argv)
{
	static char taken[1 << 16];
	const char *kind = argc > 1 ? argv[1] : "printf";
	long rounds = argc > 2 ? atol(argv[2]) : 200000;
	int (*print)(int) = strcmp(kind, "puts") == 0	   ? by_puts
			    : strcmp(kind, "putchar") == 0 ? by_putchar
							   : by_printf;
	int ends[2], result = dup(1);
	double ns = 0;

	if (pipe(ends) != 0 || dup2(ends[1], 1) < 0)
		return 1;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	for (long done = 0; done < rounds; done += LINES) {
		struct timespec a, b;

		clock_gettime(CLOCK_MONOTONIC, &a);
		for (int i = 0; i < LINES; i++)
			if (print(i) < 0)
				return 1;
		fflush(stdout);
		clock_gettime(CLOCK_MONOTONIC, &b);
		ns += (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
		while (read(ends[0], taken, sizeof taken) > 0)
			;
	}
	dprintf(result, "%.1f\n", ns / (double)rounds);
	return 0;
}
