/* main leaves by pthread_exit, the other thread ends later: libc itself exits with 0.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "victim.h"

static pthread_t first;

static void *last(void *arg)
{
	/* Joining shows that the first thread is gone. */
	pthread_join(first, NULL);
	say("last thread\n");
	return arg;
}

int main(void)
{
	pthread_t t;

	first = pthread_self();
	if (pthread_create(&t, NULL, last, NULL))
		return 99;
	pthread_exit(NULL);
}
