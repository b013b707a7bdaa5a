/* Eight threads call exit at the same time, all with 3: one end, one record.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "victim.h"

static pthread_barrier_t gate;

static void *side(void *arg)
{
	pthread_barrier_wait(&gate);
	if (arg)
		_exit(3);
	exit(3);
}

int main(int argc, char **argv)
{
	pthread_t t;

	pthread_barrier_init(&gate, NULL, 8);
	for (int i = 0; i < 7; i++)
		if (pthread_create(&t, NULL, side, argc > 1 && i % 2 ? argv : NULL))
			return 99;
	side(NULL);
	return 98;
}
