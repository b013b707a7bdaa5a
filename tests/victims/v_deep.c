/* exit(3) from argv[1] frames down. SPDX-License-Identifier: MIT */
#include "victim.h"

FRAME static int deeper(int n)
{
	volatile int here = n;

	if (!n)
		exit(3);
	if (n < 0) /* gcc must not think that no call returns */
		return 0;
	return deeper(n - 1) + here;
}

int main(int argc, char **argv)
{
	(void)argc;
	return deeper(number(argv, 1, 40));
}
