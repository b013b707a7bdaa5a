/* error(3), which only glibc has. SPDX-License-Identifier: MIT */
#include <error.h>

#include "victim.h"

FRAME static void leave_here(void)
{
	error(6, 0, "cannot %s", "go on");
}

int main(void)
{
	leave_here();
	return 99;
}
