/* Handlers of every kind tell in which order they ran.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "victim.h"

static void first(void)
{
	say("first registered\n");
}

static void second(void)
{
	say("second registered\n");
	printf("from a handler\n");
	fflush(stdout); /* which may have no buffer: its place is told apart elsewhere */
}

static void quick(void)
{
	say("quick\n");
}

__attribute__((destructor)) static void destructor(void)
{
	say("destructor\n");
}

int main(int argc, char **argv)
{
	(void)argv;
	atexit(first);
	atexit(second);
	at_quick_exit(quick);
	if (argc > 1)
		quick_exit(8);
	exit(2);
}
