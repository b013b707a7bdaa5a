/* Eight threads end the process at the same time: all call exit with 3 ("mixed": every other one
 * _exit), or all raise SIGTERM ("signal"). One end, one record.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "victim.h"

static pthread_barrier_t gate;
static bool signals;

static void *side(void *arg)
{
	pthread_barrier_wait(&gate);
	if (arg && signals)
		raise(SIGTERM);
	if (arg)
		_exit(3);
	exit(3);
}

int main(int argc, char **argv)
{
	pthread_t t;

	signals = argc > 1 && !strcmp(argv[1], "signal");
	pthread_barrier_init(&gate, NULL, 8);
	for (int i = 0; i < 7; i++)
		if (pthread_create(&t, NULL, side, signals || (argc > 1 && i % 2) ? argv : NULL))
			return 99;
	side(signals ? argv : NULL);
	return 98;
}
