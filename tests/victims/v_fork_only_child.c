/* The parent ends first, the forked child after it. SPDX-License-Identifier: MIT */
#include "victim.h"

int main(void)
{
	int gone[2];
	char c;

	if (pipe(gone))
		return 99;
	if (fork())
		return 4;
	close(gone[1]);
	if (read(gone[0], &c, 1) !=
	    0) /* until the parent is gone, and its end of the pipe with it */
		return 98;
	say("orphan\n");
	return 5;
}
