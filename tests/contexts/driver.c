/* The program that calls a hook in a context; all is in libcontexts.so.
 * SPDX-License-Identifier: MIT */
#include "cases.h"

int main(int argc, char **argv)
{
	return contexts_main(argc, argv);
}
