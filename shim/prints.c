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

#include "epitaph.h"
#include "next.h"
#include "output.h"
#include "streams.h"
#include "text.h"

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

#define FORMATTED(name, call, stream, last, next_call)                                             \
	va_list args;                                                                              \
	va_start(args, last);                                                                      \
	int n = next_call;                                                                         \
	va_end(args);                                                                              \
	noted(HOOK_##name, stream, call, NULL, n);                                                 \
	return n

EPITAPH_EXPORT int vprintf(const char *restrict format, va_list args)
{
	int n = NEXT(vprintf)(format, args);

	noted(HOOK_vprintf, current(), "printf", NULL, n);
	return n;
}

EPITAPH_EXPORT int vfprintf(FILE *restrict f, const char *restrict format, va_list args)
{
	int n = NEXT(vfprintf)(f, format, args);

	noted(HOOK_vfprintf, f, "fprintf", NULL, n);
	return n;
}

EPITAPH_EXPORT int printf(const char *restrict format, ...)
{
	FORMATTED(printf, "printf", current(), format, NEXT(vprintf)(format, args));
}

EPITAPH_EXPORT int fprintf(FILE *restrict f, const char *restrict format, ...)
{
	FORMATTED(fprintf, "fprintf", f, format, NEXT(vfprintf)(f, format, args));
}

/* glibc's, for programs built with _FORTIFY_SOURCE. */
int __printf_chk(int flag, const char *format, ...);
int __fprintf_chk(FILE *f, int flag, const char *format, ...);
int __vprintf_chk(int flag, const char *format, va_list args);
int __vfprintf_chk(FILE *f, int flag, const char *format, va_list args);

EPITAPH_EXPORT int __vprintf_chk(int flag, const char *format, va_list args)
{
	int n = NEXT(__vprintf_chk)(flag, format, args);

	noted(HOOK___vprintf_chk, current(), "printf", NULL, n);
	return n;
}

EPITAPH_EXPORT int __vfprintf_chk(FILE *f, int flag, const char *format, va_list args)
{
	int n = NEXT(__vfprintf_chk)(f, flag, format, args);

	noted(HOOK___vfprintf_chk, f, "fprintf", NULL, n);
	return n;
}

EPITAPH_EXPORT int __printf_chk(int flag, const char *format, ...)
{
	FORMATTED(__printf_chk, "printf", current(), format,
		  NEXT(__vprintf_chk)(flag, format, args));
}

EPITAPH_EXPORT int __fprintf_chk(FILE *f, int flag, const char *format, ...)
{
	FORMATTED(__fprintf_chk, "fprintf", f, format, NEXT(__vfprintf_chk)(f, flag, format, args));
}

/* Every print of a line or a character; the newline of puts is seen as its own output. */
EPITAPH_EXPORT int puts(const char *s)
{
	int n = NEXT(puts)(s);
	FILE *f = current();

	if (unlikely(streams_which(f) >= 0) && n >= 0) {
		printed(HOOK_puts, f, "puts", s, (long)str_len(s));
		printed(HOOK_puts, f, "puts", "\n", 1);
	} else {
		noted(HOOK_puts, f, "puts", NULL, n < 0 ? n : 0);
	}
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
	return put_char(HOOK_fputc, NEXT(fputc)(c, f), f);
}

EPITAPH_EXPORT int putc(int c, FILE *f)
{
	return put_char(HOOK_putc, NEXT(putc)(c, f), f);
}

EPITAPH_EXPORT int putchar(int c)
{
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
	int done = NEXT(__overflow)(f, c);

	return c == EOF ? done : put_char(HOOK___overflow, done, f);
}

EPITAPH_EXPORT int fflush(FILE *f)
{
	int result = NEXT(fflush)(f);

	if (unlikely(result != 0) && f)
		noted(HOOK_fflush, f, "fflush", NULL, -1);
	return result;
}

EPITAPH_EXPORT int fclose(FILE *f)
{
	int result = NEXT(fclose)(f);

	if (unlikely(result != 0))
		noted(HOOK_fclose, f, "fclose", NULL, -1);
	return result;
}
