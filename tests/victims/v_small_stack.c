/* A thread with the smallest stack there is calls exit(3), or abort with an argument.
 * SPDX-License-Identifier: MIT */
#include <limits.h>
#include <pthread.h>

#include "victim.h"

FRAME static void exit_here(void)
{
	exit(3);
}

FRAME static void abort_here(void)
{
	abort();
}

static void *side(void *arg)
{
	if (arg)
		abort_here();
	exit_here();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	if (pthread_attr_setstacksize(&attr, (size_t)PTHREAD_STACK_MIN) ||
	    pthread_create(&t, &attr, side, argc > 1 ? argv : NULL))
		return 99;
	pthread_join(t, NULL);
	return 98;
}
