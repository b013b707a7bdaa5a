/*
 * Signals that a program waits for instead of handling them: how MySQL, small inits and many
 * daemons receive.
 *
 * Interposes: sigwait sigwaitinfo sigtimedwait.
 * Runs in: any thread, forked child.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>

#include "dispositions.h"
#include "epitaph.h"
#include "next.h"

#define HOW "; the program waited for it"

/*
 * sigwait does not tell who sent the signal. Both libcs make it of sigwaitinfo, tried again after
 * EINTR (glibc nptl/sigwait.c, musl src/signal/sigwait.c); so do we, with the siginfo kept. It
 * returns the error and leaves errno as the call leaves it.
 */
EPITAPH_EXPORT int sigwait(const sigset_t *restrict set, int *restrict sig)
{
	int *(*location)(void) = next_use(USE_errno_location);
	siginfo_t info;
	int got;

	if (!ENTER(sigwait) || !NEXT(sigwaitinfo) || !location)
		return NEXT(sigwait)(set, sig);
	do {
		got = NEXT(sigwaitinfo)(set, &info);
	} while (got < 0 && *location() == EINTR);
	if (got < 0)
		return process.libc == LIBC_MUSL ? -1 : *location();
	*sig = got;
	dispositions_waited(got, &info, HOW);
	return 0;
}

EPITAPH_EXPORT int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict info)
{
	siginfo_t own;
	int sig;

	if (!ENTER(sigwaitinfo))
		return NEXT(sigwaitinfo)(set, info);
	sig = NEXT(sigwaitinfo)(set, info ? info : &own);
	if (sig > 0)
		dispositions_waited(sig, info ? info : &own, HOW);
	return sig;
}

EPITAPH_EXPORT int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info,
				const struct timespec *restrict timeout)
{
	siginfo_t own;
	int sig;

	if (!ENTER(sigtimedwait))
		return NEXT(sigtimedwait)(set, info, timeout);
	sig = NEXT(sigtimedwait)(set, info ? info : &own, timeout);
	if (sig > 0)
		dispositions_waited(sig, info ? info : &own, HOW);
	return sig;
}
