/*
 * Ends by signals, and signals that are handled; the first argument says which.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void ignore_it(int sig)
{
	(void)sig;
}

static void leave(int sig)
{
	(void)sig;
	exit(0); /* NOLINT(bugprone-signal-handler,cert-sig30-c): many servers do it */
}

/* As Go does: it sends what it got to itself again, and the second time dies of it. */
static void pass_on(int sig)
{
	static int times;

	if (times++)
		signal(sig, SIG_DFL);
	kill(getpid(), sig);
}

static __attribute__((noinline)) void fault(void)
{
	volatile int *volatile nowhere = (volatile int *)8;

	*nowhere = 1;
}

/* A child signals its parent, which waits for it. */
static void by_child(int sig)
{
	if (fork() == 0) {
		kill(getppid(), sig);
		_exit(0);
	}
	for (;;)
		pause();
}

static void *in_thread(void *sig)
{
	raise((int)(size_t)sig);
	return NULL;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	int sig = argc > 2 ? atoi(argv[2]) : SIGTERM, status;
	pthread_t thread;

	if (strcmp(how, "raise") == 0)
		raise(sig);
	if (strcmp(how, "kill") == 0)
		kill(getpid(), sig);
	if (strcmp(how, "thread") == 0 &&
	    pthread_create(&thread, NULL, in_thread, (void *)(size_t)sig) == 0)
		pthread_join(thread, NULL);
	if (strcmp(how, "child") == 0)
		by_child(sig);
	if (strcmp(how, "fault") == 0)
		fault();
	if (strcmp(how, "trap") == 0)
		__builtin_trap();
	if (strcmp(how, "assert") == 0)
		assert(argc == 0);
	if (strcmp(how, "pipe") == 0) {
		int p[2];

		if (pipe(p) || close(p[0]) || write(p[1], "x", 1) != 1)
			return 9;
	}
	if (strcmp(how, "timer") == 0) {
		struct itimerval soon = {{0, 0}, {0, 1000}};

		setitimer(ITIMER_REAL, &soon, NULL);
		for (;;)
			pause();
	}
	if (strcmp(how, "handled") == 0) {
		signal(SIGTERM, leave);
		by_child(SIGTERM);
	}
	if (strcmp(how, "winch") == 0) { /* what stops Apache in its image */
		signal(SIGWINCH, leave);
		by_child(SIGWINCH);
	}
	if (strcmp(how, "passed_on") == 0) {
		signal(SIGTERM, pass_on);
		by_child(SIGTERM);
	}
	if (strcmp(how, "flood") == 0) {
		signal(SIGTERM, ignore_it);
		for (int i = 0; i < 100000; i++)
			raise(SIGTERM);
		return 7;
	}
	if (strcmp(how, "once") == 0) {
		struct sigaction a;

		memset(&a, 0, sizeof a);
		a.sa_handler = ignore_it;
		a.sa_flags = (int)SA_RESETHAND;
		sigaction(SIGTERM, &a, NULL);
		raise(SIGTERM);
		raise(SIGTERM);
	}
	if (strcmp(how, "forked") == 0) { /* a child that never exec'd dies */
		if (fork() == 0) {
			raise(sig);
			_exit(1);
		}
		wait(&status);
		return WIFSIGNALED(status) ? WTERMSIG(status) : 1;
	}
	if (strcmp(how, "inherited") == 0) { /* the parent signals a child that has its handler */
		int p[2];
		char c;
		pid_t child;

		signal(SIGTERM, leave);
		if (pipe(p))
			return 9;
		child = fork();
		if (child == 0) {
			close(p[0]);
			close(p[1]);
			for (;;)
				pause();
		}
		close(p[1]);
		if (read(p[0], &c, 1) != 0) /* the child runs: its end of the pipe is closed */
			return 9;
		kill(child, SIGTERM);
		waitpid(child, &status, 0);
		return WIFEXITED(status) ? 5 : 6;
	}
	if (strcmp(how, "wait") == 0) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		if (fork() == 0) {
			kill(getppid(), SIGTERM);
			_exit(0);
		}
		sigwait(&set, &sig);
		return 3;
	}
	if (strcmp(how, "pid1") == 0) { /* as pid 1, without a handler: nothing happens */
		raise(SIGTERM);
		kill(getpid(), SIGUSR1);
		return 4;
	}
	return 0;
}
