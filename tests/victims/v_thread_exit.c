/* A named side thread calls exit(3), or _exit(3) with an argument. SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sys/prctl.h>

#include "victim.h"

FRAME static void leave_here(int hard)
{
	if (hard)
		_exit(3);
	exit(3);
}

static void *side(void *arg)
{
	prctl(PR_SET_NAME, "worker-7");
	leave_here(arg != NULL);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;

	if (pthread_create(&t, NULL, side, argc > 1 ? argv : NULL))
		return 99;
	pthread_join(t, NULL);
	return 98;
}
