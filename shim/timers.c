/*
 * Timers that end in a signal; the contract is in timers.h.
 *
 * Interposes: alarm ualarm setitimer timer_create.
 * Runs in: any thread, signal handler, forked child, vfork child.
 * Sources: man 2 setitimer (which signal), man 2 timer_create (SIGALRM without a sigevent).
 * SPDX-License-Identifier: MIT
 */
#include "timers.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "epitaph.h"
#include "next.h"
#include "sys.h"

enum { SIGNALS = 65, CALLS = 4 };

static const char calls[CALLS][16] = {"", "alarm", "setitimer", "timer_create"};
enum { BY_ALARM = 1, BY_SETITIMER, BY_TIMER_CREATE };

/* The last one of each signal. Two threads that arm at once: one of them is the last. */
static struct {
	int call;
	uintptr_t caller;
	int64_t when_ns;
} last[SIGNALS] EPITAPH_COLD;

static void armed(int sig, int call, uintptr_t caller)
{
	/* A vfork child's timers are its own; its memory is its parent's. */
	if (sig <= 0 || sig >= SIGNALS || in_forked_child())
		return;
	last[sig].caller = caller;
	last[sig].when_ns = sys_clock_ns(CLOCK_BOOTTIME);
	__atomic_store_n(&last[sig].call, call, __ATOMIC_RELEASE);
}

bool timers_armed(int sig, struct armed *a)
{
	int call =
		sig > 0 && sig < SIGNALS ? __atomic_load_n(&last[sig].call, __ATOMIC_ACQUIRE) : 0;

	if (!call)
		return false;
	*a = (struct armed){calls[call], last[sig].caller, last[sig].when_ns};
	return true;
}

EPITAPH_EXPORT unsigned int alarm(unsigned int seconds)
{
	if (seconds && ENTER(alarm))
		armed(SIGALRM, BY_ALARM, CALLER());
	return NEXT(alarm)(seconds);
}

EPITAPH_EXPORT useconds_t ualarm(useconds_t value, useconds_t interval)
{
	if (value && ENTER(ualarm))
		armed(SIGALRM, BY_ALARM, CALLER());
	return NEXT(ualarm)(value, interval);
}

typedef int setitimer_function(int, const struct itimerval *, struct itimerval *);

setitimer_function epitaph_setitimer __asm__("setitimer");

/* glibc declares the first parameter as an enum in C. A value that cannot be read is the kernel's
 * to refuse, so only the result tells whether to look at it. */
EPITAPH_EXPORT int epitaph_setitimer(int which, const struct itimerval *value,
				     struct itimerval *old)
{
	static const char signals[] = {SIGALRM, SIGVTALRM, SIGPROF};
	bool known = ENTER(setitimer) && value && which >= 0 && which < 3;

	/* Before the call: the signal may come at once. */
	if (known && sys_readable(value, sizeof *value) &&
	    (value->it_value.tv_sec || value->it_value.tv_usec))
		armed(signals[which], BY_SETITIMER, CALLER());
	return ((setitimer_function *)next_get(HOOK_setitimer))(which, value, old);
}

EPITAPH_EXPORT int timer_create(clockid_t clock, struct sigevent *restrict event,
				timer_t *restrict timer)
{
	int result = NEXT(timer_create)(clock, event, timer);

	if (result == 0 && ENTER(timer_create) && (!event || event->sigev_notify == SIGEV_SIGNAL))
		armed(event ? event->sigev_signo : SIGALRM, BY_TIMER_CREATE, CALLER());
	return result;
}
