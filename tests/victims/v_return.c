/* main returns argv[1], or 7. SPDX-License-Identifier: MIT */
#include "victim.h"

int main(int argc, char **argv)
{
	(void)argc;
	return number(argv, 1, 7);
}
