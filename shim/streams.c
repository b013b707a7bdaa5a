/*
 * Buffers of stdout and stderr; the contract is in streams.h.
 *
 * Interposes: setvbuf setbuf setbuffer setlinebuf freopen freopen64 fdopen.
 * Runs in: load; any thread.
 * Sources: the layout of ios_base in libstdc++ (bits/ios_base.h) and libc++ (ios).
 * SPDX-License-Identifier: MIT
 */
#include "streams.h"

#include <unistd.h>

#include "config.h"
#include "epitaph.h"
#include "flush.h"
#include "next.h"
#include "record.h"
#include "rust.h"
#include "scope.h"
#include "text.h"

FILE *streams_libc[STREAMS];
bool streams_python;
const char *streams_alone;

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

	/* Now: where it is not there, the look-up goes through all objects, of which a later
	 * dlclose may remove one. */
	streams_python = config.stdio != STDIO_KEEP && next_use(USE_Py_IsInitialized);
	if (config.stdio == STDIO_NONE && process.libc == LIBC_GLIBC)
		streams_alone = next_use(USE___libc_single_threaded);
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

void streams_load_runtimes(void)
{
	if (config.stdio == STDIO_KEEP || config.ignore[HOOK_setvbuf])
		return;
	if (config.stdio == STDIO_NONE) /* it has lines by itself */
		rust_unbuffer();
	/* Behind the table: precision and width, words, in libstdc++; the flags first in libc++. */
	unbuffer_cxx(USE_cout, USE_clog, USE_cerr, 3 * sizeof(void *));
	unbuffer_cxx(USE_cout_libcxx, USE_clog_libcxx, USE_cerr_libcxx, sizeof(void *));
}

/* ---- What the program asks for ---- */

static void tell(const char *call, int stream)
{
	struct record *r = record_begin(EVENT_OUTPUT, SEVERITY_DEBUG);

	if (!r)
		return;
	text_str(&r->body, call);
	text_str(&r->body, stream == STREAM_STDOUT ? " of stdout" : " of stderr");
	text_str(&r->body, " changes nothing: EPITAPH_STDIO is ");
	text_str(&r->body, config.stdio == STDIO_LINE ? "line" : "none");
	record_static(r, "epitaph.output.stream", stream == STREAM_STDOUT ? "stdout" : "stderr");
	record_write(r);
}

/* Whether a request for a buffer is to succeed and change nothing. */
static bool refuses(const char *call, FILE *f, int mode)
{
	if (config.stdio == STDIO_KEEP || streams_which(f) < 0 || !ENTER(setvbuf) ||
	    (mode != _IOFBF && mode != _IOLBF && mode != _IONBF))
		return false;
	if (config.level == LEVEL_DEBUG && scope_reports(in_forked_child()))
		tell(call, streams_which(f));
	return true;
}

EPITAPH_EXPORT int setvbuf(FILE *restrict f, char *restrict buf, int mode, size_t size)
{
	return refuses("setvbuf", f, mode) ? 0 : NEXT(setvbuf)(f, buf, mode, size);
}

EPITAPH_EXPORT void setbuf(FILE *restrict f, char *restrict buf)
{
	if (!refuses("setbuf", f, _IOFBF))
		NEXT(setbuf)(f, buf);
}

EPITAPH_EXPORT void setbuffer(FILE *restrict f, char *restrict buf, size_t size)
{
	if (!refuses("setbuffer", f, _IOFBF))
		NEXT(setbuffer)(f, buf, size);
}

EPITAPH_EXPORT void setlinebuf(FILE *f)
{
	if (!refuses("setlinebuf", f, _IOLBF))
		NEXT(setlinebuf)(f);
}

typedef FILE *freopen_function(const char *restrict, const char *restrict, FILE *restrict);

freopen_function epitaph_freopen __asm__("freopen"), epitaph_freopen64 __asm__("freopen64");

/* A stream opened anew has its buffer back. */
static FILE *reopened(FILE *f, const char *mode)
{
	if (!f || !ENTER(freopen))
		return f;
	if (streams_which(f) >= 0)
		unbuffer(f);
	else
		flush_opened(f, mode);
	return f;
}

EPITAPH_EXPORT FILE *epitaph_freopen(const char *restrict path, const char *restrict mode,
				     FILE *restrict f)
{
	flush_closing(f);
	return reopened(((freopen_function *)next_get(HOOK_freopen))(path, mode, f), mode);
}

EPITAPH_EXPORT FILE *epitaph_freopen64(const char *restrict path, const char *restrict mode,
				       FILE *restrict f)
{
	freopen_function *next = (freopen_function *)next_get(HOOK_freopen64);

	if (!next)
		next = (freopen_function *)next_get(HOOK_freopen);
	flush_closing(f);
	return reopened(next(path, mode, f), mode);
}

/* Another stream over descriptor 1 or 2 is as good as stdout: where it is written to. */
EPITAPH_EXPORT FILE *fdopen(int fd, const char *mode)
{
	FILE *f = NEXT(fdopen)(fd, mode);

	if (!f || !ENTER(fdopen))
		return f;
	if ((fd == STDOUT_FILENO || fd == STDERR_FILENO) && *mode != 'r')
		unbuffer(f);
	flush_opened(f, mode);
	return f;
}
