/*
 * Nanoseconds of one handled signal: raise with a handler, on average.
 *   signal ROUNDS
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void handle(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 200000;
	struct timespec a, b;

	signal(SIGTERM, handle);
	for (int i = 0; i < 1000; i++)
		raise(SIGTERM);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long i = 0; i < rounds; i++)
		raise(SIGTERM);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.0f\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) /
				 (double)rounds);
	return 0;
}
