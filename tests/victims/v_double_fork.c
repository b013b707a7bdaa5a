/* Daemonises by hand: fork, setsid, fork, /dev/null on 0, 1 and 2; the daemon ends with 5.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>

#include "victim.h"

int main(void)
{
	int null;

	if (fork())
		_exit(0);
	if (setsid() < 0)
		_exit(99);
	if (fork())
		_exit(0);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	return 5;
}
