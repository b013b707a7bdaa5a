/* Puts its own file argv[1] on every open descriptor above 2 and goes on writing to it: the log
 * descriptor is now that file. SPDX-License-Identifier: MIT */
#include <fcntl.h>

#include "victim.h"

int main(int argc, char **argv)
{
	int fd;

	if (argc < 2)
		return 99;
	fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
	for (int i = 3; i < 1024; i++)
		if (i != fd && fcntl(i, F_GETFD) >= 0)
			dup2(fd, i);
	if (write(fd, "mine\n", 5) != 5)
		return 98;
	exit(5);
}
