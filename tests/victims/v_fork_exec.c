/* A forked child execs argv[1] with the rest, the parent tells its status and returns 4.
 * SPDX-License-Identifier: MIT */
#include <sys/wait.h>

#include "victim.h"

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	(void)argc;
	pid = fork();
	if (!pid) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	say_number("child", WEXITSTATUS(status));
	return 4;
}
