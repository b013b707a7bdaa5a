/*
 * Threads change the dispositions of SIGTERM and SIGHUP while others send both, and queued
 * real-time signals beside them. Each handler checks that the mask which belongs to it is in force
 * and that its siginfo is right; every old disposition must be one that was set. Exit status 0: all
 * as it must be.
 *
 *   v_sigtorture SIGNALS
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int wrong, handled, queued, done;
static pthread_t receiver;

static void check_mask(int wanted)
{
	sigset_t now;

	pthread_sigmask(SIG_BLOCK, NULL, &now);
	if (sigismember(&now, SIGUSR1) != (wanted == SIGUSR1) ||
	    sigismember(&now, SIGUSR2) != (wanted == SIGUSR2))
		atomic_fetch_add(&wrong, 1);
	atomic_fetch_add(&handled, 1);
}

static void with_usr1(int sig)
{
	(void)sig;
	check_mask(SIGUSR1);
}

static void with_usr2(int sig, siginfo_t *info, void *context)
{
	if (info->si_signo != sig || info->si_pid != getpid() || !context)
		atomic_fetch_add(&wrong, 1);
	check_mask(SIGUSR2);
}

static void count(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_value.sival_int != 42)
		atomic_fetch_add(&wrong, 1);
	atomic_fetch_add(&queued, 1);
}

static void set(int sig, int kind, struct sigaction *old)
{
	struct sigaction a;

	memset(&a, 0, sizeof a);
	/* No nesting: the mask in force is the one handler's. */
	sigaddset(&a.sa_mask, SIGTERM);
	sigaddset(&a.sa_mask, SIGHUP);
	if (kind == 0) {
		a.sa_handler = with_usr1;
		a.sa_flags = (int)SA_RESTART;
		sigaddset(&a.sa_mask, SIGUSR1);
	} else if (kind == 1) {
		a.sa_sigaction = with_usr2;
		a.sa_flags = SA_SIGINFO | (int)SA_RESTART;
		sigaddset(&a.sa_mask, SIGUSR2);
	} else {
		a.sa_handler = SIG_IGN;
	}
	if (sigaction(sig, &a, old))
		atomic_fetch_add(&wrong, 1);
}

static void *change(void *arg)
{
	unsigned int x = (unsigned int)(size_t)arg;
	struct sigaction old;

	while (!atomic_load(&done)) {
		x = x * 1103515245 + 12345;
		set(x >> 16 & 1 ? SIGTERM : SIGHUP, (int)((x >> 17) % 3), &old);
		int flags = old.sa_flags & ~0x04000000;
		int right = old.sa_handler == SIG_IGN ? flags == 0
			    : old.sa_handler == with_usr1
				    ? flags == (int)SA_RESTART &&
					      sigismember(&old.sa_mask, SIGUSR1) == 1
				    : old.sa_sigaction == with_usr2 &&
					      flags == ((int)SA_RESTART | SA_SIGINFO) &&
					      sigismember(&old.sa_mask, SIGUSR2) == 1;
		if (!right)
			atomic_fetch_add(&wrong, 1);
	}
	return NULL;
}

static void *receive(void *arg)
{
	(void)arg;
	while (!atomic_load(&done))
		syscall(SYS_sched_yield);
	return NULL;
}

int main(int argc, char **argv)
{
	long signals = argc > 1 ? atol(argv[1]) : 100000, sent = 0;
	union sigval value = {.sival_int = 42};
	struct sigaction a;
	pthread_t changers[2];

	set(SIGTERM, 0, NULL);
	set(SIGHUP, 1, NULL);
	memset(&a, 0, sizeof a);
	a.sa_sigaction = count;
	a.sa_flags = SA_SIGINFO | (int)SA_RESTART;
	sigaction(SIGRTMIN + 1, &a, NULL);
	pthread_create(&receiver, NULL, receive, NULL);
	for (size_t i = 0; i < 2; i++)
		pthread_create(&changers[i], NULL, change, (void *)(i + 1));
	for (long i = 0; i < signals; i++) {
		pthread_kill(receiver, i & 1 ? SIGTERM : SIGHUP);
		pthread_kill(pthread_self(), i & 2 ? SIGTERM : SIGHUP);
		if (i % 8 == 0) {
			while (sigqueue(getpid(), SIGRTMIN + 1, value) && errno == EAGAIN)
				syscall(SYS_sched_yield);
			sent++;
		}
	}
	while (atomic_load(&queued) < sent)
		syscall(SYS_sched_yield);
	atomic_store(&done, 1);
	pthread_join(receiver, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(changers[i], NULL);
	if (atomic_load(&queued) != sent || atomic_load(&wrong) || !atomic_load(&handled))
		printf("queued %d of %ld, wrong %d, handled %d\n", atomic_load(&queued), sent,
		       atomic_load(&wrong), atomic_load(&handled));
	return atomic_load(&queued) != sent || atomic_load(&wrong) != 0;
}
