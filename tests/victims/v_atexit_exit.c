/* exit(3), and an atexit handler calls exit(4). SPDX-License-Identifier: MIT */
#include "victim.h"

static void handler(void)
{
	exit(4);
}

int main(void)
{
	atexit(handler);
	exit(3);
}
