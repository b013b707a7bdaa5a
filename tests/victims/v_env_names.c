/* Prints the names in its environment, one a line. SPDX-License-Identifier: MIT */
#include <string.h>

#include "victim.h"

extern char **environ;

int main(void)
{
	for (char **e = environ; *e; e++) {
		e[0][strcspn(*e, "=")] = '\0';
		say(*e);
		say("\n");
	}
	return 0;
}
