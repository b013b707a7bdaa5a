/*
 * Reaped children; the contract is in children.h.
 *
 * Interposes: fork _Fork clone wait waitpid wait3 wait4 waitid.
 * Runs in: any thread, signal handler (SIGCHLD's), forked child.
 * Sources: man 2 wait; Documentation/admin-guide/cgroup-v2.rst (memory.events).
 * SPDX-License-Identifier: MIT
 */
#include "children.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "config.h"
#include "epitaph.h"
#include "flood.h"
#include "flush.h"
#include "kills.h"
#include "names.h"
#include "next.h"
#include "procfs.h"
#include "record.h"
#include "scope.h"
#include "sys.h"

enum { NAMES = 8, BUFFER = 4096 };

static struct {
	int reaped;
	struct child_end last;
	int oom_state; /* 0: never looked, 1: somebody is at it, 2: there */
	int64_t oom_at_first, oom_seen, first_ns;
	unsigned int next_name;
	struct {
		int pid;
		char name[28];
	} names[NAMES];
} children;

static char buffer[BUFFER] EPITAPH_COLD;
static int buffer_busy;

static int64_t oom_count(void)
{
	int64_t count;

	if (__atomic_exchange_n(&buffer_busy, 1, __ATOMIC_ACQUIRE))
		return -1;
	count = cgroup_oom_kills(buffer, sizeof buffer);
	__atomic_store_n(&buffer_busy, 0, __ATOMIC_RELEASE);
	return count;
}

void children_expected(void)
{
	int never = 0;

	if (likely(__atomic_load_n(&children.oom_state, __ATOMIC_RELAXED)) ||
	    !scope_reports(false) || in_forked_child() ||
	    !__atomic_compare_exchange_n(&children.oom_state, &never, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return;
	children.oom_at_first = children.oom_seen = oom_count();
	children.first_ns = sys_clock_ns(CLOCK_BOOTTIME);
	__atomic_store_n(&children.oom_state, 2, __ATOMIC_RELEASE);
}

int64_t children_oom_kills(void)
{
	int64_t now;

	if (__atomic_load_n(&children.oom_state, __ATOMIC_ACQUIRE) != 2 ||
	    children.oom_at_first < 0)
		return -1;
	now = oom_count();
	return now < 0 ? -1 : now - children.oom_at_first;
}

void children_spawned(int pid, const char *path)
{
	unsigned int i;
	struct text t;

	if (in_forked_child())
		return;
	i = __atomic_fetch_add(&children.next_name, 1, __ATOMIC_RELAXED) % NAMES;
	t = text_over(children.names[i].name, sizeof children.names[i].name);
	text_str(&t, str_base(path));
	__atomic_store_n(&children.names[i].pid, pid, __ATOMIC_RELEASE);
}

static const char *name_of(int pid)
{
	for (int i = 0; i < NAMES; i++)
		if (__atomic_load_n(&children.names[i].pid, __ATOMIC_ACQUIRE) == pid)
			return children.names[i].name;
	return NULL;
}

int children_reaped(struct child_end *last)
{
	*last = children.last;
	last->name = last->pid ? name_of(last->pid) : NULL;
	return __atomic_load_n(&children.reaped, __ATOMIC_RELAXED);
}

/* ---- Those that run at the end ---- */

static bool runs(int pid)
{
	char state = procfs_state(pid);

	return state && state != 'Z' && state != 'X';
}

struct running {
	int *count, *pid;
	char *name, *buf;
	size_t cap;
	bool listed; /* the kernel has such lists */
};

/* The file lists pids with a blank behind each (man 5 proc: /proc/pid/task/tid/children). */
static void take_list(struct running *r, const char *s)
{
	while (*s) {
		int pid = 0;

		for (; *s >= '0' && *s <= '9'; s++)
			pid = pid * 10 + (*s - '0');
		while (*s && (*s < '0' || *s > '9'))
			s++;
		if (!pid || !runs(pid))
			continue;
		if (!(*r->count)++) {
			*r->pid = pid;
			procfs_comm(pid, 0, r->name);
		}
	}
}

static bool take_lists_of(void *arg, int tid)
{
	struct running *r = arg;
	char path[48];
	struct text t = text_over(path, sizeof path);

	text_str(&t, "/proc/self/task/");
	text_dec(&t, tid);
	text_str(&t, "/children");
	if (procfs_read(path, r->buf, r->cap) >= 0) {
		r->listed = true;
		take_list(r, r->buf);
	}
	return true;
}

bool children_had(void)
{
	uint64_t usage[20] = {0}, any = 0;

	/* Those that were reaped inside libc (system) leave a trace: what they used. */
	SYS2(SYS_getrusage, RUSAGE_CHILDREN, usage);
	for (int i = 0; i < 20; i++)
		any |= usage[i];
	return any != 0;
}

int children_running(int *pid, char *name, char *buf, size_t cap)
{
	int count = 0;
	struct running r = {&count, pid, name, buf, cap, false};
	siginfo_t info;

	*pid = 0;
	name[0] = '\0';
	__builtin_memset(&info, 0, sizeof info);
	/* Whether there are any, and whether all of them still run; takes none. */
	if (SYS5(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, 0) < 0)
		return 0;
	/* A child belongs to the thread that made it. */
	procfs_each_thread(take_lists_of, &r);
	if (!r.listed && info.si_pid == 0)
		count = 1; /* at least */
	return count;
}

/* SIGKILL: who may have done it. The count is cumulative, so only its rise says anything. */
static void text_killer(struct record *r)
{
	int64_t count = oom_count(), seen = children.oom_seen;
	bool known = children.oom_state == 2 && seen >= 0 && count >= 0;

	if (known && count > seen) {
		text_str(&r->body, ", most likely by the out-of-memory killer: the cgroup's count "
				   "of its kills rose by ");
		text_dec(&r->body, count - seen);
		record_integer(r, "epitaph.oom_kills", count - seen);
		__atomic_store_n(&children.oom_seen, count, __ATOMIC_RELAXED);
	} else if (count == 0 || known) {
		text_str(&r->body,
			 "; not by the kernel's out-of-memory killer: the cgroup counts no kill ");
		text_str(&r->body, count == 0 ? "at all" : "since +");
		if (count) {
			text_seconds(&r->body, children.first_ns - process.start_ns, 3);
			text_char(&r->body, 's');
		}
		record_integer(r, "epitaph.oom_kills", 0);
	} else if (count > 0) {
		text_str(&r->body, "; the cgroup counts ");
		text_dec(&r->body, count);
		text_str(&r->body, " out-of-memory kills in all, and how many before is not known");
	} else {
		text_str(&r->body, "; whether by the out-of-memory killer cannot be known here (no "
				   "cgroup to ask)");
	}
}

static void tell(int pid, int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	const char *name = name_of(pid);
	struct record *r;

	if (!scope_reports(in_forked_child()) || (sig && !flood_allows(FLOOD_CHILD, sig)))
		return;
	r = record_begin(EVENT_CHILD, !sig	       ? SEVERITY_DEBUG
				      : sig == SIGPIPE ? SEVERITY_INFO
						       : SEVERITY_WARN);
	if (!r)
		return;
	text_str(&r->body, "its child, process ");
	text_dec(&r->body, pid);
	if (name) {
		text_str(&r->body, " (");
		text_clean(&r->body, name, str_len(name));
		text_char(&r->body, ')');
		record_string(r, "epitaph.child.name", name);
	}
	record_integer(r, "epitaph.child.pid", pid);
	if (!sig) {
		text_str(&r->body, ", ended with exit code ");
		text_dec(&r->body, WEXITSTATUS(status));
		record_integer(r, "epitaph.child.exit.code", WEXITSTATUS(status));
		record_write(r);
		return;
	}
	text_str(&r->body, ", was killed by ");
	if (signal_name(sig)) {
		text_str(&r->body, signal_name(sig));
		record_static(r, "epitaph.signal.name", signal_name(sig));
	} else {
		text_str(&r->body, "signal ");
		text_dec(&r->body, sig);
	}
	record_integer(r, "epitaph.signal.number", sig);
	if (WCOREDUMP(status))
		text_str(&r->body, " and dumped core");
	if (kills_sent(pid, sig))
		text_str(&r->body, ", which this process had sent it");
	else if (sig == SIGKILL)
		text_killer(r);
	record_write(r);
}

/* wait has taken a child: pid and status as it gave them. */
static void on_reaped(int pid, int status)
{
	if (pid <= 0 || WIFSTOPPED(status) || WIFCONTINUED(status))
		return;
	if (!in_forked_child()) {
		__atomic_fetch_add(&children.reaped, 1, __ATOMIC_RELAXED);
		children.last = (struct child_end){
			.pid = pid, .status = status, .when_ns = sys_clock_ns(CLOCK_BOOTTIME)};
	}
	if (WIFSIGNALED(status) || config.level == LEVEL_DEBUG)
		tell(pid, status);
}

EPITAPH_EXPORT pid_t fork(void)
{
	if (ENTER(fork)) {
		children_expected();
		flush_forks();
	}
	return NEXT(fork)();
}

pid_t _Fork(void); /* not in older headers */

EPITAPH_EXPORT pid_t _Fork(void)
{
	__typeof__(&_Fork) next = NEXT(_Fork);

	if (ENTER(_Fork))
		flush_forks();
	return next ? next() : NEXT(fork)(); /* older libcs have none */
}

/* With all seven words in place of `...`, as for syscall. */
typedef int clone_function(int (*)(void *), void *, int, void *, void *, void *, void *);

clone_function epitaph_clone __asm__("clone");

EPITAPH_EXPORT int epitaph_clone(int (*run)(void *), void *stack, int flags, void *arg, void *a,
				 void *b, void *c)
{
	if (!(flags & CLONE_VM) && ENTER(clone))
		flush_forks();
	return ((clone_function *)next_get(HOOK_clone))(run, stack, flags, arg, a, b, c);
}

/* Each asks for the status in any case: our caller may not want it. */

EPITAPH_EXPORT pid_t wait(int *status)
{
	int own = 0;
	pid_t pid;

	if (!ENTER(wait))
		return NEXT(wait)(status);
	children_expected();
	pid = NEXT(wait)(status ? status : &own);
	if (pid > 0)
		on_reaped(pid, status ? *status : own);
	return pid;
}

EPITAPH_EXPORT pid_t waitpid(pid_t which, int *status, int options)
{
	int own = 0;
	pid_t pid;

	if (!ENTER(waitpid))
		return NEXT(waitpid)(which, status, options);
	children_expected();
	pid = NEXT(waitpid)(which, status ? status : &own, options);
	if (pid > 0)
		on_reaped(pid, status ? *status : own);
	return pid;
}

EPITAPH_EXPORT pid_t wait3(int *status, int options, struct rusage *usage)
{
	int own = 0;
	pid_t pid;

	if (!ENTER(wait3))
		return NEXT(wait3)(status, options, usage);
	children_expected();
	pid = NEXT(wait3)(status ? status : &own, options, usage);
	if (pid > 0)
		on_reaped(pid, status ? *status : own);
	return pid;
}

EPITAPH_EXPORT pid_t wait4(pid_t which, int *status, int options, struct rusage *usage)
{
	int own = 0;
	pid_t pid;

	if (!ENTER(wait4))
		return NEXT(wait4)(which, status, options, usage);
	children_expected();
	pid = NEXT(wait4)(which, status ? status : &own, options, usage);
	if (pid > 0)
		on_reaped(pid, status ? *status : own);
	return pid;
}

EPITAPH_EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	int result;

	if (!ENTER(waitid))
		return NEXT(waitid)(type, id, info, options);
	children_expected();
	result = NEXT(waitid)(type, id, info, options);
	/* Without a siginfo (Linux allows it) or with WNOWAIT nothing is known, or reaped. */
	if (result == 0 && info && info->si_pid > 0 && !(options & WNOWAIT)) {
		if (info->si_code == CLD_EXITED)
			on_reaped(info->si_pid, (info->si_status & 0xff) << 8);
		else if (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED)
			on_reaped(info->si_pid,
				  info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0));
	}
	return result;
}
