/* Bytes wait in stdout's buffer while a forked child ends by _exit: they must come out once.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/wait.h>

#include "victim.h"

int main(void)
{
	static char buffer[4096];
	pid_t pid;

	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	printf("once only\n");
	pid = fork();
	if (!pid)
		_exit(9);
	waitpid(pid, NULL, 0);
	return 4;
}
