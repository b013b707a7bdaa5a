/*
 * Threads; the contract is in threads.h.
 *
 * Interposes: pthread_create.
 * Runs in: any thread. The kernel is asked behind each creation, which costs a tenth of it: threads
 * end unseen, so a count of our own would be wrong.
 * SPDX-License-Identifier: MIT
 */
#include "threads.h"

#include <errno.h>
#include <pthread.h>

#include "epitaph.h"
#include "next.h"
#include "procfs.h"
#include "scope.h"

static int most;

int threads_most(void)
{
	return __atomic_load_n(&most, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) void count(void)
{
	int now = procfs_threads(), before = threads_most();

	while (now > before && !__atomic_compare_exchange_n(&most, &before, now, true,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

EPITAPH_EXPORT int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr,
				  void *(*start)(void *), void *restrict arg)
{
	__typeof__(&pthread_create) next = NEXT(pthread_create);
	/* An old glibc without libpthread: nothing there but us. */
	int result = next ? next(thread, attr, start, arg) : EAGAIN;

	if (result == 0 && ENTER(pthread_create) && scope_reports(false))
		count();
	return result;
}
