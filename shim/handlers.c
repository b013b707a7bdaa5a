/*
 * Handlers on a stack; the contract is in handlers.h.
 *
 * Runs in: any thread, signal handler.
 * Sources: the kernel's arch/x86/kernel/signal_64.c and arch/arm64/kernel/signal.c
 * (copy_siginfo_to_user only with SA_SIGINFO).
 * SPDX-License-Identifier: MIT
 */
#include "handlers.h"

#include <signal.h>

#include "dispositions.h"
#include "names.h"
#include "sys.h"

#define BIT(sig) (1ull << ((sig)-1))

enum { SIGNALS_END = 65 };

/* Whether the words look like a siginfo of this signal. */
static bool is_siginfo(const siginfo_t *info, int sig)
{
	return info->si_signo == sig && info->si_errno == 0 && signal_code_name(sig, info->si_code);
}

/* A handler that was set with SA_RESETHAND, or that has reset itself: only the siginfo tells. */
static bool was_reset(const siginfo_t *info)
{
	int sig = info->si_signo;

	return sig > 0 && sig < SIGNALS_END && is_siginfo(info, sig) &&
	       dispositions_had_handler(sig) && dispositions_defaulted(sig);
}

bool handlers_running(const struct trace *t, int died_of, struct handling *h)
{
	const siginfo_t *info = (const void *)t->handler.siginfo;
	uint64_t blocked = 0;
	int known = 0, several = 0;

	*h = (struct handling){0};
	if (!t->handler.function)
		return false;
	/* A handler runs with its own signal blocked. */
	SYS4(SYS_rt_sigprocmask, SIG_BLOCK, 0, &blocked, SYS_SIGSET_BYTES);
	for (int sig = 1; sig < SIGNALS_END; sig++) {
		int flags;

		if (dispositions_handler(sig, &flags) != t->handler.function ||
		    !(died_of || (flags & SA_NODEFER) || (blocked & BIT(sig))))
			continue;
		if ((flags & SA_SIGINFO) && is_siginfo(info, sig)) {
			h->informed = true;
			known = sig;
			several = 0;
			break;
		}
		several += known != 0;
		known = sig;
	}
	if (!known && was_reset(info)) {
		h->informed = true;
		known = info->si_signo;
	}
	h->signal = several ? 0 : known;
	if (t->handler.below < t->count)
		h->site = t->pc[t->handler.below];
	if (h->informed) {
		sender_read(&h->sender, h->signal, info);
		sender_look_up(&h->sender);
		h->address = (uintptr_t)info->si_addr;
	}
	h->sender.signal = h->signal;
	return true;
}
