/* exit(3), and an atexit handler calls _exit(9). SPDX-License-Identifier: MIT */
#include "victim.h"

static void handler(void)
{
	_exit(9);
}

int main(void)
{
	atexit(handler);
	exit(3);
}
