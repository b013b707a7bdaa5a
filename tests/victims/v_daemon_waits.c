/* Becomes a daemon (by hand, or by daemon(3) with argv[2]) and then waits for the end of descriptor
 * argv[1]; ends with 5. SPDX-License-Identifier: MIT */
#include <fcntl.h>

#include "victim.h"

int main(int argc, char **argv)
{
	int gate = number(argv, 1, 3), null;
	char c;

	if (argc > 2) {
		if (daemon(0, 0))
			return 99;
	} else {
		if (fork())
			_exit(0);
		setsid();
		null = open("/dev/null", O_RDWR);
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
	}
	return read(gate, &c, 1) == 0 ? 5 : 98;
}
