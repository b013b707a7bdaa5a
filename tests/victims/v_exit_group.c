/* syscall(SYS_exit_group, argv[1], or 3). SPDX-License-Identifier: MIT */
#include <sys/syscall.h>

#include "victim.h"

FRAME static void leave_here(int code)
{
	syscall(SYS_exit_group, code);
	say("still here\n"); /* no tail call: the frame stays */
}

int main(int argc, char **argv)
{
	(void)argc;
	leave_here(number(argv, 1, 3));
	return 99;
}
