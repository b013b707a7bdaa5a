/*
 * What came before an end; the contract is in rules.h. The table at the end of this file is the
 * place to begin.
 *
 * Runs in: any thread, signal handler.
 * SPDX-License-Identifier: MIT
 */
#include "rules.h"

#include <errno.h>
#include <signal.h>

#include "names.h"

/* Silent: the facts do not say it. Likely: it may be why. Sure: the words claim no more than the
 * facts do. */
enum certainty { SILENT, LIKELY, SURE };

#define MS(n) ((int64_t)(n)*1000000)
#define S(n)  ((int64_t)(n)*1000000000)

/* Whether something happened before the end, and not longer before than `most`. */
static bool within(const struct facts *f, int64_t when_ns, int64_t most)
{
	int64_t before = f->end_ns - when_ns;

	return when_ns && before >= 0 && before < most;
}

/* "3 ms", "1.2 s" */
static void text_time_before(struct text *t, const struct facts *f, int64_t when_ns)
{
	int64_t ns = f->end_ns - when_ns;

	if (ns < S(1)) {
		text_dec(t, ns / MS(1));
		text_str(t, " ms");
	} else {
		text_seconds(t, ns, 1);
		text_str(t, " s");
	}
}

/* ---- After a handled signal ---- */

/* How likely it is the reason depends on the signal: those that are made to end a program count for
 * longer than those that servers use to reload. */
static enum certainty after_signal(const struct facts *f)
{
	const struct sender *s = &f->signal;
	bool ends = s->signal == SIGTERM || s->signal == SIGINT || s->signal == SIGQUIT;

	return s->signal && !f->forked && within(f, s->when_ns, ends ? S(300) : S(10)) ? SURE
										       : SILENT;
}

static void signal_fields(struct record *r, const struct sender *s, int64_t ns)
{
	if (signal_name(s->signal))
		record_static(r, "epitaph.after_signal.name", signal_name(s->signal));
	record_seconds(r, "epitaph.after_signal.seconds", ns);
	if (s->when_ns)
		record_static(r, "epitaph.after_signal.sender", sender_word(s));
	if (s->pid)
		record_integer(r, "epitaph.after_signal.sender.pid", s->pid);
}

static void tell_signal(struct record *r, struct facts *f, enum certainty c)
{
	struct sender *s = &f->signal;

	(void)c;
	sender_look_up(s);
	text_str(&r->body, ", ");
	text_time_before(&r->body, f, s->when_ns);
	text_str(&r->body, " after ");
	text_str(&r->body, signal_name(s->signal));
	text_char(&r->body, ' ');
	text_sender(&r->body, s);
	signal_fields(r, s, f->end_ns - s->when_ns);
}

/* What fails or ends while a program shuts down because of a signal is no reason of its own. */
static bool is_shutdown(const struct facts *f)
{
	return f->handler || (after_signal(f) != SILENT && within(f, f->signal.when_ns, S(10)));
}

/* ---- After a failure ---- */

static bool is_missing_file(const struct failure *x)
{
	return x->kind == FAILED_OPEN && x->error == ENOENT;
}

/*
 * A failed call matters where the program fails soon after. With exit code 0 only the sequence is
 * told, and only of calls that few programs make in vain: a file that cannot be opened is often
 * only the first of several places to look at.
 */
static enum certainty counts(const struct facts *f, const struct failure *x)
{
	if (!x || (!f->code && x->error == ENOENT)) /* a service that need not be there */
		return SILENT;
	/* It did without the file: it went on to run a child, which has failed since. */
	if (is_missing_file(x) && (f->child_failed_ns > x->when_ns || f->aborted))
		return SILENT;
	if (x->kind == FAILED_OPEN)
		return f->code && within(f, x->when_ns, is_missing_file(x) ? MS(50) : S(1))
			       ? LIKELY
			       : SILENT;
	if (within(f, x->when_ns, S(1)))
		return SURE;
	return f->code && within(f, x->when_ns, S(10)) ? LIKELY : SILENT;
}

/* The nearest in time; a missing file only where nothing else failed. */
static const struct failure *nearest(const struct facts *f)
{
	const struct failure *best = NULL;

	for (int i = 0; i < FAILED_KINDS; i++) {
		const struct failure *x = f->failures[i];

		if (counts(f, x) == SILENT)
			continue;
		if (!best || is_missing_file(best) ||
		    (!is_missing_file(x) && x->when_ns > best->when_ns))
			best = x;
	}
	return best;
}

static bool input_ended(const struct facts *f)
{
	return !f->forked && within(f, f->input_ended_ns, S(1));
}

static enum certainty after_failure(const struct facts *f)
{
	const struct failure *x = nearest(f);

	if (!x || is_shutdown(f) || (input_ended(f) && f->input_ended_ns > x->when_ns))
		return SILENT;
	return counts(f, x);
}

static void tell_failure(struct record *r, struct facts *f, enum certainty c)
{
	const struct failure *x = nearest(f);

	text_str(&r->body, c == LIKELY ? ", likely because " : ", ");
	text_time_before(&r->body, f, x->when_ns);
	text_str(&r->body, c == LIKELY ? " before " : " after ");
	text_failure(&r->body, x);
	record_static(r, "epitaph.after_failure.call", x->call);
	switch (x->kind) {
	case FAILED_OPEN:
	case FAILED_EXEC:
		record_string(r, "epitaph.after_failure.path", x->subject);
		break;
	default: /* a host's name is an address, too */
		record_string(r, "epitaph.after_failure.address", x->subject);
		break;
	}
	record_integer(r, "epitaph.after_failure.errno", x->error);
	record_seconds(r, "epitaph.after_failure.seconds", f->end_ns - x->when_ns);
}

/* ---- After the end of stdin ---- */

static enum certainty after_input(const struct facts *f)
{
	return input_ended(f) && !is_shutdown(f) && !after_failure(f) ? SURE : SILENT;
}

static void tell_input(struct record *r, struct facts *f, enum certainty c)
{
	(void)c;
	text_str(&r->body, "; stdin was at its end: read returned end of file ");
	text_time_before(&r->body, f, f->input_ended_ns);
	text_str(&r->body, " before");
	record_seconds(r, "epitaph.after_input_end.seconds", f->end_ns - f->input_ended_ns);
}

/* ---- With a child still running ---- */

static enum certainty with_child(const struct facts *f)
{
	return f->main_process && f->children_running ? SURE : SILENT;
}

static void tell_child(struct record *r, struct facts *f, enum certainty c)
{
	struct text *t = &r->body;

	(void)c;
	text_str(t, "; its child");
	if (f->child_pid) {
		text_str(t, ", process ");
		text_dec(t, f->child_pid);
		text_str(t, " (");
		text_clean(t, f->child_name, str_len(f->child_name));
		text_str(t, "),");
		record_integer(r, "epitaph.child.pid", f->child_pid);
		record_string(r, "epitaph.child.name", f->child_name);
	}
	text_str(t, " is still running");
	if (f->children_running > 1) {
		text_str(t, ", and ");
		text_dec(t, f->children_running - 1);
		text_str(t, " more");
	}
	/* Of pid 1 the kernel kills what is left; elsewhere it is how daemons are started. */
	if (r->pid == 1)
		text_str(t, ": the entrypoint ended before it, and what is left of the container "
			    "ends with the entrypoint");
	record_integer(r, "epitaph.children_running", f->children_running);
}

/* ---- After it stopped to listen ---- */

/* A server whose future was dropped, or whose loop ended: nobody asked for that. */
static enum certainty went_deaf(const struct facts *f)
{
	return f->main_process && f->deaf_port && !f->handler && !f->signal.signal &&
			       after_failure(f) == SILENT && after_input(f) == SILENT
		       ? SURE
		       : SILENT;
}

static void tell_deaf(struct record *r, struct facts *f, enum certainty c)
{
	(void)c;
	text_str(&r->body, "; no signal came, and it had stopped listening on ");
	text_clean(&r->body, f->deaf_port, str_len(f->deaf_port));
	text_str(&r->body, " before");
}

/* ---- After nothing at all ---- */

static enum certainty did_nothing(const struct facts *f)
{
	return f->main_process && !f->code && f->output_bytes == 0 && !f->used_network &&
			       !f->had_children && !f->handler &&
			       within(f, f->start_ns, RULES_SHORT_NS) && !f->signal.signal &&
			       after_failure(f) == SILENT && after_input(f) == SILENT
		       ? LIKELY
		       : SILENT;
}

static void tell_nothing(struct record *r, struct facts *f, enum certainty c)
{
	(void)c;
	text_str(&r->body, "; it printed nothing, opened no socket and lived ");
	text_time_before(&r->body, f, f->start_ns);
	text_str(&r->body, ": is this the right binary?");
}

static const struct rule {
	enum certainty (*when)(const struct facts *f);
	void (*words)(struct record *r, struct facts *f, enum certainty c);
} rules[] = {
	{after_signal, tell_signal},   /* ", 5 ms after SIGTERM from …" */
	{after_failure, tell_failure}, /* ", 3 ms after connect to … failed: …" */
	{after_input, tell_input},     /* "; stdin was at its end: …" */
	{with_child, tell_child},      /* "; its child, process 17 (server), is still running" */
	{went_deaf, tell_deaf},	       /* "; no signal came, and it had stopped listening on …" */
	{did_nothing, tell_nothing},   /* "; it printed nothing, …: is this the right binary?" */
};

void rules_tell(struct record *r, struct facts *f)
{
	bool likely = false;

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		enum certainty c = rules[i].when(f);

		if (c == SILENT)
			continue;
		rules[i].words(r, f, c);
		likely |= c == LIKELY;
	}
	if (f->handler && after_signal(f) == SILENT)
		signal_fields(r, f->handler, 0);
	if (likely)
		record_boolean(r, "epitaph.likely", true);
}
