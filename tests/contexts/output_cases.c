/* The cases of output and its buffers; what a case is says cases.h. Each writes to a stream of its
 * own and to stdout or stderr: what comes through the pipe is compared, too.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cases.h"

#define STDIO_VFORK  "a vfork child that prints changes its parent's streams"
#define STREAM(name) CASE_BUT_VFORK(name, STDIO_VFORK)

/* Wrong arguments that the compiler shall not see. */
static void *volatile nowhere = (void *)8;
static volatile int minus_one = -1;

static void told(const char *what, long result)
{
	int error = errno;

	fflush(stdout); /* bare, it has a buffer: the order of the two is not the question */
	say("%s %ld errno %d\n", what, result, result < 0 ? error : 0);
}

/* A stream over a pipe's end that holds what was written, shown by `shown`. */
static int ends[2];

static FILE *opened(void)
{
	if (pipe(ends) != 0)
		return NULL;
	return fdopen(ends[1], "w");
}

static void shown(FILE *f)
{
	char got[64] = "";

	fclose(f);
	long n = read(ends[0], got, sizeof got - 1);
	close(ends[0]);
	say("holds %ld %s\n", n, got);
}

CASE(write)
{
	told("write", write(1, "written\n", 8));
	told("none", write(1, "", 0));
	told("closed", write(99, "x", 1));
	told("pointer", write(1, nowhere, 4));
}

#ifdef __GLIBC__
ssize_t __write(int fd, const void *data, size_t n);

CASE(__write)
{
	told("__write", __write(1, "own name\n", 9));
	told("closed", __write(99, "x", 1));
}
#else
CASE_MISSING(__write)
#endif

CASE(writev)
{
	struct iovec parts[] = {{"two ", 4}, {"", 0}, {"parts\n", 6}};

	told("writev", writev(1, parts, 3));
	told("count", writev(1, parts, minus_one));
	told("closed", writev(99, parts, 3));
	told("list", writev(1, nowhere, 1));
}

/* A pipe has no positions. */
#define PWRITE(name)                                                                               \
	CASE(name)                                                                                 \
	{                                                                                          \
		told("pipe", name(1, "x", 1, 0));                                                  \
		told("closed", name(99, "x", 1, 0));                                               \
		told("offset", name(1, "x", 1, minus_one));                                        \
	}
PWRITE(pwrite)
#ifdef __GLIBC__
#undef pwrite64
ssize_t pwrite64(int fd, const void *data, size_t n, __off64_t at);
PWRITE(pwrite64)
#else
CASE_MISSING(pwrite64)
#endif

CASE(send)
{
	int pair[2];

	told("no socket", send(1, "x", 1, 0));
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	told("send", send(pair[0], "sent", 4, MSG_NOSIGNAL));
	close(pair[0]);
	close(pair[1]);
}

STREAM(printf)
{
	told("printf", printf("%s %d %.2f\n", "printed", 7, 1.5));
	told("fails", printf("%ls", L"\xdfff"));
	told("nothing", printf("%s", ""));
	int at = 0;
	told("counts", printf("%s%n\n", "four", &at));
	told("long", printf("%0700d\n", 7));
	say("at %d\n", at);
	fflush(stdout);
}

STREAM(fprintf)
{
	FILE *f = opened();

	told("fprintf", fprintf(f, "%d %c", 12, 'x'));
	shown(f);
	told("stderr", fprintf(stderr, "%s", ""));
}

static int variadic(int (*call)(const char *, va_list), const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = call(format, args);
	va_end(args);
	return n;
}

STREAM(vprintf)
{
	told("vprintf", variadic(vprintf, "%d-%d\n", 3, 4));
	fflush(stdout);
}

STREAM(dprintf)
{
	told("dprintf", dprintf(1, "%s %d\n", "directly", 7));
	told("closed", dprintf(99, "x"));
	told("fails", dprintf(1, "%ls", L"\xdfff"));
}

static int to_descriptor(const char *format, va_list args)
{
	return vdprintf(1, format, args);
}

STREAM(vdprintf)
{
	told("vdprintf", variadic(to_descriptor, "%x\n", 255));
}

static FILE *target;

static int to_target(const char *format, va_list args)
{
	return vfprintf(target, format, args);
}

STREAM(vfprintf)
{
	target = opened();
	told("vfprintf", variadic(to_target, "%d-%s", 3, "v"));
	shown(target);
}

#ifdef __GLIBC__
int __printf_chk(int flag, const char *format, ...);
int __fprintf_chk(FILE *f, int flag, const char *format, ...);
int __vprintf_chk(int flag, const char *format, va_list args);
int __vfprintf_chk(FILE *f, int flag, const char *format, va_list args);
int __overflow(FILE *f, int c);

STREAM(__printf_chk)
{
	told("printed", __printf_chk(1, "%d %s\n", 5, "checked"));
	fflush(stdout);
}

STREAM(__fprintf_chk)
{
	FILE *f = opened();

	told("printed", __fprintf_chk(f, 1, "%d %s", 5, "checked"));
	shown(f);
}

static int v_checked(const char *format, va_list args)
{
	return __vprintf_chk(1, format, args);
}

static int vf_checked(const char *format, va_list args)
{
	return __vfprintf_chk(target, 1, format, args);
}

STREAM(__vprintf_chk)
{
	told("printed", variadic(v_checked, "%x\n", 255));
	fflush(stdout);
}

STREAM(__vfprintf_chk)
{
	target = opened();
	told("printed", variadic(vf_checked, "%x", 255));
	shown(target);
}

int __dprintf_chk(int fd, int flag, const char *format, ...);
int __vdprintf_chk(int fd, int flag, const char *format, va_list args);

STREAM(__dprintf_chk)
{
	told("printed", __dprintf_chk(1, 1, "%d %s\n", 5, "checked"));
}

static int vd_checked(const char *format, va_list args)
{
	return __vdprintf_chk(1, 1, format, args);
}

STREAM(__vdprintf_chk)
{
	told("printed", variadic(vd_checked, "%x\n", 255));
}

STREAM(__overflow)
{
	FILE *f = opened();

	setvbuf(f, NULL, _IONBF, 0);
	told("overflow", __overflow(f, 'o'));
	shown(f);
}
#else
CASE_MISSING(__printf_chk)
CASE_MISSING(__fprintf_chk)
CASE_MISSING(__vprintf_chk)
CASE_MISSING(__vfprintf_chk)
CASE_MISSING(__dprintf_chk)
CASE_MISSING(__vdprintf_chk)
CASE_MISSING(__overflow)
#endif

STREAM(puts)
{
	told("puts", puts("a line"));
	told("empty", puts(""));
	static char line[700];
	memset(line, 'l', sizeof line - 1);
	told("long", puts(line));
	fflush(stdout);
}

STREAM(fputs)
{
	FILE *f = opened();

	told("fputs", fputs("string", f) >= 0);
	shown(f);
	told("stdout", fputs("to stdout\n", stdout) >= 0);
	fflush(stdout);
}

STREAM(fputs_unlocked)
{
	FILE *f = opened();

	told("fputs", fputs_unlocked("string", f) >= 0);
	shown(f);
}

STREAM(fwrite)
{
	FILE *f = opened();

	told("fwrite", (long)fwrite("items.", 2, 3, f));
	told("none", (long)fwrite("", 0, 3, f));
	shown(f);
	told("stdout", (long)fwrite("out\n", 1, 4, stdout));
	fflush(stdout);
}

STREAM(fwrite_unlocked)
{
	FILE *f = opened();

	told("fwrite", (long)fwrite_unlocked("items.", 2, 3, f));
	shown(f);
}

#undef putc
#undef putchar
#undef putc_unlocked
#undef putchar_unlocked
#define PUT(name)                                                                                  \
	STREAM(name)                                                                               \
	{                                                                                          \
		FILE *f = opened();                                                                \
                                                                                                   \
		told(#name, name('c', f));                                                         \
		shown(f);                                                                          \
		told("stdout", name('\n', stdout));                                                \
		fflush(stdout);                                                                    \
	}
PUT(fputc)
PUT(putc)
PUT(fputc_unlocked)
PUT(putc_unlocked)

STREAM(putchar)
{
	told("putchar", putchar('p'));
	told("high", putchar(0x1c3));
	told("line", putchar('\n'));
	fflush(stdout);
}

STREAM(putchar_unlocked)
{
	told("putchar", putchar_unlocked('u'));
	told("line", putchar_unlocked('\n'));
	fflush(stdout);
}

STREAM(fflush)
{
	FILE *f = opened();

	fputs("flushed", f);
	told("fflush", fflush(f));
	shown(f);
	f = fopen("/dev/full", "w");
	fputs("x", f);
	told("full", fflush(f));
	fclose(f);
}

STREAM(fclose)
{
	FILE *f = fopen("/dev/full", "w");

	fputs("x", f);
	told("full", fclose(f));
	f = fopen("/dev/null", "w");
	told("null", fclose(f));
}

STREAM(setvbuf)
{
	static char buffer[256];
	FILE *f = opened();

	told("full", setvbuf(f, buffer, _IOFBF, sizeof buffer));
	fputs("in the buffer", f);
	say("buffered %d\n", memcmp(buffer, "in the", 6) == 0);
	shown(f);
	told("stdout", setvbuf(stdout, NULL, _IOLBF, 0));
	told("mode", setvbuf(stdout, NULL, minus_one, 0));
}

STREAM(setbuf)
{
	FILE *f = opened();

	setbuf(f, NULL);
	fputs("at once", f);
	shown(f);
}

STREAM(setbuffer)
{
	static char buffer[256];
	FILE *f = opened();

	setbuffer(f, buffer, sizeof buffer);
	fputs("x", f);
	shown(f);
}

STREAM(setlinebuf)
{
	FILE *f = opened();

	setlinebuf(f);
	fputs("line\n", f);
	shown(f);
}

#define REOPEN(name)                                                                               \
	STREAM(name)                                                                               \
	{                                                                                          \
		FILE *f = fopen("/dev/null", "w"), *again = name("/dev/zero", "r", f);             \
                                                                                                   \
		told("reopened", again == f && again != NULL);                                     \
		told("reads", fgetc(again));                                                       \
		again = name("/nonexistent/file", "r", again);                                     \
		say("fails %d errno %d\n", again == NULL, errno);                                  \
	}
REOPEN(freopen)
#ifdef __GLIBC__
REOPEN(freopen64)
#else
CASE_MISSING(freopen64)
#endif

STREAM(fdopen)
{
	FILE *f = fdopen(99, "w");

	say("closed %d errno %d\n", f == NULL, errno);
	f = fdopen(1, "nonsense");
	say("mode %d errno %d\n", f == NULL, errno);
	f = fdopen(dup(1), "w");
	told("prints", fprintf(f, "through another stream\n"));
	fclose(f);
}
