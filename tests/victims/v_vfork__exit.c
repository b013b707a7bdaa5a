/* A vforked child calls _exit(9), then the parent exit(4). SPDX-License-Identifier: MIT */
#include <sys/wait.h>

#include "victim.h"

int main(void)
{
	int status;
	pid_t pid = vfork();

	if (!pid)
		_exit(9);
	waitpid(pid, &status, 0);
	say_number("child", WEXITSTATUS(status));
	exit(4);
}
