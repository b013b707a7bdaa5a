/*
 * Closes every descriptor from argv[2] on, by close_range or by a loop, then opens its own file
 * argv[1] under every number up to 1023 and writes to it; ends with 5. A log line in that file
 * would be a disaster. SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "victim.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

int main(int argc, char **argv)
{
	struct rlimit limit;
	int from, fd;

	if (argc < 4)
		return 99;
	from = atoi(argv[2]);
	getrlimit(RLIMIT_NOFILE, &limit);
	if (strcmp(argv[3], "range") || syscall(SYS_close_range, from, ~0u, 0))
		for (int i = from; i < 4096; i++)
			close(i);
	fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		return 98;
	for (int i = from; i < 1024; i++)
		if (i != fd)
			dup2(fd, i);
	for (int i = from; i < 1024; i++)
		if (write(i, "mine\n", 5) != 5)
			return 97;
	exit(5);
}
