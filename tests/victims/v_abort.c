/* abort() from a function below main. SPDX-License-Identifier: MIT */
#include "victim.h"

FRAME static void leave_here(void)
{
	abort();
}

int main(void)
{
	leave_here();
	return 99;
}
