/* daemon(3), then the child appends a line to argv[1] and ends with 5. SPDX-License-Identifier: MIT
 */
#include <fcntl.h>

#include "victim.h"

int main(int argc, char **argv)
{
	if (argc > 1 && daemon(0, 0) == 0) {
		int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);

		if (fd >= 0 && write(fd, "daemon\n", 7) == 7)
			return 5;
	}
	return 99;
}
