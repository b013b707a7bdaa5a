/*
 * Sentences; the contract is in verdict.h. What was seen is stated, what is inferred says so.
 *
 * Runs in: any thread, signal handler, vfork child.
 * SPDX-License-Identifier: MIT
 */
#include "verdict.h"

#include <signal.h>
#include <sys/resource.h>

#include "aborts.h"
#include "children.h"
#include "config.h"
#include "dispositions.h"
#include "epitaph.h"
#include "failures.h"
#include "faults.h"
#include "flood.h"
#include "handlers.h"
#include "input.h"
#include "log.h"
#include "modules.h"
#include "names.h"
#include "network.h"
#include "next.h"
#include "ports.h"
#include "procfs.h"
#include "received.h"
#include "record.h"
#include "report.h"
#include "rules.h"
#include "sys.h"
#include "timers.h"

enum { BRIEF_NS = 50000000 };

static const char *const cause_names[] = {"main_returned", "exit",  "_exit", "quick_exit",
					  "libc_exit",	   "abort", "signal"};

/* ", in thread worker[12]", but for the main thread. */
static void text_thread(struct record *r, const struct claim *c)
{
	if (c->tid == r->pid)
		return;
	text_str(&r->body, ", in thread ");
	text_clean(&r->body, c->thread, str_len(c->thread));
	text_char(&r->body, '[');
	text_dec(&r->body, c->tid);
	text_char(&r->body, ']');
}

static void text_site(struct record *r, const char *before, uintptr_t pc)
{
	text_str(&r->body, before);
	r->caller.pc = pc;
	places_find(&r->caller, 1, r->work, sizeof r->work);
	text_place(&r->body, &r->caller);
}

/* "exit(3) called by server+0x12 (main+0x4), in thread worker[12]" */
static void describe(struct record *r, const struct claim *c)
{
	struct text *t = &r->body;

	if (c->cause == CAUSE_MAIN_RETURNED) {
		text_str(t, "main() returned ");
		text_dec(t, c->code);
		return;
	}
	if (!c->call) { /* under way: a signal that did not end us, or libc's own exit */
		const char *name = c->cause == CAUSE_SIGNAL ? signal_name(c->sender.signal) : NULL;

		text_str(t, name ? name : c->cause == CAUSE_SIGNAL ? "a signal" : "libc's exit");
		text_thread(r, c);
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
	if (c->caller)
		text_site(r, " called by ", c->caller);
	text_thread(r, c);
}

/* libc, or the libpthread that stood beside glibc before 2.34 and called exit from outside. */
static bool is_libc(const struct link_map *map)
{
	return map && (map == module_at((uintptr_t)next_get(HOOK_exit), true) ||
		       module_named(map, "libpthread.so.0"));
}

/* An end that no hook saw. The stack tells for whom libc called exit inside itself, or that the
 * program reached libc's exit past our hook (its own dlsym; EPITAPH_IGNORE). */
static enum cause describe_inside(struct record *r, const struct claim *c)
{
	/* Frames that were guessed prove nothing. */
	int n = c->trace.count < c->trace.guessed ? c->trace.count : c->trace.guessed, user = 0;

	for (int i = 0; i < n; i++)
		r->places[i].pc = c->trace.pc[i];
	places_find(r->places, n, r->work, sizeof r->work);
	while (user < n && is_libc(r->places[user].map))
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
		text_str(&r->body,
			 "the last thread ended (pthread_exit), and libc then called exit");
	} else {
		text_str(&r->body, "exit called inside libc, by a function that is not known");
	}
	return CAUSE_LIBC_EXIT;
}

/* Where in libc, libstdc++ or a runtime an abort was decided, newest first on the stack. */
static const char *abort_origin(const struct record *r, int n)
{
	static const struct {
		char symbol[24];
		char words[48];
	} origins[] = {{"__assert_fail", "a failed assert"},
		       {"__assert_perror_fail", "a failed assert"},
		       {"__stack_chk_fail", "a smashed stack (stack protector)"},
		       {"__fortify_fail", "an overflow that _FORTIFY_SOURCE caught"},
		       {"__chk_fail", "an overflow that _FORTIFY_SOURCE caught"},
		       {"malloc", "a heap check in malloc"},
		       {"free", "a heap check in free"},
		       {"cfree", "a heap check in free"},
		       {"realloc", "a heap check in realloc"},
		       {"__libc_malloc", "a heap check in malloc"},
		       {"__libc_free", "a heap check in free"},
		       {"__libc_realloc", "a heap check in realloc"},
		       {"_ZSt9terminatev", "C++ std::terminate"},
		       {"__cxa_throw", "a C++ exception that nobody catches"}};
	const char *words = NULL;

	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof origins / sizeof *origins; k++)
			if (r->places[i].found && r->places[i].exact &&
			    str_eq(r->places[i].symbol, origins[k].symbol))
				words = origins[k].words;
	return words;
}

/* The mapping that an address fell in, and whether the stack was used up. */
static void text_address(struct text *t, struct record *r, uintptr_t address,
			 uintptr_t stack_pointer)
{
	text_str(t, " at address ");
	text_hex(t, address);
	if (address < 4096) {
		text_str(t, " (a null pointer)");
		return;
	}
	r->caller.pc = address;
	places_find(&r->caller, 1, NULL, 0);
	if (r->caller.map) {
		text_str(t, " in ");
		text_place(t, &r->caller);
	}
	faults_describe(t, address, stack_pointer, r->work, sizeof r->work);
}

/* "descriptor 1 (stdout, a pipe)" */
static bool text_broken(struct text *t, int fd)
{
	static const char names[][9] = {"stdin, ", "stdout, ", "stderr, "};
	char path[40], leaf[24], target[64];
	struct text l = text_over(leaf, sizeof leaf);
	int events;

	if (fd < 0)
		return false;
	/* A pipe without a reader, a connection that was closed: the descriptor itself says so. */
	events = sys_poll_write(fd, 0);
	if (events <= 0 || !(events & (POLLERR | POLLHUP)))
		return false;
	text_str(&l, "fd/");
	text_dec(&l, fd);
	procfs_path(path, sizeof path, 0, leaf);
	long n = sys_readlink(path, target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	text_str(t, "descriptor ");
	text_dec(t, fd);
	text_str(t, " (");
	if (fd < 3)
		text_str(t, names[fd]);
	text_str(t, str_starts(target, "socket:") ? "a socket)"
		    : str_starts(target, "pipe:") ? "a pipe)"
		    : n > 0			  ? "a FIFO)"
						  : "a pipe or socket)");
	return true;
}

static void text_pipe(struct text *t, const struct claim *c)
{
	text_str(t, "it wrote to ");
	/* Where the machine does not keep the call's argument: the streams that are broken now. */
	if (!text_broken(t, (int)c->address) && !text_broken(t, 1) && !text_broken(t, 2))
		text_str(t, "a pipe or socket");
	text_str(t, ", which nobody reads any more");
}

/* " (RLIMIT_CPU: 5 s)"; `raised` is what the kernel added with its signal (posix-cpu-timers.c). */
static void text_limit(struct text *t, const char *name, int resource, unsigned int raised,
		       const char *unit)
{
	uint64_t limit[2] = {0, 0};

	text_str(t, " (");
	text_str(t, name);
	if (SYS4(SYS_prlimit64, 0, resource, 0, limit) == 0) {
		text_str(t, ": ");
		text_padded(t, limit[0] - raised, 1);
		text_str(t, unit);
	}
	text_char(t, ')');
}

/* ", armed by alarm() called by server+0x12 (main+0x4) 1.2 s before" */
static void text_armed(struct record *r, const struct sender *s)
{
	struct text *t = &r->body;
	struct armed a;

	if (!timers_armed(s->signal, &a))
		return;
	text_str(t, ", armed by ");
	text_str(t, a.call);
	text_site(r, "() called by ", a.caller);
	text_char(t, ' ');
	text_seconds(t, s->when_ns - a.when_ns, 3);
	text_str(t, " s before");
}

static bool is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGTRAP;
}

/* Why abort, from the stack and from what libc and the C++ runtime say. */
static void text_origin(struct record *r, const struct claim *c, const char *before)
{
	const char *origin;

	for (int i = 0; i < c->trace.count; i++)
		r->places[i].pc = c->trace.pc[i];
	places_find(r->places, c->trace.count, r->work, sizeof r->work);
	origin = abort_origin(r, c->trace.count);
	if (origin) {
		text_str(&r->body, before);
		text_str(&r->body, origin);
		aborts_exception(&r->body);
	}
	aborts_message(&r->body);
}

/* "SEGV_MAPERR at address 0x8 …" */
static void text_fault(struct record *r, const struct sender *s, uintptr_t address,
		       uintptr_t stack_pointer, bool no_room)
{
	const char *code = signal_code_name(s->signal, s->code);

	if (s->signal == SIGSEGV && s->code == SI_KERNEL) { /* without an address */
		text_str(&r->body,
			 no_room ? "no room on the stack to handle another signal (SI_KERNEL)"
				 : "a general protection fault (SI_KERNEL): an address that no "
				   "memory can have, or an instruction that needs privilege");
		return;
	}
	text_str(&r->body, s->signal == SIGTRAP ? "a breakpoint or trap" : code ? code : "a fault");
	if (s->signal == SIGSEGV || s->signal == SIGBUS)
		text_address(&r->body, r, address, stack_pointer);
}

/* ", in its handler of SIGSEGV: SEGV_MAPERR at address 0x8, at server+0x12 (main+0x4)" */
static void describe_handler(struct record *r, const struct handling *h)
{
	const struct sender *s = &h->sender;
	struct text *t = &r->body;

	if (!h->signal) {
		text_str(t, ", in a signal handler");
		return;
	}
	text_str(t, ", in its handler of ");
	if (signal_name(h->signal)) {
		text_str(t, signal_name(h->signal));
	} else {
		text_str(t, "signal ");
		text_dec(t, h->signal);
	}
	if (h->informed && is_fault(h->signal) && s->kind == SENDER_KERNEL) {
		text_str(t, ": ");
		text_fault(r, s, h->address, 0, false);
	} else if (h->informed) {
		text_char(t, ' ');
		text_sender(t, s);
		if (s->kind == SENDER_TIMER)
			text_armed(r, s);
	}
	if (is_fault(h->signal) && h->site && s->kind != SENDER_PROCESS)
		text_site(r, ", at ", h->site);
}

/* A program that handles a signal and then sends it to itself, to end as if it had not: somebody
 * else sent it first. */
static void describe_first_sender(struct record *r, const struct claim *c)
{
	struct facts f = {.code = 1, .end_ns = c->when_ns, .forked = in_forked_child()};
	struct handling h;

	if (handlers_running(&c->trace, c->sender.signal, &h) && h.signal == c->sender.signal) {
		describe_handler(r, &h);
		text_str(&r->body, ", which passes it on");
	} else if (is_fault(c->sender.signal) && dispositions_had_handler(c->sender.signal)) {
		text_str(&r->body, ", likely by its own handler of a fault, which passes it on");
		record_boolean(r, "epitaph.likely", true);
	} else if (!f.forked && received_last(&f.signal) && f.signal.kind != SENDER_SELF) {
		rules_tell(r, &f);
	}
}

static void describe_signal(struct record *r, const struct claim *c)
{
	const struct sender *s = &c->sender;
	const char *name = signal_name(s->signal);
	struct text *t = &r->body;

	text_str(t, "ENDED by ");
	text_str(t, name ? name : "a signal");
	text_str(t, " (exit status ");
	text_dec(t, 128 + s->signal);
	text_str(t, " to a shell or an engine): ");
	if (s->kind == SENDER_KERNEL && is_fault(s->signal)) {
		text_fault(r, s, c->address, c->stack_pointer, c->no_room);
	} else if (s->signal == SIGPIPE && s->kind == SENDER_SELF && c->own_write) {
		text_pipe(t, c);
	} else if (s->signal == SIGXCPU && s->kind == SENDER_KERNEL) {
		text_str(t, "its limit of CPU time is used up");
		text_limit(t, "RLIMIT_CPU", RLIMIT_CPU, 1, " s");
	} else if (s->signal == SIGXFSZ && s->kind == SENDER_SELF && c->own_write) {
		text_str(t, "it wrote beyond its limit of file size");
		text_limit(t, "RLIMIT_FSIZE", RLIMIT_FSIZE, 0, " bytes");
	} else if (s->signal == SIGSYS && s->kind == SENDER_KERNEL) {
		text_str(t, "a seccomp filter forbids system call number ");
		text_dec(t, (int64_t)c->address);
	} else {
		text_str(t, "sent ");
		text_sender(t, s);
		if (s->kind == SENDER_TIMER)
			text_armed(r, s);
		if (s->kind == SENDER_SELF)
			describe_first_sender(r, c);
	}
	if (s->kind == SENDER_KERNEL && c->trace.count)
		text_site(r, ", at ", c->trace.pc[0]);
	if (s->signal == SIGABRT && s->kind == SENDER_SELF)
		text_origin(r, c, ", by abort after ");
	text_thread(r, c);
}

static bool is_system_tool(const char *path)
{
	return str_starts(path, "/bin/") || str_starts(path, "/usr/bin/") ||
	       str_starts(path, "/sbin/") || str_starts(path, "/usr/sbin/");
}

/* What is known of this process at its end, for the rules. */
static void gather(struct facts *f, struct record *r, const struct claim *c, int code, bool forked)
{
	struct child_end child;

	*f = (struct facts){.code = c->cause == CAUSE_ABORT ? 128 + SIGABRT : code & 0xff,
			    .start_ns = process.start_ns,
			    .end_ns = c->when_ns,
			    .forked = forked,
			    .main_process = !forked && process.role == ROLE_ROOT,
			    .aborted = c->cause == CAUSE_ABORT,
			    .output_bytes = -1};
	for (int i = 0; i < FAILED_KINDS; i++)
		f->failures[i] = failures_take((enum failing)i);
	if (forked)
		return;
	received_last(&f->signal);
	f->input_ended_ns = input_ended();
	if (children_reaped(&child) && child.status)
		f->child_failed_ns = child.when_ns;
	f->used_network = network_used();
	if (!f->main_process)
		return;
	/* The system's own tools do what they do without a word, and are found by their path. */
	if (!(code & 0xff) && c->when_ns - process.start_ns < RULES_SHORT_NS &&
	    !is_system_tool(process.execfn))
		f->output_bytes = output_bytes();
	f->deaf_port = ports_all_lost(r->work, sizeof r->work);
	f->children_running =
		children_running(&f->child_pid, f->child_name, r->work, sizeof r->work);
	f->had_children = f->children_running || (f->output_bytes == 0 && children_had());
}

static void describe_before(struct record *r, const struct claim *c, int code, bool forked)
{
	struct handling h;
	struct facts f;

	/* daemon's parent has done what it was to do. */
	if (c->call && str_eq(c->call, "daemon"))
		return;
	gather(&f, r, c, code, forked);
	/* Of a signal that came through an entry point more is known: when, and who sent it. */
	if (handlers_running(&c->trace, 0, &h) &&
	    (h.signal ? h.signal != f.signal.signal : !f.signal.signal)) {
		describe_handler(r, &h);
		f.handler = &h.sender;
	}
	rules_tell(r, &f);
	for (int i = 0; i < FAILED_KINDS; i++)
		failures_give_back(f.failures[i]);
}

/* The call site outside of libc, for the fields of an end inside libc. */
static uintptr_t user_site(const struct trace *t)
{

	for (int i = 0; i < t->count && i < t->guessed; i++)
		if (!is_libc(module_at(t->pc[i], true)))
			return t->pc[i];
	return 0;
}

static enum severity severity_of(const struct claim *c, int code, bool forked)
{
	if (c->cause == CAUSE_SIGNAL) /* a reader that has enough is no error of the writer's */
		return c->sender.signal == SIGPIPE ? SEVERITY_INFO : SEVERITY_ERROR;
	if (forked && config.scope != SCOPE_ALL)
		return SEVERITY_DEBUG;
	if (c->cause == CAUSE_ABORT)
		return SEVERITY_ERROR;
	return code & 0xff ? SEVERITY_WARN : SEVERITY_INFO;
}

static void tell_termination(int error)
{
	struct record *r = error ? record_begin(EVENT_CONFIG, SEVERITY_WARN) : NULL;
	const char *path = config.termination_path;

	if (!r)
		return;
	text_str(&r->body, "EPITAPH_TERMINATION_LOG=\"");
	text_clean(&r->body, path, str_len(path) < 200 ? str_len(path) : 200);
	text_str(&r->body, "\" cannot be written (");
	text_str(&r->body, error_name(error));
	text_str(&r->body, "); the sentence stands only here");
	record_write(r);
}

/* A short life that ended well is told of in short. */
static bool is_brief(const struct claim *c, int code, const struct record *r)
{
	return c->cause != CAUSE_SIGNAL && c->cause != CAUSE_ABORT && !(code & 0xff) &&
	       r->pid != 1 && c->when_ns - process.start_ns < BRIEF_NS && !network_used() &&
	       !children_reaped(&(struct child_end){0});
}

/* Whether libc's exit is under way; daemon's parent ends without it. */
static bool empties_buffers(const struct claim *c)
{
	return c->cause == CAUSE_MAIN_RETURNED || c->cause == CAUSE_EXIT ||
	       (c->cause == CAUSE_LIBC_EXIT && !(c->call && str_eq(c->call, "daemon")));
}

/* `c` is who decided the code; `under_way` the end that was begun before, or NULL. */
void verdict_write(const struct claim *c, const struct claim *under_way, int code, bool forked,
		   bool again)
{
	struct record *r = record_begin(EVENT_END, severity_of(c, code, forked));
	bool inside = (c->cause == CAUSE_LIBC_EXIT && !c->call) ||
		      (c->cause == CAUSE_EXIT && is_libc(module_at(c->caller, true)));
	enum cause cause = c->cause;
	uintptr_t caller = inside ? user_site(&c->trace) : c->caller;
	int error = 0;

	if (!r)
		return;
	if (c->cause == CAUSE_SIGNAL) {
		describe_signal(r, c);
		caller = c->trace.count ? c->trace.pc[0] : 0;
	} else if (c->cause == CAUSE_ABORT) {
		text_str(&r->body, "ENDED by abort: ");
	} else {
		text_str(&r->body, "ENDED with exit code ");
		text_dec(&r->body, code & 0xff);
		text_str(&r->body, again ? " after all: " : ": ");
	}
	if (inside)
		cause = describe_inside(r, c);
	else if (c->cause != CAUSE_SIGNAL)
		describe(r, c);
	if (c->cause == CAUSE_ABORT)
		text_origin(r, c, ", after ");
	if (c->cause != CAUSE_SIGNAL)
		describe_before(r, c, code, forked);
	if (c->call && str_eq(c->call, "daemon"))
		text_str(&r->body,
			 ": the program goes on in a forked child in the background, and libc "
			 "ends this process");
	if (under_way) {
		text_str(&r->body, ", while ");
		describe(r, under_way);
		text_str(&r->body, " was under way");
	}
	if (forked)
		text_str(&r->body, " (in a forked child)");
	if (c->cause == CAUSE_SIGNAL) {
		if (c->sender.signal == SIGABRT && c->sender.kind == SENDER_SELF)
			cause = CAUSE_ABORT;
		record_signal(r, &c->sender);
		record_static(r, "epitaph.signal.disposition", "default");
	} else if (c->cause == CAUSE_ABORT) {
		record_integer(r, "epitaph.signal.number", 6);
		record_static(r, "epitaph.signal.name", "SIGABRT");
	} else {
		record_integer(r, "process.exit.code", code & 0xff);
	}
	record_static(r, "epitaph.cause", cause_names[cause]);
	record_static(r, "epitaph.ended_by",
		      c->cause == CAUSE_SIGNAL ? sender_word(&c->sender) : "self");
	record_thread(r, c->tid, c->thread);
	if (!forked && process.role == ROLE_ROOT)
		error = log_termination(r->body.buf, r->body.len);
	record_caller(r, caller, &c->trace);
	if (!forked && process.role == ROLE_ROOT)
		report_describe(r, empties_buffers(c), is_brief(c, code, r));
	if (flood_left_out()) {
		text_str(&r->details,
			 "records left out, because five of their kind had been written: ");
		text_dec(&r->details, flood_left_out());
		text_char(&r->details, '\n');
		record_integer(r, "epitaph.left_out", flood_left_out());
	}
	record_write(r);
	tell_termination(error);
}
