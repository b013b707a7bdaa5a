/*
 * Files that cannot be opened: the last failure is remembered (failures.h).
 *
 * Interposes: open open64 openat openat64 __open_2 __open64_2 __openat_2 __openat64_2 fopen
 * fopen64.
 * Runs in: anywhere; an open that succeeds costs two comparisons.
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>

#include "epitaph.h"
#include "failures.h"
#include "flush.h"
#include "next.h"
#include "sys.h"

/* Under names of our own: some libcs make the …64 names macros of the others. */
typedef int open_function(const char *path, int flags, ...);
typedef int openat_function(int dirfd, const char *path, int flags, ...);
typedef int open_2_function(const char *path, int flags);
typedef int openat_2_function(int dirfd, const char *path, int flags);
typedef void *fopen_function(const char *path, const char *mode);

open_function epitaph_open __asm__("open"), epitaph_open64 __asm__("open64");
openat_function epitaph_openat __asm__("openat"), epitaph_openat64 __asm__("openat64");
open_2_function epitaph_open_2 __asm__("__open_2"), epitaph_open64_2 __asm__("__open64_2");
openat_2_function epitaph_openat_2 __asm__("__openat_2"), epitaph_openat64_2
	__asm__("__openat64_2");
fopen_function epitaph_fopen __asm__("fopen"), epitaph_fopen64 __asm__("fopen64");

/* musl has none of glibc's further names (the …64 ones since 1.2.4), but a program that asks for
 * one now finds ours. */
static inline void *next_or(enum hook further, enum hook plain)
{
	void *next = next_get(further);

	return likely(next != NULL) ? next : next_get(plain);
}

static __attribute__((noinline)) void failed(enum hook hook, const char *call, const char *path,
					     int flags)
{
	int *(*location)(void) = next_use(USE_errno_location);
	int error = location ? *location() : 0;

	if (error != EFAULT && epitaph_enter((int)hook) && sys_readable_string(path, 4096) &&
	    !failures_is_search(path, flags, error))
		failures_note(FAILED_OPEN, call, path, error);
}

static inline int done(int fd, enum hook hook, const char *call, const char *path, int flags)
{
	if (unlikely(fd < 0))
		failed(hook, call, path, flags);
	else if (FAILURES_HAVE(FAILED_OPEN))
		failures_forget(FAILED_OPEN, path);
	return fd;
}

static inline void *done_stream(void *stream, enum hook hook, const char *path, const char *mode)
{
	if (unlikely(!stream)) {
		failed(hook, "fopen", path, 0);
		return NULL;
	}
	if (FAILURES_HAVE(FAILED_OPEN))
		failures_forget(FAILED_OPEN, path);
	if (epitaph_enter((int)hook))
		flush_opened(stream, mode);
	return stream;
}

/* The mode that follows the flags, where they ask for one: as libc reads it. */
#define MODE(flags, mode)                                                                          \
	do {                                                                                       \
		if (((flags)&O_CREAT) || ((flags)&O_TMPFILE) == O_TMPFILE) {                       \
			va_list args;                                                              \
			va_start(args, flags);                                                     \
			(mode) = va_arg(args, unsigned int);                                       \
			va_end(args);                                                              \
		}                                                                                  \
	} while (0)

EPITAPH_EXPORT int epitaph_open(const char *path, int flags, ...)
{
	unsigned int mode = 0;

	MODE(flags, mode);
	open_function *next = (open_function *)next_get(HOOK_open);
	return done(next(path, flags, mode), HOOK_open, "open", path, flags);
}

EPITAPH_EXPORT int epitaph_open64(const char *path, int flags, ...)
{
	unsigned int mode = 0;

	MODE(flags, mode);
	open_function *next = (open_function *)next_or(HOOK_open64, HOOK_open);
	return done(next(path, flags, mode), HOOK_open64, "open", path, flags);
}

EPITAPH_EXPORT int epitaph_openat(int dirfd, const char *path, int flags, ...)
{
	unsigned int mode = 0;

	MODE(flags, mode);
	openat_function *next = (openat_function *)next_get(HOOK_openat);
	return done(next(dirfd, path, flags, mode), HOOK_openat, "openat", path, flags);
}

EPITAPH_EXPORT int epitaph_openat64(int dirfd, const char *path, int flags, ...)
{
	unsigned int mode = 0;

	MODE(flags, mode);
	openat_function *next = (openat_function *)next_or(HOOK_openat64, HOOK_openat);
	return done(next(dirfd, path, flags, mode), HOOK_openat64, "openat", path, flags);
}

EPITAPH_EXPORT int epitaph_open_2(const char *path, int flags)
{
	open_function *next = (open_function *)next_or(HOOK___open_2, HOOK_open);

	return done(next(path, flags), HOOK___open_2, "open", path, flags);
}

EPITAPH_EXPORT int epitaph_open64_2(const char *path, int flags)
{
	open_function *next = (open_function *)next_or(HOOK___open64_2, HOOK_open);

	return done(next(path, flags), HOOK___open64_2, "open", path, flags);
}

EPITAPH_EXPORT int epitaph_openat_2(int dirfd, const char *path, int flags)
{
	openat_function *next = (openat_function *)next_or(HOOK___openat_2, HOOK_openat);

	return done(next(dirfd, path, flags), HOOK___openat_2, "openat", path, flags);
}

EPITAPH_EXPORT int epitaph_openat64_2(int dirfd, const char *path, int flags)
{
	openat_function *next = (openat_function *)next_or(HOOK___openat64_2, HOOK_openat);

	return done(next(dirfd, path, flags), HOOK___openat64_2, "openat", path, flags);
}

EPITAPH_EXPORT void *epitaph_fopen(const char *path, const char *mode)
{
	fopen_function *next = (fopen_function *)next_get(HOOK_fopen);

	return done_stream(next(path, mode), HOOK_fopen, path, mode);
}

EPITAPH_EXPORT void *epitaph_fopen64(const char *path, const char *mode)
{
	fopen_function *next = (fopen_function *)next_or(HOOK_fopen64, HOOK_fopen);

	return done_stream(next(path, mode), HOOK_fopen64, path, mode);
}
