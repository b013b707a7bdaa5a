/*
 * Signals that this process sends, to itself or to others: which, to whom, and who asked for it.
 *
 * Interposes: kill killpg raise tgkill pthread_kill sigqueue pthread_sigqueue pidfd_send_signal.
 * Runs in: any thread, signal handler, forked child, vfork child.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "dispositions.h"
#include "epitaph.h"
#include "flood.h"
#include "kills.h"
#include "names.h"
#include "next.h"
#include "procfs.h"
#include "record.h"
#include "scope.h"
#include "sys.h"

enum { SENT_KEPT = 16 };

/* The last ones sent: target above, signal in the low byte. */
static struct {
	unsigned int next;
	int64_t sent[SENT_KEPT];
} kept;

static void keep(int target, int sig)
{
	unsigned int i = __atomic_fetch_add(&kept.next, 1, __ATOMIC_RELAXED) % SENT_KEPT;

	__atomic_store_n(&kept.sent[i], (int64_t)target * 256 + sig, __ATOMIC_RELAXED);
}

bool kills_sent(int pid, int sig)
{
	for (int i = 0; i < SENT_KEPT; i++) {
		int64_t v = __atomic_load_n(&kept.sent[i], __ATOMIC_RELAXED) - sig;

		/* to the process, its group, our own group, everybody */
		if (v == (int64_t)pid * 256 || v == (int64_t)-pid * 256 || v == 0 || v == -256)
			return true;
	}
	return false;
}

/* Thread-directed signals that the program handles are how runtimes talk to their own threads. */
static bool within_itself(int sig)
{
	return sig > 0 && sig < 32 && !dispositions_defaulted(sig);
}

/* Written before the signal goes out, because it may be the last that this process does. The first
 * five of each signal are told. */
static void told(int sig, const char *call, int target, uintptr_t caller)
{
	struct record *r;
	char comm[32], path[40];

	if (sig > 0)
		keep(target, sig);
	if ((sig != SIGKILL && !dispositions_deadly(sig)) || !scope_reports(false) ||
	    !flood_allows(FLOOD_SENT, sig))
		return;
	r = record_begin(EVENT_KILL, SEVERITY_INFO);
	if (!r)
		return;
	text_str(&r->body, "sends ");
	text_str(&r->body, signal_name(sig));
	if (target == 0 || target == r->pid) {
		text_str(&r->body, target == 0 ? " to its own process group" : " to itself");
	} else if (target == -1) {
		text_str(&r->body, " to every process that it may signal");
	} else if (target < 0) {
		text_str(&r->body, " to process group ");
		text_dec(&r->body, -(int64_t)target);
	} else {
		text_str(&r->body, " to process ");
		text_dec(&r->body, target);
		procfs_path(path, sizeof path, target, "comm");
		long n = procfs_read(path, comm, sizeof comm);
		if (n > 1) {
			text_str(&r->body, " (");
			text_clean(&r->body, comm, (size_t)n - (comm[n - 1] == '\n'));
			text_char(&r->body, ')');
		}
	}
	text_str(&r->body, ": ");
	text_str(&r->body, call);
	text_str(&r->body, "() called by ");
	r->caller.pc = caller;
	places_find(&r->caller, 1, r->work, sizeof r->work);
	text_place(&r->body, &r->caller);
	record_integer(r, "epitaph.signal.number", sig);
	record_static(r, "epitaph.signal.name", signal_name(sig));
	record_integer(r, "epitaph.target.pid", target);
	record_caller(r, caller, NULL);
	record_write(r);
}

EPITAPH_EXPORT int kill(pid_t pid, int sig)
{
	if (ENTER(kill))
		told(sig, "kill", pid, CALLER());
	return NEXT(kill)(pid, sig);
}

EPITAPH_EXPORT int killpg(pid_t group, int sig)
{
	if (ENTER(killpg))
		told(sig, "killpg", group > 0 ? -group : 0, CALLER());
	return NEXT(killpg)(group, sig);
}

EPITAPH_EXPORT int raise(int sig)
{
	if (ENTER(raise))
		told(sig, "raise", sys_getpid(), CALLER());
	return NEXT(raise)(sig);
}

int tgkill(pid_t process_id, pid_t thread, int sig);

EPITAPH_EXPORT int tgkill(pid_t process_id, pid_t thread, int sig)
{
	if (ENTER(tgkill) && !within_itself(sig))
		told(sig, "tgkill", process_id, CALLER());
	return NEXT(tgkill)(process_id, thread, sig);
}

EPITAPH_EXPORT int pthread_kill(pthread_t thread, int sig)
{
	if (ENTER(pthread_kill) && !within_itself(sig))
		told(sig, "pthread_kill", sys_getpid(), CALLER());
	return NEXT(pthread_kill)(thread, sig);
}

EPITAPH_EXPORT int sigqueue(pid_t pid, int sig, const union sigval value)
{
	if (ENTER(sigqueue))
		told(sig, "sigqueue", pid, CALLER());
	return NEXT(sigqueue)(pid, sig, value);
}

int pthread_sigqueue(pthread_t thread, int sig, const union sigval value);

EPITAPH_EXPORT int pthread_sigqueue(pthread_t thread, int sig, const union sigval value)
{
	if (ENTER(pthread_sigqueue) && !within_itself(sig))
		told(sig, "pthread_sigqueue", sys_getpid(), CALLER());
	return NEXT(pthread_sigqueue)(thread, sig, value);
}

/* The process behind a pidfd, as /proc/self/fdinfo has it; 0 where that does not tell. */
static int pid_of(int pidfd)
{
	char path[40], leaf[24], info[256];
	struct text t = text_over(leaf, sizeof leaf);
	int pid = 0;

	text_str(&t, "fdinfo/");
	text_dec(&t, pidfd);
	procfs_path(path, sizeof path, 0, leaf);
	if (procfs_read(path, info, sizeof info) <= 0)
		return 0;
	for (const char *s = info; *s; s++)
		if ((s == info || s[-1] == '\n') && str_starts(s, "Pid:\t"))
			for (s += 5; *s >= '0' && *s <= '9'; s++)
				pid = pid * 10 + (*s - '0');
	return pid;
}

int pidfd_send_signal(int pidfd, int sig, siginfo_t *info, unsigned int flags);

EPITAPH_EXPORT int pidfd_send_signal(int pidfd, int sig, siginfo_t *info, unsigned int flags)
{
	if (ENTER(pidfd_send_signal))
		told(sig, "pidfd_send_signal", pid_of(pidfd), CALLER());
	return NEXT(pidfd_send_signal)(pidfd, sig, info, flags);
}
