/*
 * The family of sigaction. Each is libc's own, done with the virtual sigaction, so that all of them
 * agree.
 *
 * Interposes: sigaction __sigaction signal bsd_signal sysv_signal __sysv_signal ssignal sigset
 * sigignore siginterrupt.
 * Runs in: constructor, any thread, signal handler, forked child, vfork child.
 * Sources: glibc sysdeps/posix/signal.c, signal/sigset.c, sysdeps/posix/sysv_signal.c; musl
 * src/signal/. SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>

#include "config.h"
#include "dispositions.h"
#include "epitaph.h"
#include "flood.h"
#include "names.h"
#include "next.h"
#include "record.h"
#include "scope.h"
#include "sys.h"

/* The System V family is deprecated, which is no reason to leave its callers without us. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define BIT(sig) (1ull << ((sig)-1))

static bool virtual(void)
{
	epitaph_enter(HOOK_sigaction); /* loads the shim, where that has not happened */
	return dispositions_virtual();
}

/* EPITAPH_LEVEL=debug: which disposition, and who set it. */
static void tell(int sig, sighandler_t handler, uintptr_t caller)
{
	struct record *r;

	if (!ENTER(sigaction) || !scope_reports(in_forked_child()) ||
	    !flood_allows(FLOOD_HANDLER, sig))
		return;
	r = record_begin(EVENT_HANDLER, SEVERITY_DEBUG);
	if (!r)
		return;
	text_str(&r->body, handler == SIG_IGN	? "ignores "
			   : handler == SIG_DFL ? "leaves to its default action "
						: "handles ");
	if (signal_name(sig)) {
		text_str(&r->body, signal_name(sig));
		record_static(r, "epitaph.signal.name", signal_name(sig));
	} else {
		text_str(&r->body, "signal ");
		text_dec(&r->body, sig);
	}
	record_integer(r, "epitaph.signal.number", sig);
	record_static(r, "epitaph.signal.disposition",
		      handler == SIG_IGN   ? "ignored"
		      : handler == SIG_DFL ? "default"
					   : "handled");
	if (handler != SIG_IGN && handler != SIG_DFL) {
		text_str(&r->body, " at ");
		r->caller.pc = (uintptr_t)handler;
		places_find(&r->caller, 1, r->work, sizeof r->work);
		text_place(&r->body, &r->caller);
	}
	text_str(&r->body, ": set by ");
	r->caller.pc = caller;
	places_find(&r->caller, 1, r->work, sizeof r->work);
	text_place(&r->body, &r->caller);
	record_caller(r, caller, NULL);
	record_write(r);
}

EPITAPH_EXPORT int sigaction(int sig, const struct sigaction *restrict act,
			     struct sigaction *restrict old)
{
	int result = virtual() ? dispositions_change(NEXT(sigaction), sig, act, old)
			       : NEXT(sigaction)(sig, act, old);

	if (unlikely(config.level == LEVEL_DEBUG) && result == 0 && act)
		tell(sig, act->sa_handler, CALLER());
	return result;
}

sigaction_function epitaph_sigaction2 __asm__("__sigaction");

EPITAPH_EXPORT int epitaph_sigaction2(int sig, const struct sigaction *act, struct sigaction *old)
{
	sigaction_function *next = (sigaction_function *)next_get(HOOK___sigaction);

	if (!next)
		next = NEXT(sigaction);
	int result = virtual() ? dispositions_change(next, sig, act, old) : next(sig, act, old);

	if (unlikely(config.level == LEVEL_DEBUG) && result == 0 && act)
		tell(sig, act->sa_handler, CALLER());
	return result;
}

static void fail(int error)
{
	int *(*location)(void) = next_use(USE_errno_location);

	if (location)
		*location() = error;
}

/* siginterrupt(sig, 1), as signal(2) obeys it. */
static uint64_t interrupting;

static sighandler_t set_handler(int sig, sighandler_t handler, int flags, bool masks_itself,
				uintptr_t caller)
{
	struct sigaction act, old;

	if (sig < 1 || sig >= 65) {
		fail(EINVAL);
		return SIG_ERR;
	}
	__builtin_memset(&act, 0, sizeof act);
	act.sa_handler = handler;
	act.sa_flags = flags;
	if (masks_itself) {
		uint64_t itself = BIT(sig);

		__builtin_memcpy(&act.sa_mask, &itself, sizeof itself);
	}
	if (dispositions_change(NEXT(sigaction), sig, &act, &old) < 0)
		return SIG_ERR;
	if (unlikely(config.level == LEVEL_DEBUG))
		tell(sig, handler, caller);
	return old.sa_handler;
}

static sighandler_t bsd(int sig, sighandler_t handler, uintptr_t caller)
{
	bool glibc = process.libc == LIBC_GLIBC;
	int flags = sig > 0 && sig < 65 && (interrupting & BIT(sig)) ? 0 : (int)SA_RESTART;

	if (handler == SIG_ERR && glibc) { /* to musl, and to sigset, a handler like any other */
		fail(EINVAL);
		return SIG_ERR;
	}
	return set_handler(sig, handler, flags, glibc, caller);
}

EPITAPH_EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	return virtual() ? bsd(sig, handler, CALLER()) : NEXT(signal)(sig, handler);
}

typedef sighandler_t signal_function(int, sighandler_t);

signal_function epitaph_bsd_signal __asm__("bsd_signal");
signal_function epitaph_ssignal __asm__("ssignal");
signal_function epitaph_sysv_signal __asm__("sysv_signal");
signal_function epitaph_sysv_signal2 __asm__("__sysv_signal");

EPITAPH_EXPORT sighandler_t epitaph_bsd_signal(int sig, sighandler_t handler)
{
	return virtual() ? bsd(sig, handler, CALLER()) : NEXT(signal)(sig, handler);
}

EPITAPH_EXPORT sighandler_t epitaph_ssignal(int sig, sighandler_t handler)
{
	return virtual() ? bsd(sig, handler, CALLER()) : NEXT(signal)(sig, handler);
}

static sighandler_t sysv(signal_function *next, int sig, sighandler_t handler, uintptr_t caller)
{
	enum { SA_INTERRUPT_OLD = 0x20000000 }; /* a bit without meaning, which glibc sets */

	if (!virtual())
		return next(sig, handler);
	if (process.libc != LIBC_GLIBC) /* musl knows only one kind */
		return bsd(sig, handler, caller);
	if (handler == SIG_ERR) {
		fail(EINVAL);
		return SIG_ERR;
	}
	return set_handler(sig, handler, (int)SA_RESETHAND | SA_NODEFER | SA_INTERRUPT_OLD, false,
			   caller);
}

EPITAPH_EXPORT sighandler_t epitaph_sysv_signal(int sig, sighandler_t handler)
{
	return sysv((signal_function *)next_get(HOOK_sysv_signal), sig, handler, CALLER());
}

EPITAPH_EXPORT sighandler_t epitaph_sysv_signal2(int sig, sighandler_t handler)
{
	return sysv((signal_function *)next_get(HOOK___sysv_signal), sig, handler, CALLER());
}

EPITAPH_EXPORT sighandler_t sigset(int sig, sighandler_t disposition)
{
	struct sigaction old;
	uint64_t mask = 0, before = 0;
	sighandler_t was;

	if (!virtual())
		return NEXT(sigset)(sig, disposition);
	if (sig < 1 || sig >= 65) {
		fail(EINVAL);
		return SIG_ERR;
	}
	mask = BIT(sig);
	if (disposition == SIG_HOLD) {
		if (dispositions_change(NEXT(sigaction), sig, NULL, &old) < 0)
			return SIG_ERR;
		was = old.sa_handler;
		SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &before, SYS_SIGSET_BYTES);
	} else {
		was = set_handler(sig, disposition, 0, false, CALLER());
		if (was == SIG_ERR)
			return SIG_ERR;
		SYS4(SYS_rt_sigprocmask, SIG_UNBLOCK, &mask, &before, SYS_SIGSET_BYTES);
	}
	return before & mask ? SIG_HOLD : was;
}

EPITAPH_EXPORT int sigignore(int sig)
{
	/* Ignoring needs no entry point, and what was there before is not asked for. */
	return NEXT(sigignore)(sig);
}

EPITAPH_EXPORT int siginterrupt(int sig, int flag)
{
	struct sigaction act;

	if (!virtual())
		return NEXT(siginterrupt)(sig, flag);
	if (dispositions_change(NEXT(sigaction), sig, NULL, &act) < 0)
		return -1;
	if (flag)
		act.sa_flags &= ~(int)SA_RESTART;
	else
		act.sa_flags |= (int)SA_RESTART;
	if (process.libc == LIBC_GLIBC && sig > 0 && sig < 65) {
		if (flag)
			__atomic_fetch_or(&interrupting, BIT(sig), __ATOMIC_RELAXED);
		else
			__atomic_fetch_and(&interrupting, ~BIT(sig), __ATOMIC_RELAXED);
	}
	return dispositions_change(NEXT(sigaction), sig, &act, NULL);
}
