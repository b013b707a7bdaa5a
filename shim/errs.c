/*
 * Library functions that end the process from inside libc, where no hook of exit sees them.
 *
 * Interposes: err, errx, verr, verrx (their end names them and their caller, also on musl, whose
 * exit handlers are not told the code); daemon (the parent ends by an _exit inside libc).
 * Runs in: constructor, any thread, signal handler, vfork child.
 * SPDX-License-Identifier: MIT
 */
#include <err.h>
#include <stdarg.h>
#include <unistd.h>

#include "ending.h"
#include "epitaph.h"
#include "log.h"
#include "next.h"
#include "scope.h"

static void on_err(int hook, int code, const char *call, uintptr_t caller)
{
	if (!epitaph_enter(hook))
		return;
	ending_begin(CAUSE_LIBC_EXIT, code, call, caller);
	if (!ending_watches_exit())
		ending_commit(code);
}

EPITAPH_EXPORT void verr(int code, const char *format, va_list args)
{
	on_err(HOOK_verr, code, "verr", CALLER());
	NEXT(verr)(code, format, args);
	__builtin_unreachable();
}

EPITAPH_EXPORT void verrx(int code, const char *format, va_list args)
{
	on_err(HOOK_verrx, code, "verrx", CALLER());
	NEXT(verrx)(code, format, args);
	__builtin_unreachable();
}

EPITAPH_EXPORT void err(int code, const char *format, ...)
{
	va_list args;

	on_err(HOOK_err, code, "err", CALLER());
	va_start(args, format);
	NEXT(verr)(code, format, args);
	va_end(args);
	__builtin_unreachable();
} /* NOLINT(clang-analyzer-valist.Unterminated): verr does not return */

EPITAPH_EXPORT void errx(int code, const char *format, ...)
{
	va_list args;

	on_err(HOOK_errx, code, "errx", CALLER());
	va_start(args, format);
	NEXT(verrx)(code, format, args);
	va_end(args);
	__builtin_unreachable();
} /* NOLINT(clang-analyzer-valist.Unterminated): verrx does not return */

EPITAPH_EXPORT int daemon(int nochdir, int noclose)
{
	bool observed = ENTER(daemon), forked = observed && in_forked_child();
	int result;

	/* The parent never returns, so its record comes first, and is taken back if fork fails. */
	if (observed)
		ending_now(CAUSE_LIBC_EXIT, 0, "daemon", CALLER());
	result = NEXT(daemon)(nochdir, noclose);
	if (!observed)
		return result;
	if (result == 0 && !noclose)
		log_detach();
	else if (result != 0 && in_forked_child() == forked)
		ending_revoke("daemon()");
	return result;
}
