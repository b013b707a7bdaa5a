/* An atexit handler forks a child that ends by itself. SPDX-License-Identifier: MIT */
#include <sys/wait.h>

#include "victim.h"

static void handler(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(9);
	waitpid(pid, &status, 0);
	say_number("child", WEXITSTATUS(status));
}

int main(void)
{
	atexit(handler);
	exit(3);
}
