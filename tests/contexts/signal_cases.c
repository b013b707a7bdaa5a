/* The cases of signals' hooks; what a case is says cases.h. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

/* The System V family is under test. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* What libcs know of the running thread is the parent's, in a vfork child. */
#define OF_THE_PARENT "the thread id that libc has cached is the parent's"

static volatile sig_atomic_t caught;

static void catch (int sig)
{
	caught = caught * 100 + sig;
}

static void catch_more(int sig, siginfo_t *info, void *context)
{
	say("info %d code %d self %d value %d context %d\n", info->si_signo, info->si_code,
	    info->si_pid == getpid(), info->si_code == SI_QUEUE ? info->si_value.sival_int : 0,
	    context != NULL);
	caught = caught * 100 + sig;
}

static const char *name_of(void (*handler)(int))
{
	return handler == SIG_DFL			     ? "default"
	       : handler == SIG_IGN			     ? "ignore"
	       : handler == SIG_ERR			     ? "error"
	       : handler == catch			     ? "catch"
	       : (uintptr_t)handler == (uintptr_t)catch_more ? "catch_more"
							     : "another";
}

static void show(const char *what, int sig)
{
	struct sigaction a;
	uint64_t mask;

	memset(&a, 0, sizeof a);
	int r = sigaction(sig, NULL, &a);
	memcpy(&mask, &a.sa_mask, sizeof mask);
	say("%s: %d errno %d %s flags %x mask %llx\n", what, r, r ? errno : 0,
	    name_of(a.sa_handler), (unsigned int)a.sa_flags, (unsigned long long)mask);
}

/* Sends a signal to this very thread, whatever libc believes its id to be. */
static void hit(int sig)
{
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), sig);
}

/* Every case begins with the signals that it uses unblocked, whatever its context blocks. */
static void open_mask(void)
{
	sigset_t none;

	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	caught = 0;
}

static void round_trip(int (*change)(int, const struct sigaction *, struct sigaction *))
{
	static const int flags[] = {0, (int)SA_RESTART, SA_NODEFER, (int)SA_RESETHAND,
				    SA_ONSTACK | SA_SIGINFO};
	struct sigaction a, old;

	int r;

	open_mask();
	for (int sig = 1; sig < 66; sig++)
		show("at first", sig);
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		memset(&a, 0, sizeof a);
		a.sa_flags = flags[i];
		if (flags[i] & SA_SIGINFO)
			a.sa_sigaction = catch_more;
		else
			a.sa_handler = catch;
		sigaddset(&a.sa_mask, SIGUSR1);
		memset(&old, 0, sizeof old);
		r = change(SIGTERM, &a, &old);
		say("set %d was %s flags %x\n", r, name_of(old.sa_handler),
		    (unsigned int)old.sa_flags);
		hit(SIGTERM);
		show("after", SIGTERM);
	}
	a.sa_handler = SIG_DFL;
	a.sa_flags = (int)SA_RESTART;
	say("default %d\n", change(SIGTERM, &a, &old));
	show("default", SIGTERM);
	r = change(SIGKILL, &a, NULL);
	say("kill %d errno %d\n", r, errno);
	r = change(0, &a, NULL);
	say("none %d errno %d\n", r, errno);
	r = change(100, &a, NULL);
	say("far %d errno %d\n", r, errno);
	say("caught %d\n", (int)caught);
}

CASE(sigaction)
{
	round_trip(sigaction);
}

#if defined(__GLIBC__)
int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);

CASE(__sigaction)
{
	round_trip(__sigaction);
}
#else
CASE_MISSING(__sigaction)
#endif

static void simple(void (*(*set)(int, void (*)(int)))(int))
{
	open_mask();
	say("was %s\n", name_of(set(SIGUSR1, catch)));
	show("set", SIGUSR1);
	hit(SIGUSR1);
	show("raised", SIGUSR1);
	say("was %s\n", name_of(set(SIGUSR1, SIG_IGN)));
	hit(SIGUSR1);
	say("was %s\n", name_of(set(SIGUSR1, SIG_DFL)));
	show("default", SIGUSR1);
	errno = 0;
	const char *was = name_of(set(SIGKILL, catch));
	say("kill %s errno %d\n", was, errno);
	was = name_of(set(99, catch));
	say("far %s errno %d\n", was, errno);
	say("caught %d\n", (int)caught);
}

CASE(signal)
{
	simple(signal);
}

#undef bsd_signal
void (*bsd_signal(int sig, void (*handler)(int)))(int);

CASE(bsd_signal)
{
	simple(bsd_signal);
}

void (*__sysv_signal(int sig, void (*handler)(int)))(int);

CASE(__sysv_signal)
{
	simple(__sysv_signal);
}

#if defined(__GLIBC__)
CASE(ssignal)
{
	simple(ssignal);
}

void (*sysv_signal(int sig, void (*handler)(int)))(int);

CASE(sysv_signal)
{
	simple(sysv_signal);
}
#else
CASE_MISSING(ssignal)
CASE_MISSING(sysv_signal)
#endif

CASE(sigset)
{
	simple(sigset);
	say("hold %d\n", sigset(SIGUSR1, SIG_HOLD) == SIG_DFL);
	say("held %d\n", sigset(SIGUSR1, SIG_HOLD) == SIG_HOLD);
	say("free %d\n", sigset(SIGUSR1, catch) == SIG_HOLD);
	show("set", SIGUSR1);
}

CASE(sigignore)
{
	open_mask();
	int r = sigignore(SIGTERM);
	show("ignored", SIGTERM);
	hit(SIGTERM);
	say("sigignore %d\n", r);
	r = sigignore(99);
	say("far %d errno %d\n", r, errno);
}

CASE(siginterrupt)
{
	open_mask();
	signal(SIGUSR2, catch);
	say("interrupt %d\n", siginterrupt(SIGUSR2, 1));
	show("interrupts", SIGUSR2);
	signal(SIGUSR2, catch);
	show("again", SIGUSR2);
	say("restart %d\n", siginterrupt(SIGUSR2, 0));
	show("restarts", SIGUSR2);
	int r = siginterrupt(99, 1);
	say("far %d errno %d\n", r, errno);
}

/* A child that waits to be killed, and what became of it. */
static pid_t waiting(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void fate(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	say("child signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

CASE(kill)
{
	pid_t pid = waiting();

	open_mask();
	say("kill %d\n", kill(pid, SIGTERM));
	fate(pid);
	signal(SIGHUP, catch);
	say("self %d\n", kill(getpid(), SIGHUP));
	say("zero %d\n", kill(getpid(), 0));
	int r = kill(getpid(), 999);
	say("far %d errno %d\n", r, errno);
	r = kill(0x7ffffff0, SIGTERM);
	say("nobody %d errno %d\n", r, errno);
}

CASE(killpg)
{
	pid_t pid = waiting();

	setpgid(pid, pid);
	say("killpg %d\n", killpg(pid, SIGINT));
	fate(pid);
	int r = killpg(0x7ffffff0, SIGTERM);
	say("nobody %d errno %d\n", r, errno);
}

CASE_BUT_VFORK(raise, OF_THE_PARENT)
{
	open_mask();
	signal(SIGTERM, catch);
	say("raise %d\n", raise(SIGTERM));
	int r = raise(999);
	say("far %d errno %d caught %d\n", r, errno, (int)caught);
}

#if defined(__GLIBC__)
int tgkill(pid_t process, pid_t thread, int sig);

CASE(tgkill)
{
	open_mask();
	signal(SIGTERM, catch);
	say("tgkill %d\n", tgkill(getpid(), (pid_t)syscall(SYS_gettid), SIGTERM));
	int r = tgkill(getpid(), 0x7ffffff0, SIGTERM);
	say("nobody %d errno %d caught %d\n", r, errno, (int)caught);
}
#else
CASE_MISSING(tgkill)
#endif

CASE_BUT_VFORK(pthread_kill, OF_THE_PARENT)
{
	open_mask();
	signal(SIGHUP, catch);
	say("pthread_kill %d\n", pthread_kill(pthread_self(), SIGHUP));
	say("far %d caught %d\n", pthread_kill(pthread_self(), 999), (int)caught);
}

static void catch_queued(void)
{
	struct sigaction a;

	open_mask();
	memset(&a, 0, sizeof a);
	a.sa_sigaction = catch_more;
	a.sa_flags = SA_SIGINFO;
	sigaction(SIGTERM, &a, NULL);
}

CASE(sigqueue)
{
	union sigval value = {.sival_int = 4711};

	catch_queued();
	int sent = sigqueue(getpid(), SIGTERM, value);
	while (!caught) /* another thread may get it */
		;
	say("sigqueue %d\n", sent);
	int r = sigqueue(0x7ffffff0, SIGTERM, value);
	say("nobody %d errno %d caught %d\n", r, errno, (int)caught);
}

#if defined(__GLIBC__)
int pthread_sigqueue(pthread_t thread, int sig, const union sigval value);

CASE_BUT_VFORK(pthread_sigqueue, OF_THE_PARENT)
{
	union sigval value = {.sival_int = 42};

	catch_queued();
	say("pthread_sigqueue %d\n", pthread_sigqueue(pthread_self(), SIGTERM, value));
	say("caught %d\n", (int)caught);
}
#else
CASE_MISSING(pthread_sigqueue)
#endif

#ifndef __GLIBC_PREREQ
#define __GLIBC_PREREQ(major, minor) 0
#endif
#if __GLIBC_PREREQ(2, 36)
int pidfd_send_signal(int pidfd, int sig, siginfo_t *info, unsigned int flags);

CASE(pidfd_send_signal)
{
	pid_t pid = waiting();
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	say("pidfd_send_signal %d\n", pidfd_send_signal(fd, SIGTERM, NULL, 0));
	fate(pid);
	close(fd);
	int r = pidfd_send_signal(-1, SIGTERM, NULL, 0);
	say("nobody %d errno %d\n", r, errno);
}
#else
CASE_MISSING(pidfd_send_signal)
#endif

static void pend(sigset_t *set, int sig)
{
	sigemptyset(set);
	sigaddset(set, sig);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	hit(sig);
}

CASE(sigwait)
{
	sigset_t set;
	int sig = 0;

	pend(&set, SIGTERM);
	int r = sigwait(&set, &sig);
	say("sigwait %d got %d\n", r, sig);
}

CASE(sigwaitinfo)
{
	sigset_t set;
	siginfo_t info;

	pend(&set, SIGHUP);
	int r = sigwaitinfo(&set, &info);
	say("sigwaitinfo %d signo %d self %d\n", r, info.si_signo, info.si_pid == getpid());
	pend(&set, SIGHUP);
	say("without %d\n", sigwaitinfo(&set, NULL));
}

CASE(sigtimedwait)
{
	struct timespec none = {0, 0};
	sigset_t set;
	siginfo_t info;

	pend(&set, SIGINT);
	int r = sigtimedwait(&set, &info, &none);
	say("sigtimedwait %d signo %d\n", r, info.si_signo);
	r = sigtimedwait(&set, &info, &none);
	say("nothing %d errno %d\n", r, errno);
}

CASE(sigaltstack)
{
	static char own[16384];
	stack_t s = {.ss_sp = own, .ss_size = sizeof own}, none = {.ss_flags = SS_DISABLE}, now;

	memset(&now, 0x55, sizeof now);
	int r = sigaltstack(NULL, &now);
	say("first %d %d size %zu sp %d\n", r, now.ss_flags, now.ss_size, now.ss_sp != NULL);
	r = sigaltstack(&s, &now);
	say("set %d %d size %zu\n", r, now.ss_flags, now.ss_size);
	r = sigaltstack(NULL, &now);
	say("now %d %d size %zu own %d\n", r, now.ss_flags, now.ss_size, now.ss_sp == own);
	r = sigaltstack(&none, NULL);
	say("none %d\n", r);
	r = sigaltstack(NULL, &now);
	say("last %d %d size %zu sp %d\n", r, now.ss_flags, now.ss_size, now.ss_sp != NULL);
	s.ss_size = 16;
	r = sigaltstack(&s, NULL);
	say("small %d errno %d\n", r, errno);
}

/* A timer of this process that comes soon, waited for as a blocked signal. */
static void await(int sig, const char *what)
{
	sigset_t set;
	int got = 0;

	sigemptyset(&set);
	sigaddset(&set, sig);
	say("%s %d", what, sigwait(&set, &got));
	say(" signal %d\n", got);
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

CASE(alarm)
{
	block(SIGALRM);
	say("alarm %u\n", alarm(100));
	say("again %u\n", alarm(1) > 0);
	await(SIGALRM, "alarm");
	say("off %u\n", alarm(0));
}

CASE(ualarm)
{
	block(SIGALRM);
	say("ualarm %d\n", (int)ualarm(1000, 0));
	await(SIGALRM, "ualarm");
}

CASE(setitimer)
{
	struct itimerval soon = {{0, 0}, {0, 1000}}, old = {{9, 9}, {9, 9}};

	block(SIGALRM);
	int r = setitimer(ITIMER_REAL, &soon, &old);
	say("setitimer %d %ld %ld\n", r, (long)old.it_value.tv_sec, (long)old.it_value.tv_usec);
	await(SIGALRM, "setitimer");
	r = setitimer(9, &soon, NULL);
	say("kind %d errno %d\n", r, errno);
	r = (int)syscall(SYS_setitimer, ITIMER_REAL, (void *)8, NULL);
	say("raw %d errno %d\n", r, errno);
}

CASE(timer_create)
{
	struct sigevent event;
	struct itimerspec soon = {{0, 0}, {0, 1000000}};
	timer_t timer;

	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGUSR2;
	block(SIGUSR2);
	block(SIGALRM);
	say("timer_create %d\n", timer_create(CLOCK_MONOTONIC, &event, &timer));
	say("settime %d\n", timer_settime(timer, 0, &soon, NULL));
	await(SIGUSR2, "timer");
	timer_delete(timer);
	say("default event %d\n", timer_create(CLOCK_MONOTONIC, NULL, &timer));
	say("settime %d\n", timer_settime(timer, 0, &soon, NULL));
	await(SIGALRM, "timer");
	timer_delete(timer);
	int r = timer_create(999, NULL, &timer);
	say("clock %d errno %d\n", r, errno);
}

CASE(signalfd)
{
	sigset_t set;
	int fd;

	block(SIGTERM);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	hit(SIGTERM);
	struct signalfd_siginfo info[2];
	int r = (int)read(fd, info, sizeof info);
	say("read %d signal %u code %d\n", r, info[0].ssi_signo, info[0].ssi_code);
	r = (int)read(fd, info, sizeof info);
	say("empty %d errno %d\n", r, errno);
	close(fd);
	r = signalfd(0, &set, 0);
	say("no signalfd %d errno %d\n", r, errno);
}
