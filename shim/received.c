/*
 * Signals that reached the program; the contract is in received.h.
 *
 * Runs in: signal handlers of any thread.
 * SPDX-License-Identifier: MIT
 */
#include "received.h"

#include <signal.h>

#include "epitaph.h"
#include "flood.h"
#include "names.h"
#include "record.h"
#include "scope.h"
#include "sys.h"

#define BIT(sig) (1ull << ((sig)-1))

static struct {
	int count;	/* signals received */
	int of[32];	/* of each of them; the rest under 0 */
	int turn;	/* which of the two is the newer one; each is written by one thread */
	int writing[2]; /* 1 while its thread is at it */
	struct sender last[2];
} handled;

static void remember(const struct sender *s)
{
	const struct sender *before =
		&handled.last[__atomic_load_n(&handled.turn, __ATOMIC_ACQUIRE) & 1];

	/* Passed on to itself (Go, before it dies of it): who sent it first is what matters. */
	if (s->kind == SENDER_SELF && before->signal == s->signal && before->kind != SENDER_SELF)
		return;
	int i = !__atomic_load_n(&handled.turn, __ATOMIC_ACQUIRE), free = 0;

	/* Two threads at once: one of them is the last, and it does not matter which. */
	if (!__atomic_compare_exchange_n(&handled.writing[i], &free, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return;
	handled.last[i] = *s;
	__atomic_store_n(&handled.turn, i, __ATOMIC_RELEASE);
	__atomic_store_n(&handled.writing[i], 0, __ATOMIC_RELEASE);
}

int received_count(void)
{
	return __atomic_load_n(&handled.count, __ATOMIC_RELAXED);
}

int received_of(int sig)
{
	return __atomic_load_n(&handled.of[sig & 31], __ATOMIC_RELAXED);
}

bool received_last(struct sender *s)
{
	*s = handled.last[__atomic_load_n(&handled.turn, __ATOMIC_ACQUIRE) & 1];
	sender_settle(s);
	return s->signal != 0;
}

static void tell_received(struct sender *s, uintptr_t handler, const char *how)
{
	bool forked = in_forked_child();
	struct record *r = NULL;

	if (process.active && scope_reports(false))
		r = record_begin(EVENT_SIGNAL, SEVERITY_INFO);
	if (!r)
		return;
	text_str(&r->body, "received ");
	text_str(&r->body, signal_name(s->signal));
	text_char(&r->body, ' ');
	text_sender(&r->body, s);
	if (forked)
		text_str(&r->body,
			 ", in a forked child that has not executed a program of its own");
	text_str(&r->body, how);
	if (handler) {
		r->caller.pc = handler;
		places_find(&r->caller, 1, r->work, sizeof r->work);
		text_place(&r->body, &r->caller);
	}
	record_signal(r, s);
	record_static(r, "epitaph.signal.disposition", "handled");
	record_write(r);
}

/* What runtimes use inside themselves (garbage collectors, profilers), unless another process sends
 * it. */
static const uint64_t internal =
	BIT(SIGUSR1) | BIT(SIGUSR2) | BIT(SIGPWR) | BIT(SIGXCPU) | BIT(SIGCONT);

void received_handled(int sig, const void *info, uintptr_t handler, const char *how)
{
	struct sender s;

	if (!process.active)
		return;
	__atomic_fetch_add(&handled.count, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&handled.of[sig < 32 ? sig : 0], 1, __ATOMIC_RELAXED);
	sender_read(&s, sig, info);
	if ((internal & BIT(sig)) && s.kind != SENDER_OUTSIDE &&
	    (s.kind != SENDER_PROCESS || s.pid == process.pid))
		return;
	if (flood_allows(FLOOD_RECEIVED, sig)) {
		sender_look_up(&s);
		tell_received(&s, handler, how);
	}
	remember(&s);
}

void received_dropped(int sig, const void *info)
{
	struct sender s;
	struct record *r;

	if (!process.active || !scope_reports(false) || !flood_allows(FLOOD_RECEIVED, sig))
		return;
	sender_read(&s, sig, info);
	sender_look_up(&s);
	r = record_begin(EVENT_SIGNAL, SEVERITY_WARN);
	if (!r)
		return;
	text_str(&r->body, "received ");
	text_str(&r->body, signal_name(sig));
	text_char(&r->body, ' ');
	text_sender(&r->body, &s);
	text_str(&r->body,
		 ", which does nothing: the kernel ignores it for pid 1 without a handler");
	if (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT)
		text_str(&r->body, "; the engine's stop will wait for its grace period, then kill");
	record_signal(r, &s);
	record_static(r, "epitaph.signal.disposition", "ignored_by_pid1");
	record_write(r);
}
