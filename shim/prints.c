/*
 * Output by the C library's own functions, which write inside libc: counted here.
 *
 * Interposes: the functions of stdio that print, fflush, fclose.
 * Runs in: anywhere that the program calls them.
 * SPDX-License-Identifier: MIT
 */
/* With it glibc's headers would define some of these functions themselves. */
#ifndef __NO_INLINE__
#define __NO_INLINE__ 1
#endif

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "config.h"
#include "epitaph.h"
#include "flush.h"
#include "next.h"
#include "output.h"
#include "streams.h"
#include "text.h"

/* glibc's, for programs built with _FORTIFY_SOURCE. */
int __printf_chk(int flag, const char *format, ...);
int __fprintf_chk(FILE *f, int flag, const char *format, ...);
int __vprintf_chk(int flag, const char *format, va_list args);
int __vfprintf_chk(FILE *f, int flag, const char *format, va_list args);
int __dprintf_chk(int fd, int flag, const char *format, ...);
int __vdprintf_chk(int fd, int flag, const char *format, va_list args);

/* A frame that a system call returns through costs as much as what we count: the processor predicts
 * it wrongly. So each hook is one. */
#define INLINE inline __attribute__((always_inline))

enum { PRINT_MOST = 480 }; /* bytes of text that are put together here, on the caller's stack */

/* What a call on a stream came to: n bytes, or less than 0. */
static __attribute__((noinline)) void printed(int hook, const FILE *f, const char *call,
					      const void *data, long n)
{
	int stream = streams_which(f);

	if (stream < 0 || !epitaph_enter(hook))
		return;
	if (n > 0)
		output_wrote(stream, data, (size_t)n);
	else if (n < 0)
		output_failed(stream, call, output_errno(), 0);
}

/* The program's own stdout, which it may have set to another stream. */
static FILE *current(void)
{
	FILE **at = next_use(USE_stdout);

	return at ? *at : NULL;
}

static inline void noted(int hook, const FILE *f, const char *call, const void *data, long n)
{
	if (unlikely(streams_which(f) >= 0))
		printed(hook, f, call, data, n);
}

#ifdef __LP64__
/* glibc's FILE, as far as we look (bits/types/struct_FILE.h; part of its ABI since 2.1). */
struct glibc_file {
	int flags;
	const char *read[3]; /* where it is, its end, its base */
	const char *write[3];
	const char *others[5];
	void *markers, *chain;
	int fd, flags2;
	long old_offset;
	unsigned short column;
	signed char vtable_offset;
	char one[1];
	void *lock;
	long offset;
	void *rest[4];
	size_t more;
	int mode;
};

typedef ssize_t write_function(int, const void *, size_t);

enum {
	UNBUFFERED = 0x2,
	NO_WRITES = 0x8,
	ERROR_SEEN = 0x20,
	IN_BACKUP = 0x100,
	LINES = 0x200,
	PUTTING = 0x800
};

/*
 * Whether all that libc would do with bytes for this stream is one write: it is glibc's, without a
 * buffer, was written to before, as bytes, keeps no offset and no column; and no other thread is
 * there, with which the lock would be shared. Then we write, and the processor does not return from
 * the system call through half a dozen frames, each of which it predicts wrongly.
 */
static INLINE bool is_plain(FILE *f)
{
	const struct glibc_file *g = (const void *)f;
	const int asked = UNBUFFERED | NO_WRITES | IN_BACKUP | LINES | PUTTING;

	return streams_alone && *streams_alone && (g->flags & asked) == (UNBUFFERED | PUTTING) &&
	       g->mode == -1 && g->write[0] == g->write[1] && g->read[1] == g->write[0] &&
	       g->offset == -1 && !g->column;
}

/* What a write left, as glibc goes on: until an error, which the stream remembers. */
static __attribute__((noinline)) size_t put_rest(FILE *f, const char *data, size_t n, long got)
{
	struct glibc_file *g = (void *)f;
	write_function *plainly = (write_function *)next_get(HOOK___write);
	size_t done = 0;

	for (;;) {
		if (got < 0) {
			g->flags |= ERROR_SEEN;
			return done;
		}
		done += (size_t)got;
		if (done == n)
			return done;
		got = plainly(g->fd, data + done, n - done);
	}
}

/* fwrite's work, where is_plain. libc's own write: what stdio writes passes no hook. */
static INLINE size_t put_plainly(FILE *f, const char *data, size_t n)
{
	write_function *plainly = (write_function *)next_get(HOOK___write);
	long got = plainly(((const struct glibc_file *)(const void *)f)->fd, data, n);

	return likely(got == (long)n) ? n : put_rest(f, data, n, got);
}
#else
static INLINE bool is_plain(FILE *f)
{
	(void)f;
	return false;
}

static INLINE size_t put_plainly(FILE *f, const char *data, size_t n)
{
	return NEXT(fwrite)(data, 1, n, f);
}
#endif

/* How a call of the printf family is checked: -1 not at all, else the flag of glibc's _chk
 * functions. */
enum { UNCHECKED = -1 };

static int format_text(char *text, size_t size, int flag, const char *format, va_list args)
{
	int (*plain)(char *, size_t, const char *, va_list) = next_use(USE_vsnprintf);
	int (*checked)(char *, size_t, int, size_t, const char *, va_list) = NULL;

	if (flag != UNCHECKED)
		checked = next_use(USE___vsnprintf_chk);
	if (checked)
		return checked(text, size, flag, size, format, args);
	return plain ? plain(text, size, format, args) : -1;
}

/* glibc's printf fails at once on a stream of wide characters; musl's fwide takes the lock. */
static INLINE bool is_wide(FILE *f)
{
	int (*wide)(FILE *, int) = process.libc == LIBC_GLIBC ? next_use(USE_fwide) : NULL;

	return unlikely(wide && wide(f, 0) > 0);
}

/*
 * To a stream without a buffer libc formats into one of its own first, and writes that: so do we,
 * and see the text. False where the call is to be libc's: another stream, a buffer, a text that
 * does not fit, or that cannot be formatted.
 */
static INLINE bool format_known(int hook, const char *call, FILE *f, int flag, const char *format,
				va_list args, int *n)
{
	char text[PRINT_MOST];
	int stream = streams_which(f);

	if (likely(stream < 0) || config.stdio == STDIO_KEEP || !epitaph_enter(hook))
		return false;
	bool plain = is_plain(f);
	if (!plain && is_wide(f))
		return false;
	*n = format_text(text, sizeof text, flag, format, args);
	if (*n <= 0 || *n >= PRINT_MOST)
		return false;
	/* glibc's fwrite says "all of it" where a line stays in the buffer because it could not be
	 * written; its fputs, like its printf, does not. */
	bool lines = config.stdio == STDIO_LINE;
	if (lines && str_len(text) != (size_t)*n)
		return false;
	if (likely(plain   ? put_plainly(f, text, (size_t)*n) == (size_t)*n
		   : lines ? NEXT(fputs)(text, f) >= 0
			   : NEXT(fwrite)(text, 1, (size_t)*n, f) == (size_t)*n)) {
		output_wrote(stream, text, (size_t)*n);
	} else {
		*n = -1;
		output_failed(stream, call, output_errno(), 0);
	}
	return true;
}

static INLINE int format_unknown(int hook, const char *call, FILE *f, int flag, const char *format,
				 va_list args)
{
	int n = flag == UNCHECKED ? NEXT(vfprintf)(f, format, args)
				  : NEXT(__vfprintf_chk)(f, flag, format, args);

	noted(hook, f, call, NULL, n);
	return n;
}

#define FORMATTED(name, call, stream, flag, format, start)                                         \
	FILE *to = stream;                                                                         \
	bool done;                                                                                 \
	int n;                                                                                     \
	start;                                                                                     \
	done = format_known(HOOK_##name, call, to, flag, format, list, &n);                        \
	va_end(list);                                                                              \
	if (done)                                                                                  \
		return n;                                                                          \
	start;                                                                                     \
	n = format_unknown(HOOK_##name, call, to, flag, format, list);                             \
	va_end(list);                                                                              \
	return n
#define BY_LIST(name, call, stream, flag)                                                          \
	va_list list;                                                                              \
	FORMATTED(name, call, stream, flag, format, va_copy(list, args))
#define BY_DOTS(name, call, stream, flag)                                                          \
	va_list list;                                                                              \
	FORMATTED(name, call, stream, flag, format, va_start(list, format))

EPITAPH_EXPORT int vprintf(const char *restrict format, va_list args)
{
	BY_LIST(vprintf, "printf", current(), UNCHECKED);
}

EPITAPH_EXPORT int vfprintf(FILE *restrict f, const char *restrict format, va_list args)
{
	BY_LIST(vfprintf, "fprintf", f, UNCHECKED);
}

EPITAPH_EXPORT int printf(const char *restrict format, ...)
{
	BY_DOTS(printf, "printf", current(), UNCHECKED);
}

EPITAPH_EXPORT int fprintf(FILE *restrict f, const char *restrict format, ...)
{
	BY_DOTS(fprintf, "fprintf", f, UNCHECKED);
}

EPITAPH_EXPORT int __vprintf_chk(int flag, const char *format, va_list args)
{
	BY_LIST(__vprintf_chk, "printf", current(), flag);
}

EPITAPH_EXPORT int __vfprintf_chk(FILE *f, int flag, const char *format, va_list args)
{
	BY_LIST(__vfprintf_chk, "fprintf", f, flag);
}

EPITAPH_EXPORT int __printf_chk(int flag, const char *format, ...)
{
	BY_DOTS(__printf_chk, "printf", current(), flag);
}

EPITAPH_EXPORT int __fprintf_chk(FILE *f, int flag, const char *format, ...)
{
	BY_DOTS(__fprintf_chk, "fprintf", f, flag);
}

/* libc writes the line and its end apart, where there is no buffer: two system calls, between which
 * another process's words may come. */
static int put_line(FILE *f, const char *s, size_t len)
{
	char text[PRINT_MOST];

	for (size_t i = 0; i < len; i++)
		text[i] = s[i];
	text[len++] = '\n';
	if ((is_plain(f) ? put_plainly(f, text, len) : NEXT(fwrite)(text, 1, len, f)) != len)
		len = 0;
	printed(HOOK_puts, f, "puts", text, len ? (long)len : -1);
	return !len ? EOF : process.libc == LIBC_MUSL ? 0 : (int)len;
}

EPITAPH_EXPORT int puts(const char *s)
{
	FILE *f = current();

	if (likely(streams_which(f) < 0) || !ENTER(puts))
		return NEXT(puts)(s);
	size_t len = str_len(s);
	if (config.stdio == STDIO_NONE && len < PRINT_MOST)
		return put_line(f, s, len);
	int n = NEXT(puts)(s);
	printed(HOOK_puts, f, "puts", s, n < 0 ? n : (long)len);
	if (n >= 0)
		printed(HOOK_puts, f, "puts", "\n", 1);
	return n;
}

static inline int put_string(int hook, int n, const char *s, const FILE *f)
{
	if (unlikely(streams_which(f) >= 0))
		printed(hook, f, "fputs", s, n < 0 ? n : (long)str_len(s));
	return n;
}

EPITAPH_EXPORT int fputs(const char *restrict s, FILE *restrict f)
{
	return put_string(HOOK_fputs, NEXT(fputs)(s, f), s, f);
}

EPITAPH_EXPORT int fputs_unlocked(const char *restrict s, FILE *restrict f)
{
	return put_string(HOOK_fputs_unlocked, NEXT(fputs_unlocked)(s, f), s, f);
}

static inline size_t put_items(int hook, size_t items, const void *data, size_t size, size_t asked,
			       const FILE *f)
{
	if (unlikely(streams_which(f) >= 0)) {
		printed(hook, f, "fwrite", data, (long)(items * size));
		if (items < asked && size)
			printed(hook, f, "fwrite", NULL, -1);
	}
	return items;
}

EPITAPH_EXPORT size_t fwrite(const void *restrict data, size_t size, size_t items, FILE *restrict f)
{
	return put_items(HOOK_fwrite, NEXT(fwrite)(data, size, items, f), data, size, items, f);
}

EPITAPH_EXPORT size_t fwrite_unlocked(const void *restrict data, size_t size, size_t items,
				      FILE *restrict f)
{
	return put_items(HOOK_fwrite_unlocked, NEXT(fwrite_unlocked)(data, size, items, f), data,
			 size, items, f);
}

/* A character that is one write. */
static INLINE bool char_known(int hook, const char *call, int c, FILE *f, int *result)
{
	int stream = streams_which(f);
	char byte = (char)c;

	if (likely(stream < 0) || !epitaph_enter(hook) || !is_plain(f))
		return false;
	if (likely(put_plainly(f, &byte, 1) == 1)) {
		*result = (unsigned char)c;
		output_wrote(stream, &byte, 1);
	} else {
		*result = EOF;
		output_failed(stream, call, output_errno(), 0);
	}
	return true;
}

static inline int put_char(int hook, int c, const FILE *f)
{
	char byte = (char)c;

	noted(hook, f, "putc", &byte, c < 0 ? c : 1);
	return c;
}

/* Macros in some headers; the functions behind them are what a program may call. */
#undef putc
#undef putchar
#undef putc_unlocked
#undef putchar_unlocked

EPITAPH_EXPORT int fputc(int c, FILE *f)
{
	int result;

	if (char_known(HOOK_fputc, "putc", c, f, &result))
		return result;
	return put_char(HOOK_fputc, NEXT(fputc)(c, f), f);
}

EPITAPH_EXPORT int putc(int c, FILE *f)
{
	int result;

	if (char_known(HOOK_putc, "putc", c, f, &result))
		return result;
	return put_char(HOOK_putc, NEXT(putc)(c, f), f);
}

EPITAPH_EXPORT int putchar(int c)
{
	int result;

	if (char_known(HOOK_putchar, "putc", c, current(), &result))
		return result;
	return put_char(HOOK_putchar, NEXT(putchar)(c), current());
}

EPITAPH_EXPORT int fputc_unlocked(int c, FILE *f)
{
	return put_char(HOOK_fputc_unlocked, NEXT(fputc_unlocked)(c, f), f);
}

EPITAPH_EXPORT int putc_unlocked(int c, FILE *f)
{
	return put_char(HOOK_putc_unlocked, NEXT(putc_unlocked)(c, f), f);
}

EPITAPH_EXPORT int putchar_unlocked(int c)
{
	return put_char(HOOK_putchar_unlocked, NEXT(putchar_unlocked)(c), current());
}

/* glibc: what its inline putc calls where there is no room, as without a buffer. */
int __overflow(FILE *f, int c);

EPITAPH_EXPORT int __overflow(FILE *f, int c)
{
	int done;

	if (c != EOF && char_known(HOOK___overflow, "putc", c, f, &done))
		return done;
	done = NEXT(__overflow)(f, c);
	return c == EOF ? done : put_char(HOOK___overflow, done, f);
}

/* What could not be written when a buffer was to be emptied. */
static inline int emptied(int hook, const char *call, int result, int stream, size_t held)
{
	if (unlikely(result != 0) && stream >= 0 && epitaph_enter(hook))
		output_failed(stream, call, output_errno(), held);
	return result;
}

EPITAPH_EXPORT int fflush(FILE *f)
{
	int stream = streams_which(f);
	size_t held = unlikely(stream >= 0) ? flush_pending(stream) : 0;

	return emptied(HOOK_fflush, "fflush", NEXT(fflush)(f), stream, held);
}

EPITAPH_EXPORT int fclose(FILE *f)
{
	int stream = streams_which(f);
	size_t held = unlikely(stream >= 0) ? flush_pending(stream) : 0;

	flush_closing(f);
	return emptied(HOOK_fclose, "fclose", NEXT(fclose)(f), stream, held);
}

/* Straight to a descriptor. */
static inline int directly(int hook, int fd, int n)
{
	if (unlikely((unsigned int)fd - STDOUT_FILENO < STREAMS) && epitaph_enter(hook)) {
		if (n > 0)
			output_wrote(fd - STDOUT_FILENO, NULL, (size_t)n);
		else if (n < 0)
			output_failed(fd - STDOUT_FILENO, "dprintf", output_errno(), 0);
	}
	return n;
}

EPITAPH_EXPORT int vdprintf(int fd, const char *restrict format, va_list args)
{
	return directly(HOOK_vdprintf, fd, NEXT(vdprintf)(fd, format, args));
}

EPITAPH_EXPORT int dprintf(int fd, const char *restrict format, ...)
{
	va_list args;

	va_start(args, format);
	int n = NEXT(vdprintf)(fd, format, args);
	va_end(args);
	return directly(HOOK_dprintf, fd, n);
}

EPITAPH_EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
	return directly(HOOK___vdprintf_chk, fd, NEXT(__vdprintf_chk)(fd, flag, format, args));
}

EPITAPH_EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = NEXT(__vdprintf_chk)(fd, flag, format, args);
	va_end(args);
	return directly(HOOK___dprintf_chk, fd, n);
}
