/*
 * Buffers of stdout and stderr; the contract is in streams.h.
 *
 * Interposes: setvbuf setbuf setbuffer setlinebuf freopen freopen64 fdopen.
 * Runs in: load; any thread; streams_flush also where a signal handler calls _exit.
 * Sources: glibc bits/types/struct_FILE.h, libio/__fpending.c; musl src/internal/streams_impl.h;
 * the layout of ios_base in libstdc++ (bits/ios_base.h) and libc++ (ios).
 * SPDX-License-Identifier: MIT
 */
#include "streams.h"

#include <signal.h>
#include <unistd.h>

#include "config.h"
#include "dispositions.h"
#include "epitaph.h"
#include "next.h"
#include "sys.h"

enum { PIECE = 4096, WAIT_MS = 1000, LOCK_TRIES = 100 };

FILE *streams_libc[STREAMS];

static struct {
	size_t flushed;
	const char *left;
	bool forked; /* a fork copied what it held */
} fates[STREAMS];

static int mode_wanted(void)
{
	return config.stdio == STDIO_LINE ? _IOLBF : _IONBF;
}

static void unbuffer(FILE *f)
{
	if (config.stdio != STDIO_KEEP && NEXT(setvbuf))
		NEXT(setvbuf)(f, NULL, mode_wanted(), 0);
}

void streams_load(void)
{
	FILE **out = next_use(USE_stdout), **err = next_use(USE_stderr);

	streams_libc[STREAM_STDOUT] = out ? *out : NULL;
	streams_libc[STREAM_STDERR] = err ? *err : NULL;
	/* stderr has no buffer in either libc. */
	if (streams_libc[STREAM_STDOUT] && !config.ignore[HOOK_setvbuf])
		unbuffer(streams_libc[STREAM_STDOUT]);
}

/* ---- C++ ---- */

/* The flags of a stream object, whose virtual base lies where its table says (Itanium C++ ABI). */
static unsigned int *flags_of(void *stream, size_t at)
{
	const ptrdiff_t *table = stream ? *(const ptrdiff_t **)stream : NULL;

	/* Not made yet: no table. */
	return table ? (unsigned int *)((char *)stream + table[-3] + at) : NULL;
}

static void unbuffer_cxx(enum use out, enum use log, enum use err, size_t at)
{
	static const unsigned int SKIPWS_DEC = 0x1002, UNITBUF = 0x2000;
	unsigned int *o = flags_of(next_use(out), at);
	unsigned int *l = o ? flags_of(next_use(log), at) : NULL;
	unsigned int *e = l ? flags_of(next_use(err), at) : NULL;

	/* cerr is made with unitbuf: where it reads so, the layout is the one we know. */
	if (!e || (*e & ~UNITBUF) != SKIPWS_DEC || !(*e & UNITBUF))
		return;
	*o |= UNITBUF;
	*l |= UNITBUF;
}

void streams_load_cxx(void)
{
	if (config.stdio == STDIO_KEEP || config.ignore[HOOK_setvbuf])
		return;
	/* Behind the table: precision and width, words, in libstdc++; the flags first in libc++. */
	unbuffer_cxx(USE_cout, USE_clog, USE_cerr, 3 * sizeof(void *));
	unbuffer_cxx(USE_cout_libcxx, USE_clog_libcxx, USE_cerr_libcxx, sizeof(void *));
}

/* ---- What the program asks for ---- */

/* Whether a request for a buffer is to succeed and change nothing. */
static bool refuses(FILE *f, int mode)
{
	return config.stdio != STDIO_KEEP && streams_which(f) >= 0 &&
	       (mode == _IOFBF || mode == _IOLBF || mode == _IONBF) && ENTER(setvbuf);
}

EPITAPH_EXPORT int setvbuf(FILE *restrict f, char *restrict buf, int mode, size_t size)
{
	return refuses(f, mode) ? 0 : NEXT(setvbuf)(f, buf, mode, size);
}

EPITAPH_EXPORT void setbuf(FILE *restrict f, char *restrict buf)
{
	if (!refuses(f, _IOFBF))
		NEXT(setbuf)(f, buf);
}

EPITAPH_EXPORT void setbuffer(FILE *restrict f, char *restrict buf, size_t size)
{
	if (!refuses(f, _IOFBF))
		NEXT(setbuffer)(f, buf, size);
}

EPITAPH_EXPORT void setlinebuf(FILE *f)
{
	if (!refuses(f, _IOLBF))
		NEXT(setlinebuf)(f);
}

typedef FILE *freopen_function(const char *restrict, const char *restrict, FILE *restrict);

freopen_function epitaph_freopen __asm__("freopen"), epitaph_freopen64 __asm__("freopen64");

/* A stream opened anew has its buffer back. */
static FILE *reopened(FILE *f)
{
	if (f && streams_which(f) >= 0 && ENTER(freopen))
		unbuffer(f);
	return f;
}

EPITAPH_EXPORT FILE *epitaph_freopen(const char *restrict path, const char *restrict mode,
				     FILE *restrict f)
{
	return reopened(((freopen_function *)next_get(HOOK_freopen))(path, mode, f));
}

EPITAPH_EXPORT FILE *epitaph_freopen64(const char *restrict path, const char *restrict mode,
				       FILE *restrict f)
{
	freopen_function *next = (freopen_function *)next_get(HOOK_freopen64);

	if (!next)
		next = (freopen_function *)next_get(HOOK_freopen);
	return reopened(next(path, mode, f));
}

/* Another stream over descriptor 1 or 2 is as good as stdout: where it is written to. */
EPITAPH_EXPORT FILE *fdopen(int fd, const char *mode)
{
	FILE *f = NEXT(fdopen)(fd, mode);

	if (f && (fd == STDOUT_FILENO || fd == STDERR_FILENO) && *mode != 'r' && ENTER(fdopen))
		unbuffer(f);
	return f;
}

/* ---- The end ---- */

size_t streams_pending(int stream)
{
	size_t (*fpending)(FILE *) = next_use(USE___fpending);
	FILE *f = streams_libc[stream];

	return f && fpending ? fpending(f) : 0;
}

size_t streams_flushed(int stream)
{
	return fates[stream].flushed;
}

const char *streams_left(int stream)
{
	return fates[stream].left;
}

void streams_forks(void)
{
	if (config.stdio == STDIO_NONE && likely(!fates[STREAM_STDOUT].forked) &&
	    !streams_pending(STREAM_STDOUT))
		return;
	for (int i = 0; i < STREAMS; i++)
		if (streams_pending(i))
			fates[i].forked = true;
}

/*
 * Whether this may be a signal handler, which found a stream in the midst of a change. A handler
 * runs with its own signal blocked, unless SA_NODEFER: so where nothing that has a handler is
 * blocked, this is none.
 */
static bool may_be_handler(void)
{
	uint64_t blocked = 0;

	SYS4(SYS_rt_sigprocmask, SIG_BLOCK, 0, &blocked, SYS_SIGSET_BYTES);
	for (int sig = 1; sig < 65; sig++) {
		uintptr_t action[8] = {0};

		SYS4(SYS_rt_sigaction, sig, 0, action, SYS_SIGSET_BYTES);
		if (dispositions_is_default(action[0]) || action[0] == (uintptr_t)SIG_IGN)
			continue;
		if ((blocked >> (sig - 1) & 1) || (action[1] & SA_NODEFER))
			return true;
	}
	return false;
}

/* What a stream's buffer holds. The layouts are those of glibc and musl; that they are right is
 * checked against what libc itself counts. */
static const char *buffered(FILE *f, size_t pending)
{
	const char *const *words = (const void *)f;
	bool glibc = process.libc == LIBC_GLIBC;
	const char *from = glibc ? words[4] : words[7], *to = words[5];

	return (uintptr_t)to - (uintptr_t)from == pending ? from : NULL;
}

/* Writes as much as there is room for, until the clock says stop. Returns the bytes written; *why
 * is set where that is not all. */
static size_t write_out(int fd, const char *from, size_t n, int64_t deadline, const char **why)
{
	size_t done = 0;

	while (done < n) {
		int64_t left = (deadline - sys_clock_ns(CLOCK_BOOTTIME)) / 1000000;
		int events = left > 0 ? sys_poll_write(fd, (int)left) : 0;

		if (events == -EINTR)
			continue;
		if (events == 0) {
			*why = "nobody took it within a second";
			break;
		}
		/* One piece always fits where poll says so: a pipe has room for a page. */
		long got = sys_write(fd, from + done, n - done < PIECE ? n - done : PIECE);
		if (got == -EINTR || got == -EAGAIN)
			continue;
		if (got <= 0) {
			*why = "it cannot be written to";
			break;
		}
		done += (size_t)got;
	}
	return done;
}

static void flush_one(int stream, int64_t deadline)
{
	FILE *f = streams_libc[stream];
	int (*trylock)(FILE *) = next_use(USE_ftrylockfile);
	void (*unlock)(FILE *) = next_use(USE_funlockfile);
	void (*purge)(FILE *) = next_use(USE___fpurge);
	int (*number)(FILE *) = next_use(USE_fileno);
	const char **why = &fates[stream].left;
	size_t pending;
	int tries = 0;

	*why = NULL;
	if (fates[stream].forked) {
		*why = "a forked child has the same bytes in its buffer";
		return;
	}
	if (!trylock || !unlock || !purge || !number)
		return;
	while (trylock(f) != 0) {
		long pause[2] = {0, 1000000};

		if (++tries > LOCK_TRIES) {
			*why = "another thread holds the stream's lock";
			return;
		}
		SYS2(SYS_nanosleep, pause, 0);
	}
	pending = streams_pending(stream);
	const char *from = pending ? buffered(f, pending) : NULL;
	if (from) {
		size_t done = write_out(number(f), from, pending, deadline, why);

		fates[stream].flushed += done;
		if (done == pending)
			purge(f);
	} else if (pending) {
		*why = "its characters are wide";
	}
	unlock(f);
}

void streams_flush(void)
{
	uint64_t raised = 1ull << (SIGPIPE - 1) | 1ull << (SIGXFSZ - 1) | 1ull << (SIGTTOU - 1);
	uint64_t old = 0, before = 0, after = 0;
	int *(*location)(void);
	int64_t deadline;
	int error;

	if (!streams_pending(STREAM_STDOUT) && !streams_pending(STREAM_STDERR))
		return;
	if (in_forked_child())
		return;
	if (may_be_handler()) {
		for (int i = 0; i < STREAMS; i++)
			fates[i].left = "a signal handler ends the process";
		return;
	}
	location = next_use(USE_errno_location);
	error = location ? *location() : 0;
	deadline = sys_clock_ns(CLOCK_BOOTTIME) + (int64_t)WAIT_MS * 1000000;
	SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &raised, &old, SYS_SIGSET_BYTES);
	SYS2(SYS_rt_sigpending, &before, SYS_SIGSET_BYTES);
	for (int i = 0; i < STREAMS; i++)
		if (streams_pending(i))
			flush_one(i, deadline);
	/* The signals that our own writes raised are taken back. */
	SYS2(SYS_rt_sigpending, &after, SYS_SIGSET_BYTES);
	raised &= after & ~before;
	long zero[2] = {0, 0};
	if (raised)
		SYS4(SYS_rt_sigtimedwait, &raised, 0, zero, SYS_SIGSET_BYTES);
	SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, SYS_SIGSET_BYTES);
	if (location)
		*location() = error;
}
