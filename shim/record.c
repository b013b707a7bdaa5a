/*
 * Records and their two renderings; the contract is in record.h, the fields in docs/records.md.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "record.h"

#include <sys/mman.h>

#include "config.h"
#include "epitaph.h"
#include "exe.h"
#include "names.h"
#include "sys.h"

static struct record pool[2] __attribute__((section(".bss.yy_pool")));
static int pool_busy[2];

static const char *const event_names[] = {"epitaph.start",  "epitaph.config",  "epitaph.signal",
					  "epitaph.kill",   "epitaph.handler", "epitaph.child",
					  "epitaph.exec",   "epitaph.failure", "epitaph.silence",
					  "epitaph.output", "epitaph.end"};
static const char *const severity_names[] = {"ERROR", "WARN", "INFO", "DEBUG"};

static struct record *allocate(void)
{
	for (int i = 0; i < 2; i++) {
		int free = 0;

		if (__atomic_compare_exchange_n(&pool_busy[i], &free, 1, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED)) {
			pool[i].mapped = false;
			return &pool[i];
		}
	}
	long at = sys_call6(SYS_MMAP, 0, sizeof(struct record), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at < 0 && at > -4096)
		return NULL;
	struct record *r = (struct record *)at;
	r->mapped = true;
	return r;
}

void record_drop(struct record *r)
{
	if (r->mapped)
		SYS2(SYS_munmap, r, sizeof *r);
	else
		__atomic_store_n(&pool_busy[r - pool], 0, __ATOMIC_RELEASE);
}

struct record *record_begin(enum event event, enum severity severity)
{
	struct record *r;
	int tid;

	if ((int)severity > (int)config.level)
		return NULL;
	r = allocate();
	if (!r)
		return NULL;
	r->event = event;
	r->severity = severity;
	r->pid = who_runs(&tid);
	if (config.format == FORMAT_JSON)
		r->unix_ns = sys_clock_ns(CLOCK_REALTIME);
	r->mono_ns = event == EVENT_START ? process.start_ns : sys_clock_ns(CLOCK_BOOTTIME);
	r->field_count = 0;
	r->body = text_over(r->body_buf, sizeof r->body_buf);
	/* Not yet ended with NUL: that would touch two more pages. */
	r->details = (struct text){.buf = r->details_buf, .cap = sizeof r->details_buf};
	r->arena = (struct text){.buf = r->arena_buf, .cap = sizeof r->arena_buf};
	return r;
}

static struct field *add(struct record *r, const char *key, enum field_type type)
{
	struct field *f;

	if (r->field_count == FIELDS_MOST)
		return NULL;
	f = &r->fields[r->field_count++];
	f->key = key;
	f->type = type;
	return f;
}

void record_integer(struct record *r, const char *key, int64_t value)
{
	struct field *f = add(r, key, FIELD_INTEGER);

	if (f)
		f->u.integer = value;
}

void record_seconds(struct record *r, const char *key, int64_t ns)
{
	struct field *f = add(r, key, FIELD_SECONDS);

	if (f)
		f->u.integer = ns;
}

void record_boolean(struct record *r, const char *key, bool value)
{
	struct field *f = add(r, key, FIELD_BOOLEAN);

	if (f)
		f->u.integer = value;
}

/* The arena's free end as a text of its own; keep() then takes what was written to it. */
static struct text arena_tail(struct record *r)
{
	return text_over(r->arena.buf + r->arena.len, r->arena.cap - r->arena.len);
}

static const char *keep(struct record *r, const struct text *t)
{
	/* The next string begins behind the NUL of this one. */
	r->arena.len += t->len + (r->arena.len + t->len + 1 < r->arena.cap);
	return t->buf;
}

void record_string(struct record *r, const char *key, const char *value)
{
	struct field *f = add(r, key, FIELD_STRING);
	struct text t = arena_tail(r);

	if (!f)
		return;
	text_clean(&t, value, str_len(value));
	f->u.string = keep(r, &t);
}

void record_static(struct record *r, const char *key, const char *literal)
{
	struct field *f = add(r, key, FIELD_STRING);

	if (f)
		f->u.string = literal;
}

void record_text(struct record *r, const char *key, const struct text *value)
{
	struct field *f = add(r, key, FIELD_STRING);
	struct text t = arena_tail(r);

	if (!f)
		return;
	text_mem(&t, value->buf, value->len);
	f->u.string = keep(r, &t);
}

void record_thread(struct record *r, int tid, const char *name)
{
	if (tid == r->pid)
		return;
	record_integer(r, "thread.id", tid);
	record_string(r, "thread.name", name);
}

void record_caller(struct record *r, uintptr_t caller, const struct trace *trace)
{
	int n = trace ? trace->count : 0;
	struct place *p = &r->caller;
	struct text t;

	for (int i = 0; i < n; i++)
		r->places[i].pc = trace->pc[i];
	places_find(r->places, n, r->work, sizeof r->work);
	if (caller) {
		p->pc = caller;
		places_find(p, 1, r->work, sizeof r->work);
		if (p->exact) {
			t = text_over(r->line, sizeof r->line);
			text_symbol(&t, p);
			record_text(r, "code.function.name", &t);
		}
		if (p->map) {
			record_string(r, "epitaph.caller.module", place_path(p));
			t = text_over(r->line, sizeof r->line);
			text_hex(&t, p->offset);
			record_text(r, "epitaph.caller.offset", &t);
		}
	}
	if (n < 2)
		return;
	t = text_over(r->line, 1600);
	text_str(&r->details, "backtrace: ");
	for (int i = 0; i < n; i++) {
		struct text mark = t, mark_line = r->details;

		if (i) {
			text_char(&t, '\n');
			text_str(&r->details, " < ");
		}
		text_place(&t, &r->places[i]);
		text_place(&r->details, &r->places[i]);
		if (i >= trace->guessed) {
			text_str(&t, " (likely)");
			text_str(&r->details, " (likely)");
		}
		if (t.cut || r->details.cut) { /* never half a frame */
			t = mark;
			t.buf[t.len] = '\0';
			r->details = mark_line;
			break;
		}
	}
	text_char(&r->details, '\n');
	record_text(r, "code.stacktrace", &t);
}

static void json_key(struct text *t, const char *key)
{
	text_str(t, ",\""); /* the timestamp opens the object and needs none */
	text_str(t, key);
	text_str(t, "\":");
}

static void json_string(struct text *t, const char *key, const char *value)
{
	json_key(t, key);
	text_char(t, '"');
	text_json(t, value);
	text_char(t, '"');
}

static void json_field(struct text *t, const struct field *f)
{
	switch (f->type) {
	case FIELD_STRING:
		json_string(t, f->key, f->u.string);
		break;
	case FIELD_INTEGER:
		json_key(t, f->key);
		text_dec(t, f->u.integer);
		break;
	case FIELD_SECONDS:
		json_key(t, f->key);
		text_seconds(t, f->u.integer, 6);
		break;
	case FIELD_BOOLEAN:
		json_key(t, f->key);
		text_str(t, f->u.integer ? "true" : "false");
		break;
	}
}

/* Writes a field, or nothing where it does not fit: the object stays valid. */
static void json_put(struct text *t, const struct field *f)
{
	struct text mark = *t;

	if (mark.cut)
		return;
	json_field(t, f);
	if (t->cut) {
		*t = mark;
		t->buf[t->len] = '\0';
	}
}

static void json_put_string(struct text *t, const char *key, const char *value)
{
	json_put(t, &(struct field){.key = key, .type = FIELD_STRING, .u.string = value});
}

static void json_put_number(struct text *t, const char *key, enum field_type type, int64_t value)
{
	json_put(t, &(struct field){.key = key, .type = type, .u.integer = value});
}

/* The cleaned path of the running program: read once, because it costs, and because it stays. */
static const char *executable(struct record *r)
{
	static char path[1024] EPITAPH_COLD;
	static int state; /* 0: not read, 1: somebody is at it, 2: there */
	int unread = 0;

	if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == 2)
		return path;
	struct text t = text_over(r->work + EXE_BUFFER, sizeof path);
	if (exe_path(r->work) <= 0)
		text_clean(&t, process.execfn, str_len(process.execfn));
	else
		text_clean(&t, r->work, str_len(r->work));
	if (__atomic_compare_exchange_n(&state, &unread, 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED)) {
		__builtin_memcpy(path, t.buf, t.len + 1);
		__atomic_store_n(&state, 2, __ATOMIC_RELEASE);
	}
	return t.buf;
}

static void write_json(struct record *r)
{
	/* Room for the closing brace and the newline is kept back. */
	struct text t = text_over(r->line, LOG_LINE_MOST - 1);
	const char *exe = executable(r);

	text_str(&t, "{\"timestamp\":\"");
	text_time(&t, r->unix_ns);
	text_char(&t, '"');
	json_put_string(&t, "severity_text", severity_names[r->severity]);
	json_put_string(&t, "event.name", event_names[r->event]);
	json_put_string(&t, "body", r->body.buf);
	json_put_number(&t, "process.pid", FIELD_INTEGER, r->pid);
	json_put_number(&t, "process.parent_pid", FIELD_INTEGER, sys_getppid());
	json_put_string(&t, "process.executable.path", exe);
	json_put_string(&t, "process.executable.name", str_base(exe));
	json_put_number(&t, "process.uptime", FIELD_SECONDS, r->mono_ns - process.start_ns);
	for (int i = 0; i < r->field_count; i++)
		json_put(&t, &r->fields[i]);
	t.cap = LOG_LINE_MOST + 1;
	text_str(&t, "}\n");
	log_line(t.buf, t.len);
}

static const char *colour_of(const struct record *r)
{
	if (r->severity == SEVERITY_ERROR)
		return "\033[1;31m";
	return r->severity == SEVERITY_WARN ? "\033[1;33m" : r->event == EVENT_END ? "\033[1m" : "";
}

/* One text line: the head that all share, then a sentence or a detail of it. */
static void write_line(struct record *r, const char *s, size_t n, bool detail)
{
	bool colour = log_is_terminal() && !config.no_color;
	struct text t = text_over(r->line, LOG_LINE_MOST - 8);

	if (colour)
		text_str(&t, "\033[2m");
	text_str(&t, "epitaph: ");
	text_clean(&t, process.name, str_len(process.name));
	text_char(&t, '[');
	text_dec(&t, r->pid);
	text_char(&t, ']');
	if (colour)
		text_str(&t, "\033[0m");
	text_char(&t, ' ');
	if (detail) {
		text_str(&t, "  ");
	} else if (r->event != EVENT_START && r->event != EVENT_CONFIG) {
		text_char(&t, '+');
		text_seconds(&t, r->mono_ns - process.start_ns, 3);
		text_str(&t, "s ");
	}
	if (colour && !detail)
		text_str(&t, colour_of(r));
	text_mem(&t, s, n);
	t.cap = LOG_LINE_MOST + 1;
	if (colour && !detail)
		text_str(&t, "\033[0m");
	text_char(&t, '\n');
	log_line(t.buf, t.len);
}

static void render(struct record *r)
{
	if (config.format == FORMAT_JSON) {
		write_json(r);
		return;
	}
	write_line(r, r->body.buf, r->body.len, false);
	for (size_t at = 0, end; at < r->details.len; at = end + 1) {
		for (end = at; end < r->details.len && r->details.buf[end] != '\n'; end++)
			;
		write_line(r, r->details.buf + at, end - at, true);
	}
}

void record_write(struct record *r)
{
	int error;

	render(r);
	error = log_failure();
	if (unlikely(error)) {
		struct record *why = record_begin(EVENT_CONFIG, SEVERITY_WARN);

		if (why) {
			text_str(&why->body, "EPITAPH_LOG=\"");
			text_clean(&why->body, config.log_path, str_len(config.log_path));
			text_str(&why->body, "\" cannot be written (");
			text_str(&why->body, error_name(error));
			text_str(&why->body, "); going on with stderr");
			render(why);
			record_drop(why);
		}
		render(r);
	}
	record_drop(r);
}
