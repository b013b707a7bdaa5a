/* execl with more arguments than registers, to count them in the new program (itself).
 * SPDX-License-Identifier: MIT */
#include "victim.h"

int main(int argc, char **argv)
{
	if (argc == 1) {
		char *env[] = {NULL};

		execle("/proc/self/exe", "x", "1", "2", "3", "4", "5", "6", "7", "8", "9",
		       (char *)NULL, env);
		return 99;
	}
	if (argc == 10) {
		for (int i = 1; i < argc; i++)
			say(argv[i]);
		say("\n");
		execl("/proc/self/exe", "x", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10",
		      (char *)NULL);
		return 98;
	}
	say_number("argc", argc);
	return argc;
}
