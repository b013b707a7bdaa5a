/* Forks argv[1] children one after another, each ends by _exit(3); returns 4: many end records.
 * SPDX-License-Identifier: MIT */
#include <sys/wait.h>

#include "victim.h"

int main(int argc, char **argv)
{
	int n = number(argv, 1, 1000);

	(void)argc;
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(3);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			return 99;
	}
	return 4;
}
