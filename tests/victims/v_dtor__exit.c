/* main returns 3, a destructor calls _exit(9). SPDX-License-Identifier: MIT */
#include "victim.h"

__attribute__((destructor)) static void after_main(void)
{
	_exit(9);
}

int main(void)
{
	return 3;
}
