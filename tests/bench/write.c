/*
 * Nanoseconds of a write of one byte to /dev/null, on average, through a descriptor of choice.
 *   write FD ROUNDS      the result goes to what was stdout
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = argc > 1 ? atoi(argv[1]) : 1, result = dup(1), null = open("/dev/null", O_WRONLY);
	long rounds = argc > 2 ? atol(argv[2]) : 300000;
	struct timespec a, b;

	dup2(null, fd);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long i = 0; i < rounds; i++)
		if (write(fd, "x", 1) != 1)
			return 1;
	clock_gettime(CLOCK_MONOTONIC, &b);
	dprintf(result, "%.1f\n",
		((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) /
			(double)rounds);
	return 0;
}
