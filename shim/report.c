/*
 * The report; the contract is in report.h.
 *
 * Runs in: any thread, signal handler; reads /proc raw, into the record's own scratch.
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "children.h"
#include "dispositions.h"
#include "epitaph.h"
#include "names.h"
#include "output.h"
#include "ports.h"
#include "procfs.h"
#include "received.h"
#include "sys.h"
#include "threads.h"

#define BIT(sig) (1ull << ((sig)-1))

/* What /proc/self/status says, read once: it costs some 20 us. */
struct status {
	uint64_t ignored; /* signals, as a set; 0 without /proc */
	int64_t peak;	  /* bytes of the largest resident set; -1: not known */
	int threads;	  /* 0 without /proc */
};

/* Behind "NAME:" and blanks; the text's end where it is not there. */
static const char *value_of(const char *at, const char *name)
{
	while (*at && !str_starts(at, name))
		at++;
	at += *at ? str_len(name) : 0;
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

/* getrusage's peak would be that of the programs before the last exec, too: of a container's
 * engine. Without /proc it is better than nothing. */
static struct status read_status(char *buf, size_t cap)
{
	struct status s = {0, 0, 0};
	char path[40];
	const char *at;

	procfs_path(path, sizeof path, 0, "status");
	if (procfs_read(path, buf, cap) <= 0)
		buf[0] = '\0';
	for (at = value_of(buf, "VmHWM:"); *at >= '0' && *at <= '9'; at++)
		s.peak = s.peak * 10 + (*at - '0');
	for (at = value_of(buf, "Threads:"); *at >= '0' && *at <= '9'; at++)
		s.threads = s.threads * 10 + (*at - '0');
	for (at = value_of(buf, "SigIgn:");
	     (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f'); at++)
		s.ignored = s.ignored << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
	s.peak *= 1024;
	if (!s.peak) {
		struct rusage usage;

		s.peak = SYS2(SYS_getrusage, RUSAGE_SELF, &usage) ? -1
								  : (int64_t)usage.ru_maxrss * 1024;
	}
	return s;
}

/* "; set handlers for INT TERM": the names without what they all begin with. */
static void text_set(struct text *t, const char *before, uint64_t set)
{
	text_str(t, before);
	for (int sig = 1; sig < 32; sig++)
		if (set & BIT(sig) && signal_name(sig)) {
			text_char(t, ' ');
			text_str(t, signal_name(sig) + 3);
		}
}

static void record_sets(struct record *r, uint64_t handles, uint64_t ignores)
{
	char names[160];
	struct text t = text_over(names, sizeof names);

	text_set(&t, "", handles);
	if (handles)
		record_string(r, "epitaph.signals.handled", names + 1);
	t = text_over(names, sizeof names);
	text_set(&t, "", ignores);
	if (ignores)
		record_string(r, "epitaph.signals.ignored", names + 1);
}

/* "signals: 3 received (SIGHUP 2, SIGTERM 1), the last at +0.001s; set handlers for HUP TERM;
 * ignores PIPE" */
static void describe_signals(struct record *r, const struct status *s)
{
	struct text *t = &r->details;
	struct sender last;
	uint64_t handles = 0, ignores = s->ignored & (BIT(32) - 1);
	int count = received_count();
	const char *before = " received (";

	/* Not those that stand now: runtimes take them back before they end. Some programs ask for
	 * all, with the two that the kernel does not give. */
	for (int sig = 1; sig < 32; sig++)
		if (dispositions_had_handler(sig) && !(ignores & BIT(sig)) && sig != SIGKILL &&
		    sig != SIGSTOP)
			handles |= BIT(sig);
	record_integer(r, "epitaph.signals", count);
	record_sets(r, handles, ignores);
	if (!count && !handles && !ignores)
		return;
	text_str(t, "signals: ");
	if (count)
		text_dec(t, count);
	else
		text_str(t, "none received");
	for (int sig = 1; sig <= 32 && count; sig++) {
		int n = received_of(sig & 31);

		if (!n)
			continue;
		text_str(t, before);
		text_str(t, sig < 32 && signal_name(sig) ? signal_name(sig) : "others");
		text_char(t, ' ');
		text_dec(t, n);
		before = ", ";
	}
	if (count) {
		text_char(t, ')');
		if (received_last(&last)) {
			text_str(t, ", the last at +");
			text_seconds(t, last.when_ns - process.start_ns, 3);
			text_char(t, 's');
		}
	}
	if (handles)
		text_set(t, "; set handlers for", handles);
	if (ignores)
		text_set(t, "; ignores", ignores);
	text_char(t, '\n');
}

/* Threads of one name are told together: " (server, tokio-runtime-w x2)". */
struct names {
	char name[8][16];
	int count[8], kinds, others;
};

static bool add_name(void *arg, int tid)
{
	struct names *n = arg;
	char name[16];
	int i = 0;

	procfs_comm(0, tid, name);
	while (i < n->kinds && !str_eq(n->name[i], name))
		i++;
	if (i == 8) {
		n->others++;
		return true;
	}
	if (i == n->kinds) {
		__builtin_memcpy(n->name[i], name, sizeof name);
		n->kinds++;
	}
	n->count[i]++;
	return true;
}

static void text_names(struct text *t)
{
	struct names n = {.kinds = 0};

	procfs_each_thread(add_name, &n);
	for (int i = 0; i < n.kinds; i++) {
		text_str(t, i ? ", " : " (");
		text_clean(t, n.name[i], str_len(n.name[i]));
		if (n.count[i] > 1) {
			text_str(t, " x");
			text_dec(t, n.count[i]);
		}
	}
	if (n.others)
		text_str(t, ", and others");
	if (n.kinds)
		text_char(t, ')');
}

static void describe_threads(struct record *r, int count)
{
	int most = threads_most();

	if (count <= 0) {
		text_str(&r->details,
			 "threads: not known, and what else only /proc tells: it is not there\n");
		return;
	}
	if (most < count)
		most = count;
	record_integer(r, "epitaph.threads", count);
	record_integer(r, "epitaph.threads.most", most);
	if (most == 1)
		return;
	text_str(&r->details, "threads: ");
	text_dec(&r->details, count);
	text_str(&r->details, " at the end");
	if (count > 1)
		text_names(&r->details);
	text_str(&r->details, ", at most ");
	text_dec(&r->details, most);
	text_char(&r->details, '\n');
}

static void describe_ports(struct record *r)
{
	size_t before = r->details.len;

	text_str(&r->details, "ports: ");
	if (ports_describe(&r->details, r->work, sizeof r->work)) {
		record_string(r, "epitaph.ports", r->details.buf + before + 7);
		text_char(&r->details, '\n');
	} else {
		r->details.len = before;
		r->details.buf[before] = '\0';
	}
}

static void describe_children(struct record *r)
{
	struct text *t = &r->details;
	struct child_end last;
	int count = children_reaped(&last);

	if (!count)
		return;
	record_integer(r, "epitaph.children_reaped", count);
	text_str(t, "children: ");
	text_dec(t, count);
	text_str(t, " reaped, the last one process ");
	text_dec(t, last.pid);
	record_integer(r, "epitaph.last_child.pid", last.pid);
	if (last.name) {
		text_str(t, " (");
		text_clean(t, last.name, str_len(last.name));
		text_char(t, ')');
		record_string(r, "epitaph.last_child.name", last.name);
	}
	if (WIFSIGNALED(last.status)) {
		const char *name = signal_name(WTERMSIG(last.status));

		text_str(t, " by ");
		text_str(t, name ? name : "a signal");
		record_integer(r, "epitaph.last_child.signal", WTERMSIG(last.status));
	} else {
		text_str(t, " with exit code ");
		text_dec(t, WEXITSTATUS(last.status));
		record_integer(r, "epitaph.last_child.exit.code", WEXITSTATUS(last.status));
	}
	record_seconds(r, "epitaph.last_child.time", last.when_ns - process.start_ns);
	text_str(t, " at +");
	text_seconds(t, last.when_ns - process.start_ns, 3);
	text_str(t, "s\n");
}

static void text_mib(struct text *t, int64_t bytes)
{
	text_dec(t, bytes / 1048576);
	text_char(t, '.');
	text_dec(t, bytes % 1048576 * 10 / 1048576);
	text_str(t, " MiB");
}

static void describe_memory(struct record *r, int64_t peak, bool brief)
{
	struct text *t = &r->details;
	struct cgroup_memory m;
	int64_t kills = brief ? -1 : children_oom_kills();

	if (peak < 0)
		return;
	text_str(t, "memory: at most ");
	text_mib(t, peak);
	record_integer(r, "epitaph.memory.peak", peak);
	if (!brief && cgroup_memory(&m, r->work, sizeof r->work) && m.limit >= 0) {
		text_str(t, "; the container's limit ");
		text_mib(t, m.limit);
		record_integer(r, "epitaph.memory.limit", m.limit);
		if (m.peak >= 0) {
			text_str(t, ", its peak ");
			text_mib(t, m.peak);
			record_integer(r, "epitaph.memory.limit.peak", m.peak);
		}
	}
	if (kills > 0) {
		text_str(t, "; out-of-memory kills in it since the first child: ");
		text_dec(t, kills);
		record_integer(r, "epitaph.oom_kills", kills);
	}
	text_char(t, '\n');
}

void report_describe(struct record *r, bool exits, bool brief)
{
	struct status s = read_status(r->work, sizeof r->work);

	describe_signals(r, &s);
	describe_threads(r, s.threads);
	if (!brief)
		describe_ports(r);
	output_describe(r, exits);
	describe_children(r);
	describe_memory(r, s.peak, brief);
}
