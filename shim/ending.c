/*
 * The funnel; the contract is in ending.h.
 *
 * Runs in: any thread, signal handler, vfork child; ending_watch at load.
 * SPDX-License-Identifier: MIT
 */
#include "ending.h"

#include <sys/prctl.h>

#include "config.h"
#include "epitaph.h"
#include "execs.h"
#include "modules.h"
#include "next.h"
#include "record.h"
#include "scope.h"
#include "sys.h"
#include "unwind.h"

struct claim {
	int owner; /* pid whose claim this is; 0: nobody's */
	int ready; /* the rest is filled in */
	enum cause cause;
	int code; /* as given: exit(-1) is -1 */
	const char *call;
	uintptr_t caller;
	int tid;
	char thread[16];
	int64_t when_ns;
	struct trace trace;
};

/* [0]: the process that loaded the shim; [1]: a forked child of it. */
static struct {
	struct claim first, last;
	int writer_pid, writer_tid; /* who writes the record, or has written it */
	int finished;               /* pid whose end record is out */
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
	c->tid = sys_gettid();
	c->thread[0] = c->thread[15] = '\0';
	if (c->tid != c->owner)
		SYS2(SYS_prctl, PR_GET_NAME, c->thread);
	c->when_ns = sys_clock_ns(CLOCK_BOOTTIME);
	c->trace.count = 0;
	c->trace.guessed = 64;
	/* main's return has no stack left to tell of. */
	if (config.backtrace && cause != CAUSE_MAIN_RETURNED)
		unwind_here(&c->trace, config.backtrace);
	__atomic_store_n(&c->ready, 1, __ATOMIC_RELEASE);
}

static bool claim(struct claim *c, int pid)
{
	int owner = __atomic_load_n(&c->owner, __ATOMIC_RELAXED);

	if (owner == pid ||
	    !__atomic_compare_exchange_n(&c->owner, &owner, pid, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&c->ready, 0, __ATOMIC_RELAXED);
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

void ending_begin(enum cause cause, int code, const char *call, uintptr_t caller)
{
	int pid = sys_getpid(), i = pid != process.pid;

	if (!scope_reports(i))
		return;
	if (claim(&ends[i].first, pid)) {
		fill(&ends[i].first, cause, code, call, caller);
		return;
	}
	/* exit from an exit handler, _exit during exit, another thread's exit: the latest is kept. A
	 * thread that finds another one filling it in leaves it. */
	int owner = pid;
	__atomic_compare_exchange_n(&ends[i].last.owner, &owner, 0, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_RELAXED);
	if (claim(&ends[i].last, pid))
		fill(&ends[i].last, cause, code, call, caller);
	/* libc's exit finds no handlers left and leaves, while the other thread runs ours. */
	if ((cause == CAUSE_EXIT || cause == CAUSE_MAIN_RETURNED || cause == CAUSE_LIBC_EXIT) &&
	    wait_for(&ends[i].first.ready, 1) && ends[i].first.tid != sys_gettid() &&
	    !wait_for(&ends[i].finished, pid))
		ending_commit(code);
}

static const char *const cause_names[] = {"main_returned", "exit",      "_exit",
					  "quick_exit",    "libc_exit", "abort"};

/* "exit(3) called by server+0x12 (main+0x4), in thread worker[12]" */
static void describe(struct record *r, const struct claim *c)
{
	struct text *t = &r->body;

	if (c->cause == CAUSE_MAIN_RETURNED) {
		text_str(t, "main() returned ");
		text_dec(t, c->code);
		return;
	}
	text_str(t, c->call);
	if (str_eq(c->call, "daemon") || c->cause == CAUSE_ABORT) {
		text_str(t, "()");
	} else if (!str_starts(c->call, "syscall")) {
		text_char(t, '(');
		text_dec(t, c->code);
		text_char(t, ')');
	}
	if (c->caller) {
		text_str(t, " called by ");
		r->caller.pc = c->caller;
		places_find(&r->caller, 1, r->work, sizeof r->work);
		text_place(t, &r->caller);
	}
	if (c->tid != r->pid) {
		text_str(t, ", in thread ");
		text_clean(t, c->thread, str_len(c->thread));
		text_char(t, '[');
		text_dec(t, c->tid);
		text_char(t, ']');
	}
}

/* An end that no hook saw. The stack tells for whom libc called exit inside itself, or that the
 * program reached libc's exit past our hook (its own dlsym; EPITAPH_IGNORE). */
static enum cause describe_inside(struct record *r, const struct claim *c)
{
	const struct link_map *libc = module_at((uintptr_t)next_get(HOOK_exit), true);
	/* Frames that were guessed prove nothing. */
	int n = c->trace.count < c->trace.guessed ? c->trace.count : c->trace.guessed, user = 0;

	for (int i = 0; i < n; i++)
		r->places[i].pc = c->trace.pc[i];
	places_find(r->places, n, r->work, sizeof r->work);
	while (user < n && r->places[user].map == libc)
		user++;
	if (user && user < n) {
		const struct place *inside = &r->places[user - 1];

		if (inside->exact && str_eq(inside->symbol, "exit")) {
			text_str(&r->body, "exit(");
			text_dec(&r->body, c->code);
			text_str(&r->body, ") called by ");
			text_place(&r->body, &r->places[user]);
			return CAUSE_EXIT;
		}
		text_str(&r->body, "exit called inside libc");
		if (inside->exact) {
			text_str(&r->body, ", by ");
			text_symbol(&r->body, inside);
			text_str(&r->body, "()");
		}
		text_str(&r->body, ", for ");
		text_place(&r->body, &r->places[user]);
	} else if (n || process.libc == LIBC_MUSL) {
		/* musl calls exit inside itself here only (err and its kin are hooks of ours); in
		 * glibc nothing but libc is on the stack of a thread that has ended. */
		text_str(&r->body, "the last thread ended (pthread_exit), and libc then called exit");
	} else {
		text_str(&r->body, "exit called inside libc, by a function that is not known");
	}
	return CAUSE_LIBC_EXIT;
}

/* The call site outside of libc, for the fields of an end inside libc. */
static uintptr_t user_site(const struct trace *t)
{
	const struct link_map *libc = module_at((uintptr_t)next_get(HOOK_exit), true);

	for (int i = 0; i < t->count && i < t->guessed; i++)
		if (module_at(t->pc[i], true) != libc)
			return t->pc[i];
	return 0;
}

static enum severity severity_of(const struct claim *c, int code, bool forked)
{
	if (forked && config.scope != SCOPE_ALL)
		return SEVERITY_DEBUG;
	if (c->cause == CAUSE_ABORT)
		return SEVERITY_ERROR;
	return code & 0xff ? SEVERITY_WARN : SEVERITY_INFO;
}


/* `c` is who decided the code; `under_way` the end that was begun before, or NULL. */
static void write_end(const struct claim *c, const struct claim *under_way, int code, bool forked,
		      bool again)
{
	struct record *r = record_begin(EVENT_END, severity_of(c, code, forked));
	bool inside = c->cause == CAUSE_LIBC_EXIT && !c->call;
	enum cause cause = c->cause;
	uintptr_t caller = inside ? user_site(&c->trace) : c->caller;

	if (!r)
		return;
	if (c->cause == CAUSE_ABORT) {
		text_str(&r->body, "ENDED by abort: ");
	} else {
		text_str(&r->body, "ENDED with exit code ");
		text_dec(&r->body, code & 0xff);
		text_str(&r->body, again ? " after all: " : ": ");
	}
	if (inside)
		cause = describe_inside(r, c);
	else
		describe(r, c);
	if (c->call && str_eq(c->call, "daemon"))
		text_str(&r->body, ": the program goes on in a forked child in the background, and libc "
				   "ends this process");
	if (under_way) {
		text_str(&r->body, ", while ");
		describe(r, under_way);
		text_str(&r->body, " was under way");
	}
	if (forked)
		text_str(&r->body, " (in a forked child)");
	if (c->cause == CAUSE_ABORT) {
		record_integer(r, "epitaph.signal.number", 6);
		record_static(r, "epitaph.signal.name", "SIGABRT");
	} else {
		record_integer(r, "process.exit.code", code & 0xff);
	}
	record_static(r, "epitaph.cause", cause_names[cause]);
	record_static(r, "epitaph.ended_by", "self");
	record_thread(r, c->tid, c->thread);
	if (!forked && process.role == ROLE_ROOT)
		log_termination(r->body.buf, r->body.len);
	record_caller(r, caller, &c->trace);
	if (execs_left_out()) {
		text_str(&r->details, "further processes started and not told of: ");
		text_dec(&r->details, execs_left_out());
		text_char(&r->details, '\n');
		record_integer(r, "epitaph.exec.left_out", execs_left_out());
	}
	record_write(r);
}

void ending_commit(int code)
{
	int pid = sys_getpid(), tid = sys_gettid(), i = pid != process.pid, before;
	struct claim *c, *under_way = NULL;

	if (!scope_reports(i))
		return;
	/* Nobody claimed it: libc itself did, and its caller is on the stack now. */
	if (claim(&ends[i].first, pid))
		fill(&ends[i].first, CAUSE_LIBC_EXIT, code, NULL, 0);
	c = &ends[i].first;
	if (!wait_for(&c->ready, 1))
		return;
	if (ends[i].last.owner == pid && __atomic_load_n(&ends[i].last.ready, __ATOMIC_ACQUIRE)) {
		under_way = c;
		c = &ends[i].last;
	}
	before = __atomic_load_n(&ends[i].writer_pid, __ATOMIC_RELAXED);
	if (before != pid && __atomic_compare_exchange_n(&ends[i].writer_pid, &before, pid, false,
							 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		__atomic_store_n(&ends[i].writer_tid, tid, __ATOMIC_RELAXED);
		ends[i].written_code = code;
		write_end(c, under_way, code, i, false);
		__atomic_store_n(&ends[i].finished, pid, __ATOMIC_RELEASE);
		return;
	}
	/* A signal handler that ends the process in the midst of our writing: once more, whole. */
	if (__atomic_load_n(&ends[i].writer_tid, __ATOMIC_RELAXED) == tid &&
	    __atomic_load_n(&ends[i].finished, __ATOMIC_ACQUIRE) != pid) {
		write_end(c, under_way, code, i, false);
		return;
	}
	wait_for(&ends[i].finished, pid);
	if (under_way && (ends[i].written_code != code || under_way->cause == CAUSE_ABORT)) {
		ends[i].written_code = code;
		write_end(c, under_way, code, i, true);
	}
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
static void handler_ran(void)
{
	if (in_forked_child())
		watches_exit = false;
}

/* glibc: on_exit handlers get the status. */
static void last_at_exit(int status, void *arg)
{
	(void)arg;
	if (!process.active) /* silenced: not one system call of ours */
		return;
	handler_ran();
	ending_commit(status);
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
	int pid = sys_getpid(), i = pid != process.pid;
	const struct claim *c = ends[i].last.owner == pid ? &ends[i].last : &ends[i].first;

	handler_ran();
	ending_commit(c->owner == pid ? c->code : 0);
}

void ending_watch(void)
{
	int (*on_exit)(void (*)(int, void *), void *) = next_use(USE_on_exit);

	if (on_exit)
		watches_exit = on_exit(last_at_exit, NULL) == 0;
	else
		watches_exit = constructed && process.libc == LIBC_MUSL;
}
