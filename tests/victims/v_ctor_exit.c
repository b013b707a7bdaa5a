/* A constructor of the program calls exit(3) before main. SPDX-License-Identifier: MIT */
#include "victim.h"

__attribute__((constructor)) static void before_main(void)
{
	exit(3);
}

int main(void)
{
	return 99;
}
