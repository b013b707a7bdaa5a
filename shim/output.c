/*
 * Output by descriptor; the contract is in output.h.
 *
 * Interposes: write __write writev pwrite pwrite64 send.
 * Runs in: anywhere. A call on another descriptor than 1 and 2 costs one comparison. A vfork child
 * that writes to 1 or 2 is counted with its parent: the bytes went to the same place.
 * Sources: man 2 write; man 7 pipe.
 * SPDX-License-Identifier: MIT
 */
#include "output.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "epitaph.h"
#include "flush.h"
#include "log.h"
#include "names.h"
#include "next.h"
#include "procfs.h"
#include "rules.h"
#include "scope.h"
#include "streams.h"
#include "sys.h"

enum { RING = 1024 }; /* at least EPITAPH_TAIL's most */

static struct {
	uint64_t bytes, calls;
	uint64_t known_from; /* the ring holds what was written from there on */
	uint64_t failures, lost;
	int64_t last_ns; /* CLOCK_MONOTONIC, as coarse as the kernel's tick */
	unsigned int told;
	char ring[RING];
} seen[STREAMS];

static const char names[STREAMS][7] = {"stdout", "stderr"};

static const struct {
	int error;
	char meaning[60];
} meanings[] = {{EPIPE, "nobody reads it any more"},
		{EBADF, "it is closed, or not open for writing"},
		{EFBIG, "it is beyond the limit of file size (RLIMIT_FSIZE)"},
		{EAGAIN, "it is non-blocking, and its reader does not keep up"},
		{EIO, "an input or output error, or a terminal that is gone"}};

enum { MEANINGS = sizeof meanings / sizeof *meanings };

int output_errno(void)
{
	int *(*location)(void) = next_use(USE_errno_location);

	return location ? *location() : 0;
}

/* `calls`: 0 for a further part of what one call wrote. */
static inline __attribute__((always_inline)) void count(int stream, const void *data, size_t n,
							unsigned int calls)
{
	__typeof__(&seen[0]) s = &seen[stream];
	uint64_t at = __atomic_fetch_add(&s->bytes, n, __ATOMIC_RELAXED);
	const char *from = data;

	__atomic_fetch_add(&s->calls, calls, __ATOMIC_RELAXED);
	__atomic_store_n(&s->last_ns, clock_fast_ns(CLOCK_MONOTONIC_COARSE), __ATOMIC_RELAXED);
	if (!from) {
		__atomic_store_n(&s->known_from, at + n, __ATOMIC_RELAXED);
		return;
	}
	/* Each writer has the part of the ring that its bytes have in the stream. */
	size_t most = (size_t)config.tail, skip = n > most ? n - most : 0;
	size_t to = (at + skip) % RING;
	from += skip;
	n -= skip;
	if (unlikely(to + n > RING)) {
		for (size_t i = 0; i < n; i++)
			s->ring[(to + i) % RING] = from[i];
		return;
	}
	/* Faster than a byte at a time. */
	for (; n >= sizeof(uint64_t); n -= sizeof(uint64_t)) {
		__builtin_memcpy(s->ring + to, from, sizeof(uint64_t));
		to += sizeof(uint64_t);
		from += sizeof(uint64_t);
	}
	while (n--)
		s->ring[to++] = *from++;
}

void output_wrote(int stream, const void *data, size_t n)
{
	count(stream, data, n, 1);
}

static void tell(int stream, const char *call, int error, size_t lost)
{
	struct record *r = record_begin(EVENT_OUTPUT, SEVERITY_WARN);
	const char *meaning = NULL;

	if (!r)
		return;
	for (int i = 0; i < MEANINGS; i++)
		if (meanings[i].error == error)
			meaning = meanings[i].meaning;
	text_str(&r->body, call);
	text_str(&r->body, " to ");
	text_str(&r->body, names[stream]);
	text_str(&r->body, error ? " failed: " : " was cut short: ");
	if (error)
		text_str(&r->body, error_name(error));
	else
		text_str(&r->body, "its reader, or the room there is, took only a part");
	if (meaning) {
		text_str(&r->body, " (");
		text_str(&r->body, meaning);
		text_char(&r->body, ')');
	}
	if (lost) {
		text_str(&r->body, "; ");
		text_dec(&r->body, (int64_t)lost);
		text_str(&r->body, " bytes are lost unless the program tries again");
		record_integer(r, "epitaph.output.bytes", (int64_t)lost);
	}
	record_static(r, "epitaph.output.stream", names[stream]);
	if (error)
		record_integer(r, "epitaph.output.errno", error);
	record_write(r);
}

void output_failed(int stream, const char *call, int error, size_t lost)
{
	unsigned int kind = MEANINGS + 1, bit;

	if (error == EINTR || in_forked_child())
		return;
	__atomic_fetch_add(&seen[stream].failures, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&seen[stream].lost, lost, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < MEANINGS; i++)
		if (meanings[i].error == error)
			kind = i;
	bit = 1u << (error ? kind : MEANINGS);
	if (!(__atomic_fetch_or(&seen[stream].told, bit, __ATOMIC_RELAXED) & bit) &&
	    scope_reports(false))
		tell(stream, call, error, lost);
}

/* ---- The report ---- */

/* /proc/self/io: "rchar: N\nwchar: N\n…"; wchar is all that this process ever wrote anywhere, in
 * its programs before the last exec, too. -1: not known. */
static int64_t written_by_process(void)
{
	char path[40], text[160] = "";
	const char *at = text;
	int64_t all = 0;

	procfs_path(path, sizeof path, 0, "io");
	procfs_read(path, text, sizeof text);
	while (*at && !str_starts(at, "wchar: "))
		at++;
	if (!*at)
		return -1;
	for (at += 7; *at >= '0' && *at <= '9'; at++)
		all = all * 10 + (*at - '0');
	return all;
}

static int64_t written_before;

void output_load(bool executed)
{
	/* A container engine's own program wrote before it became this one, and so did a script
	 * that executed it; others fork first. The look costs 30 us. */
	if (process.pid == 1 || executed)
		written_before = written_by_process();
}

static bool wrote_nothing(void)
{
	return written_before >= 0 &&
	       written_by_process() - written_before == (int64_t)log_written();
}

int64_t output_bytes(void)
{
	int64_t bytes = (int64_t)(seen[STREAM_STDOUT].bytes + seen[STREAM_STDERR].bytes);

	/* Not every way to write is seen: where nothing was, the kernel's own count decides. */
	return bytes ? bytes : wrote_nothing() ? 0 : -1;
}

/* A field of one of the two streams: epitaph.stdout.bytes and so on. */
#define FIELD(type, r, stream, name, value)                                                        \
	record_##type(r,                                                                           \
		      (stream) == STREAM_STDOUT ? "epitaph.stdout." name : "epitaph.stderr." name, \
		      value)

static void describe_stream(struct record *r, int i)
{
	uint64_t bytes = seen[i].bytes, from = bytes;
	struct text *t = &r->details;
	size_t n = 0, most = (size_t)config.tail;
	char *tail = r->work;

	text_str(t, names[i]);
	FIELD(integer, r, i, "bytes", (int64_t)bytes);
	FIELD(integer, r, i, "writes", (int64_t)seen[i].calls);
	if (!seen[i].calls) {
		text_str(t, " none seen");
		return;
	}
	text_char(t, ' ');
	text_dec(t, (int64_t)bytes);
	text_str(t, " bytes in ");
	text_dec(t, (int64_t)seen[i].calls);
	text_str(t, seen[i].calls == 1 ? " write" : " writes");
	int64_t ago = clock_fast_ns(CLOCK_MONOTONIC_COARSE) - seen[i].last_ns;
	int64_t at = sys_clock_ns(CLOCK_BOOTTIME) - process.start_ns - (ago > 0 ? ago : 0);
	text_str(t, ", last at +");
	text_seconds(t, at > 0 ? at : 0, 3);
	text_char(t, 's');
	FIELD(seconds, r, i, "last", at > 0 ? at : 0);
	if (bytes - seen[i].known_from < most)
		most = (size_t)(bytes - seen[i].known_from);
	bool cut = most < bytes;
	for (from -= most; from < bytes; from++)
		tail[n++] = seen[i].ring[from % RING];
	while (n && (tail[n - 1] == '\n' || tail[n - 1] == '\r'))
		n--;
	/* Not with the rest of a character whose beginning is cut off. */
	for (int k = 0; cut && k < 3 && n && (*tail & 0xc0) == 0x80; k++, n--)
		tail++;
	if (n) {
		/* Clean text stays as it is when it is cleaned again; a field ends at a zero. */
		char *clean = r->work + RING;
		struct text c = text_over(clean, sizeof r->work - RING);

		text_clean(&c, tail, n);
		text_str(t, " \"");
		text_str(t, clean);
		text_char(t, '"');
		FIELD(string, r, i, "tail", clean);
	}
}

/* A field of a kind of stream. */
static void left_field(struct record *r, int kind, bool flushed, size_t bytes)
{
	if (kind == FLUSH_OTHERS && flushed)
		record_integer(r, "epitaph.streams.flushed", (int64_t)bytes);
	else if (kind == FLUSH_OTHERS)
		record_integer(r, "epitaph.streams.unflushed", (int64_t)bytes);
	else if (flushed)
		FIELD(integer, r, kind, "flushed", (int64_t)bytes);
	else
		FIELD(integer, r, kind, "unflushed", (int64_t)bytes);
}

/* `exits`: libc's exit, which is under way, writes what is left. */
static bool describe_left(struct record *r, int kind, bool exits)
{
	size_t flushed = flush_done(kind), pending = flush_pending(kind);
	const char *name = kind == FLUSH_OTHERS ? "other streams" : names[kind];
	struct text *t = &r->details;

	if (flushed) {
		text_str(t, "; ");
		text_dec(t, (int64_t)flushed);
		text_str(t, " bytes of ");
		text_str(t, name);
		text_str(t, " flushed by Epitaph");
		left_field(r, kind, true, flushed);
	}
	if (!pending)
		return flushed != 0;
	text_str(t, "; ");
	text_dec(t, (int64_t)pending);
	text_str(t, " bytes of ");
	text_str(t, name);
	if (exits) {
		text_str(t, " left for exit to write");
		return true;
	}
	text_str(t, kind == FLUSH_OTHERS ? " left in their buffers" : " left in its buffer");
	if (flush_left(kind)) {
		text_str(t, ": ");
		text_str(t, flush_left(kind));
	}
	left_field(r, kind, false, pending);
	return true;
}

void output_describe(struct record *r, bool exits)
{
	struct text *t = &r->details;
	bool left = false;

	text_str(t, "output: ");
	describe_stream(r, STREAM_STDOUT);
	text_str(t, "; ");
	describe_stream(r, STREAM_STDERR);
	for (int i = 0; i < FLUSH_KINDS; i++)
		left |= describe_left(r, i, exits);
	if (!left)
		text_str(t, "; nothing left unflushed");
	for (int i = 0; i < STREAMS; i++) {
		if (!seen[i].failures)
			continue;
		text_str(t, "; ");
		text_dec(t, (int64_t)seen[i].failures);
		text_str(t, seen[i].failures == 1 ? " failed write to " : " failed writes to ");
		text_str(t, names[i]);
	}
	text_char(t, '\n');
}

/* ---- Hooks ---- */

static inline bool concerns(int fd)
{
	return unlikely((unsigned int)fd - STDOUT_FILENO < STREAMS);
}

static __attribute__((noinline)) void on_failure(int stream, const char *call, size_t asked,
						 long got)
{
	if (got < 0)
		output_failed(stream, call, output_errno(), asked);
	else if ((size_t)got < asked)
		output_failed(stream, call, 0, asked - (size_t)got);
}

/* In the hook's own frame: what is behind a system call costs more than it looks. */
static inline __attribute__((always_inline)) void on_write(int hook, const char *call, int fd,
							   const void *data, size_t asked, long got)
{
	if (!epitaph_enter(hook))
		return;
	if (likely(got > 0))
		count(fd - STDOUT_FILENO, data, (size_t)got, 1);
	if (unlikely(got != (long)asked))
		on_failure(fd - STDOUT_FILENO, call, asked, got);
}

/*
 * Python without its buffer ignores that a write was short, as it is where a signal that has a
 * handler comes while a pipe is full: what was left would be lost, where Python's own buffer would
 * have tried again. Python wants to run its handler before it waits again, so a second at most.
 */
static __attribute__((noinline)) long finish(int fd, const char *data, size_t n, long got)
{
	int flags;

	if (got <= 0 || !streams_python || !ENTER(write))
		return got;
	flags = sys_fcntl(fd, F_GETFL, 0);
	if (flags < 0 || (flags & O_NONBLOCK))
		return got;
	return got + (long)flush_rest(fd, data + got, n - (size_t)got);
}

EPITAPH_EXPORT ssize_t write(int fd, const void *data, size_t n)
{
	if (likely(!concerns(fd)))
		return NEXT(write)(fd, data, n);
	ssize_t got = NEXT(write)(fd, data, n);
	if (unlikely(got != (ssize_t)n))
		got = finish(fd, data, n, got);
	on_write(HOOK_write, "write", fd, data, n, got);
	return got;
}

ssize_t __write(int fd, const void *data, size_t n);

EPITAPH_EXPORT ssize_t __write(int fd, const void *data, size_t n)
{
	__typeof__(&__write) next = NEXT(__write);
	ssize_t got = next ? next(fd, data, n) : NEXT(write)(fd, data, n);

	if (concerns(fd))
		on_write(HOOK___write, "write", fd, data, n, got);
	return got;
}

EPITAPH_EXPORT ssize_t writev(int fd, const struct iovec *parts, int n)
{
	ssize_t got = NEXT(writev)(fd, parts, n);
	size_t asked = 0, left = got > 0 ? (size_t)got : 0;
	unsigned int calls = 1;

	if (!concerns(fd) || !ENTER(writev))
		return got;
	/* Where it failed, the kernel may not have liked the list. */
	for (int i = 0; got >= 0 && i < n; i++) {
		size_t part = parts[i].iov_len < left ? parts[i].iov_len : left;

		asked += parts[i].iov_len;
		if (part) {
			count(fd - STDOUT_FILENO, parts[i].iov_base, part, calls);
			calls = 0;
		}
		left -= part;
	}
	on_failure(fd - STDOUT_FILENO, "writev", asked, got);
	return got;
}

#ifdef __LP64__
/* By the assembler's name: the headers may make one of the other. */
typedef ssize_t pwrite_function(int, const void *, size_t, off_t);

pwrite_function epitaph_pwrite __asm__("pwrite"), epitaph_pwrite64 __asm__("pwrite64");

static ssize_t pwrite_seen(int hook, int fd, const void *data, size_t n, off_t at)
{
	pwrite_function *next = (pwrite_function *)next_get((enum hook)hook);

	if (!next) /* newer musl */
		next = (pwrite_function *)next_get(HOOK_pwrite);
	ssize_t got = next(fd, data, n, at);
	if (concerns(fd))
		on_write(hook, "pwrite", fd, data, n, got);
	return got;
}

EPITAPH_EXPORT ssize_t epitaph_pwrite(int fd, const void *data, size_t n, off_t at)
{
	return pwrite_seen(HOOK_pwrite, fd, data, n, at);
}

EPITAPH_EXPORT ssize_t epitaph_pwrite64(int fd, const void *data, size_t n, off_t at)
{
	return pwrite_seen(HOOK_pwrite64, fd, data, n, at);
}
#endif

EPITAPH_EXPORT ssize_t send(int fd, const void *data, size_t n, int flags)
{
	ssize_t got = NEXT(send)(fd, data, n, flags);

	if (concerns(fd))
		on_write(HOOK_send, "send", fd, data, n, got);
	return got;
}
