/* err(3) from a function below main, with EACCES as errno. SPDX-License-Identifier: MIT */
#include <err.h>
#include <errno.h>

#include "victim.h"

FRAME static void leave_here(int code)
{
	errno = EACCES;
	err(code, "cannot %s %d", "open", 42);
}

int main(int argc, char **argv)
{
	(void)argc;
	leave_here(number(argv, 1, 5));
	return 99;
}
