/* Lists its open descriptors: number and close-on-exec flag; then the lowest free one.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>

#include "victim.h"

int main(void)
{
	for (int fd = 0; fd < 4096; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0)
			say_number(flags & FD_CLOEXEC ? "cloexec" : "open", fd);
	}
	say_number("next", open("/dev/null", O_RDONLY));
	return 0;
}
