/*
 * The funnel; the contract is in ending.h.
 *
 * Runs in: any thread, signal handler, vfork child; ending_watch at load.
 * SPDX-License-Identifier: MIT
 */
#include "ending.h"

#include <signal.h>
#include <sys/prctl.h>

#include "config.h"
#include "epitaph.h"
#include "failures.h"
#include "faults.h"
#include "modules.h"
#include "next.h"
#include "record.h"
#include "scope.h"
#include "sys.h"
#include "verdict.h"

/* [0]: the process that loaded the shim; [1]: a forked child of it. */
static struct {
	struct claim first, last;
	int writer_pid, writer_tid; /* who writes the record, or has written it */
	int finished;		    /* pid whose end record is out */
	int written_code;
} ends[2];

static bool watches_exit, constructed;

bool ending_watches_exit(void)
{
	return watches_exit;
}

static void fill(struct claim *c, enum cause cause, int code, const char *call, uintptr_t caller)
{
	c->cause = cause;
	c->code = code;
	c->call = call;
	c->caller = caller;
	c->thread[0] = c->thread[15] = '\0';
	if (c->tid != c->owner)
		SYS2(SYS_prctl, PR_GET_NAME, c->thread);
	c->when_ns = sys_clock_ns(CLOCK_BOOTTIME);
	if (cause == CAUSE_SIGNAL)
		return; /* its caller has more to fill in */
	c->trace.count = 0;
	c->trace.guessed = 64;
	c->trace.handler.function = 0;
	/* main's return has no stack left to tell of. */
	if (config.backtrace && cause != CAUSE_MAIN_RETURNED)
		unwind_here(&c->trace, config.backtrace);
	__atomic_store_n(&c->ready, 1, __ATOMIC_RELEASE);
}

static bool claim(struct claim *c, int pid, int tid)
{
	int owner = __atomic_load_n(&c->owner, __ATOMIC_RELAXED);

	if (owner == pid || !__atomic_compare_exchange_n(&c->owner, &owner, pid, false,
							 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&c->ready, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&c->tid, tid, __ATOMIC_RELAXED);
	return true;
}

/* Another thread is at it: gives it up to a second, because the end of this thread would be the end
 * of that one, too. Bounded, because that thread may be waiting for this one. */
static bool wait_for(const int *flag, int wanted)
{
	long ms[2] = {0, 1000000};

	for (int i = 0; i < 1000; i++) {
		if (__atomic_load_n(flag, __ATOMIC_ACQUIRE) == wanted)
			return true;
		SYS2(SYS_nanosleep, ms, 0);
	}
	return false;
}

/* Whether a claim is filled in, or will be in time. A signal handler that interrupted its own
 * thread in the midst of it need not wait. */
static bool filled(const struct claim *c, int tid)
{
	if (__atomic_load_n(&c->tid, __ATOMIC_RELAXED) == tid)
		return __atomic_load_n(&c->ready, __ATOMIC_ACQUIRE);
	return wait_for(&c->ready, 1);
}

/* Of the later claims the latest is kept. One that another thread is filling in is left to it, and
 * so is one that another thread may be reading for the record: two at once would be a mix. (Each
 * side says what it does before it looks at the other.) */
static bool claim_last(int i, int pid, int tid)
{
	struct claim *c = &ends[i].last;
	int ready = 1;

	if (claim(c, pid, tid))
		return true;
	if (!__atomic_compare_exchange_n(&c->ready, &ready, 0, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED))
		return false;
	if (__atomic_load_n(&ends[i].writer_pid, __ATOMIC_SEQ_CST) == pid &&
	    __atomic_load_n(&ends[i].writer_tid, __ATOMIC_RELAXED) != tid &&
	    __atomic_load_n(&ends[i].finished, __ATOMIC_ACQUIRE) != pid) {
		__atomic_store_n(&c->ready, 1, __ATOMIC_RELEASE);
		return false;
	}
	__atomic_store_n(&c->tid, tid, __ATOMIC_RELAXED);
	return true;
}

/* Another thread dies of a signal: its record comes, and then the end of us all. That it does not
 * (a debugger may take the signal away) is not waited for without end. */
static bool dies_elsewhere(int i, int pid, int tid)
{
	const struct claim *c[] = {&ends[i].first, &ends[i].last};
	long second[2] = {1, 0};

	for (int k = 0; k < 2; k++) {
		if (__atomic_load_n(&c[k]->owner, __ATOMIC_ACQUIRE) != pid || c[k]->tid == tid ||
		    !filled(c[k], tid) || c[k]->cause != CAUSE_SIGNAL)
			continue;
		wait_for(&ends[i].finished, pid);
		SYS2(SYS_nanosleep, second, 0);
		return true;
	}
	return false;
}

void ending_begin(enum cause cause, int code, const char *call, uintptr_t caller)
{
	int tid, pid = who_runs(&tid), i = pid != process.pid;

	if (!scope_reports(i))
		return;
	if (claim(&ends[i].first, pid, tid)) {
		if (!i)
			failures_freeze(pid);
		fill(&ends[i].first, cause, code, call, caller);
		return;
	}
	/* exit from an exit handler, _exit during exit, another thread's exit */
	if (claim_last(i, pid, tid))
		fill(&ends[i].last, cause, code, call, caller);
	/* libc's exit finds no handlers left and leaves, while the other thread runs ours. */
	if ((cause == CAUSE_EXIT || cause == CAUSE_MAIN_RETURNED || cause == CAUSE_LIBC_EXIT) &&
	    ends[i].first.tid != tid && filled(&ends[i].first, tid) &&
	    !wait_for(&ends[i].finished, pid))
		ending_commit(code);
}

/* Who decided the code, and what had been begun before it; NULL: nobody, as far as we can wait. */
static struct claim *decided(int i, int pid, int tid, struct claim **under_way)
{
	struct claim *first = &ends[i].first, *last = &ends[i].last;
	bool begun = filled(first, tid);

	*under_way = NULL;
	if (__atomic_load_n(&last->owner, __ATOMIC_ACQUIRE) == pid &&
	    __atomic_load_n(&last->ready, __ATOMIC_SEQ_CST)) {
		*under_way = begun ? first : NULL;
		return last;
	}
	return begun ? first : NULL;
}

static void commit(int pid, int tid, int code)
{
	int i = pid != process.pid, before;
	struct claim *c, *under_way;

	/* Nobody claimed it: libc itself did, and its caller is on the stack now. */
	if (claim(&ends[i].first, pid, tid))
		fill(&ends[i].first, CAUSE_LIBC_EXIT, code, NULL, 0);
	dies_elsewhere(i, pid, tid);
	if (!decided(i, pid, tid, &under_way))
		return;
	before = __atomic_load_n(&ends[i].writer_pid, __ATOMIC_RELAXED);
	if (before != pid && __atomic_compare_exchange_n(&ends[i].writer_pid, &before, pid, false,
							 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
		__atomic_store_n(&ends[i].writer_tid, tid, __ATOMIC_RELAXED);
		ends[i].written_code = code;
		c = decided(i, pid, tid, &under_way); /* from here on nobody changes it */
		if (c)
			verdict_write(c, under_way, code, i, false);
		__atomic_store_n(&ends[i].finished, pid, __ATOMIC_RELEASE);
		return;
	}
	/* A signal handler that ends the process in the midst of our writing: once more, whole. */
	if (__atomic_load_n(&ends[i].writer_tid, __ATOMIC_RELAXED) == tid &&
	    __atomic_load_n(&ends[i].finished, __ATOMIC_ACQUIRE) != pid) {
		c = decided(i, pid, tid, &under_way);
		if (c)
			verdict_write(c, under_way, code, i, false);
		return;
	}
	wait_for(&ends[i].finished, pid);
	c = decided(i, pid, tid, &under_way);
	if (c && under_way && (ends[i].written_code != code || under_way->cause == CAUSE_ABORT)) {
		ends[i].written_code = code;
		verdict_write(c, under_way, code, i, true);
	}
}

void ending_commit(int code)
{
	int tid, pid = who_runs(&tid);

	if (scope_reports(pid != process.pid))
		commit(pid, tid, code);
}

void ending_by_signal(const struct sender *s, const void *info, const void *context)
{
	const siginfo_t *si = info;
	int tid, pid = who_runs(&tid), i = pid != process.pid;
	struct claim *c = &ends[i].first;

	if (!scope_reports_death(i))
		return;
	if (!claim(c, pid, tid)) {
		if (dies_elsewhere(i, pid, tid) || ends[i].finished == pid || /* abort told it */
		    !claim_last(i, pid, tid))
			return;
		c = &ends[i].last;
	}
	fill(c, CAUSE_SIGNAL, 0, NULL, 0);
	c->sender = *s;
	c->own_write = s->code == SI_USER && faults_in_call(context);
	sender_look_up(&c->sender);
	c->stack_pointer = faults_stack_pointer(context);
	if (s->signal == SIGSYS)
		c->address = (uintptr_t)si->si_syscall;
	else if (s->signal == SIGPIPE)
		c->address = (uintptr_t)faults_first_argument(context);
	else if (s->signal == SIGSEGV && s->code == SI_KERNEL)
		c->address = 0; /* not told */
	else
		c->address = (uintptr_t)si->si_addr;
	c->no_room = faults_no_room(s->signal, s->code, context);
	c->trace.count = 0;
	c->trace.guessed = 64;
	c->trace.handler.function = 0;
	if (config.backtrace)
		unwind_context(&c->trace, config.backtrace, context);
	__atomic_store_n(&c->ready, 1, __ATOMIC_RELEASE);
	commit(pid, tid, 128 + s->signal);
}

void ending_now(enum cause cause, int code, const char *call, uintptr_t caller)
{
	ending_begin(cause, code, call, caller);
	ending_commit(code);
}

void ending_revoke(const char *call)
{
	int pid = sys_getpid(), i = pid != process.pid;
	struct record *r;

	if (ends[i].finished != pid)
		return;
	failures_freeze(0);
	ends[i].finished = ends[i].writer_pid = ends[i].first.owner = ends[i].last.owner = 0;
	r = record_begin(EVENT_END, SEVERITY_WARN);
	if (!r)
		return;
	text_str(&r->body, "has not ended after all: ");
	text_str(&r->body, call);
	text_str(&r->body, " failed");
	record_write(r);
}

/* A vfork child that calls exit has used up the list of handlers, which is its parent's, too: from
 * then on the parent's end is told when it is asked for. */
static void handler_ran(int pid)
{
	if (pid != process.pid)
		watches_exit = false;
}

/* glibc: on_exit handlers get the status. */
static void last_at_exit(int status, void *arg)
{
	(void)arg;
	if (!process.active) /* silenced: not one system call of ours */
		return;
	int tid, pid = who_runs(&tid);

	handler_ran(pid);
	if (scope_reports(pid != process.pid))
		commit(pid, tid, status);
}

void ending_constructed(void)
{
	constructed = true;
	if (process.active && process.libc == LIBC_MUSL)
		watches_exit = true;
}

/*
 * musl runs destructors behind all exit handlers, the first constructed object's last: the last
 * moment there is. It passes no status, so the code is the one that was asked for.
 */
__attribute__((destructor)) static void last_on_musl(void)
{
	if (!process.active || process.libc != LIBC_MUSL)
		return;
	int tid, pid = who_runs(&tid), i = pid != process.pid;
	const struct claim *c = ends[i].last.owner == pid ? &ends[i].last : &ends[i].first;

	handler_ran(pid);
	if (scope_reports(i))
		commit(pid, tid, c->owner == pid ? c->code : 0);
}

void ending_watch(void)
{
	int (*on_exit)(void (*)(int, void *), void *) = next_use(USE_on_exit);

	if (on_exit)
		watches_exit = on_exit(last_at_exit, NULL) == 0;
	else
		watches_exit = constructed && process.libc == LIBC_MUSL;
}
