/* A failed assertion. SPDX-License-Identifier: MIT */
#undef NDEBUG
#include <assert.h>

#include "victim.h"

FRAME static void leave_here(int n)
{
	assert(n == 2);
}

int main(int argc, char **argv)
{
	(void)argv;
	leave_here(argc);
	return 99;
}
