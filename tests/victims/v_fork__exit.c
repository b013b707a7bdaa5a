/* A forked child ends by _exit with 9, the parent goes on and returns 4.
 * SPDX-License-Identifier: MIT */
#include <sys/wait.h>

#include "victim.h"

int main(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(9);
	waitpid(pid, &status, 0);
	say_number("child", WEXITSTATUS(status));
	return 4;
}
