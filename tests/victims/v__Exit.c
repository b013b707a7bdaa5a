/* _Exit(argv[1], or 3) from a function below main. SPDX-License-Identifier: MIT */
#include "victim.h"

FRAME static void leave_here(int code)
{
	_Exit(code);
}

int main(int argc, char **argv)
{
	(void)argc;
	leave_here(number(argv, 1, 3));
	return 99;
}
