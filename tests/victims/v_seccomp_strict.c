/* Strict seccomp, then the only end that it allows: the thread's own exit(2).
 * SPDX-License-Identifier: MIT */
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "victim.h"

int main(int argc, char **argv)
{
	int hard = argc > 1 && argv[1][0] == 'e';

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 99;
	say("strict\n");
	if (hard)
		_exit(3); /* exit_group: the kernel kills for that */
	syscall(SYS_exit, 3);
	return 98;
}
