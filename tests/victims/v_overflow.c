/* Recursion until the stack is gone: SIGSEGV, as bare. SPDX-License-Identifier: MIT */
#include "victim.h"

FRAME static int deeper(int n)
{
	volatile char page[4096];

	page[0] = (char)n;
	if (n < 0) /* never: gcc warns of a recursion without an end */
		return 0;
	return deeper(n + 1) + page[0];
}

int main(int argc, char **argv)
{
	(void)argv;
	return deeper(argc);
}
