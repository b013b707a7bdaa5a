/* What the cases exec: tells its arguments and one variable, ends with 42.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	const char *mark = getenv("MARK");

	printf("helper %d", argc);
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	printf(" MARK=%s\n", mark ? mark : "");
	return 42;
}
