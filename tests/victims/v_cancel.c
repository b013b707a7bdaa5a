/* Cancels a thread that is blocked in read; its cleanup handler runs; main returns 3.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "victim.h"

static int never[2], ready[2];

static void cleanup(void *arg)
{
	say(arg);
}

static void *blocked(void *arg)
{
	char c = 'r';

	pthread_cleanup_push(cleanup, arg);
	if (write(ready[1], &c, 1) == 1 && read(never[0], &c, 1) == 1)
		say("read\n");
	pthread_cleanup_pop(0);
	return NULL;
}

int main(void)
{
	static char word[] = "cleaned up\n";
	pthread_t t;
	void *result;
	char c;

	if (pipe(never) || pipe(ready) || pthread_create(&t, NULL, blocked, word))
		return 99;
	if (read(ready[0], &c, 1) != 1)
		return 98;
	pthread_cancel(t);
	pthread_join(t, &result);
	return result == PTHREAD_CANCELED ? 3 : 97;
}
