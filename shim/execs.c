/*
 * A new program in this process, or in a new one.
 *
 * Interposes: execve execv execvp execvpe execl execlp execle fexecve execveat posix_spawn
 * posix_spawnp.
 * Runs in: any thread, signal handler, forked child, vfork child.
 * SPDX-License-Identifier: MIT
 */
#include "execs.h"

#include <spawn.h>
#include <stdarg.h>
#include <unistd.h>

#include "children.h"
#include "config.h"
#include "environ.h"
#include "epitaph.h"
#include "failures.h"
#include "flood.h"
#include "names.h"
#include "next.h"
#include "record.h"
#include "scope.h"
#include "sys.h"
#include "target.h"

/* Not in musl's headers. */
int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags);

static char *const *current_environ(void)
{
	char ***at = environ_find();

	return at ? *at : NULL;
}

static void sentence(struct record *r, const struct target *t, const char *verb)
{
	text_str(&r->body, verb);
	text_clean(&r->body, t->path, str_len(t->path));
	if (t->follow == FOLLOW_YES)
		text_str(&r->body, ": the shim comes along");
	else
		text_str(&r->body,
			 t->follow == FOLLOW_NO
				 ? ": the shim does not come along, because it "
				 : ": whether the shim comes along is not known, because it ");
	text_str(&r->body, t->reason);
	if (t->follow == FOLLOW_NO)
		text_str(&r->body, "; nothing will be told of its end");
}

static void fields(struct record *r, const struct target *t)
{
	record_string(r, "epitaph.exec.path", t->path);
	if (t->follow != FOLLOW_UNKNOWN)
		record_boolean(r, "epitaph.exec.followed", t->follow == FOLLOW_YES);
	if (t->follow != FOLLOW_YES)
		record_string(r, "epitaph.exec.reason", t->reason);
}

/* How a process of this kind tells of an exec that the shim survives (it will tell of itself), or
 * false where EPITAPH_SCOPE wants nothing at all of it. */
static bool severity_here(enum severity *followed)
{
	bool forked = in_forked_child();

	*followed = SEVERITY_INFO;
	if (!forked || config.scope == SCOPE_ALL)
		return scope_reports(false);
	/* A direct child of the main process, about to become a program of its own. */
	*followed = SEVERITY_DEBUG;
	return process.role == ROLE_ROOT && config.scope == SCOPE_NEAR &&
	       sys_getppid() == process.pid;
}

/* Ends a record with its caller and the severity that fits; true where it was written. */
static bool finish(struct record *r, const struct target *t, enum severity followed,
		   uintptr_t caller)
{
	r->severity = t->follow == FOLLOW_YES ? followed : SEVERITY_WARN;
	if (t->follow == FOLLOW_MISSING || (int)r->severity > (int)config.level) {
		record_drop(r);
		return false;
	}
	fields(r, t);
	record_caller(r, caller, NULL);
	record_write(r);
	return true;
}

bool execs_announce(int dirfd, const char *path, char *const *envp, bool search, uintptr_t caller)
{
	enum severity followed;
	struct target t;
	struct record *r;

	if (!severity_here(&followed))
		return false;
	r = record_begin(EVENT_EXEC, SEVERITY_WARN);
	if (!r)
		return false;
	if (search)
		target_search(&t, path, current_environ(), envp, r->work, sizeof r->work);
	else
		target_examine(&t, dirfd, path, envp, r->work, sizeof r->work);
	sentence(r, &t, "executes ");
	return finish(r, &t, followed, caller);
}

/* The exec came back; perhaps it had been announced. */
static void failed(bool announced, enum hook hook, const char *path)
{
	int *(*location)(void) = next_use(USE_errno_location);
	int error = location ? *location() : 0;
	struct record *r;

	if (epitaph_enter((int)hook))
		failures_note_path(FAILED_EXEC, hook_name(hook), path, error);
	if (!announced)
		return;
	r = record_begin(EVENT_EXEC, SEVERITY_WARN);
	if (!r)
		return;
	text_str(&r->body, "goes on: that exec failed with ");
	text_str(&r->body, error_name(error));
	record_integer(r, "epitaph.exec.errno", error);
	record_write(r);
}

/* A server that starts thousands of programs does not fill its log with them. */
static void spawned(int pid, const char *path, char *const *envp, bool search, uintptr_t caller)
{
	enum severity followed;
	struct target t;
	struct record *r;

	children_spawned(pid, path);
	if (FAILURES_HAVE(FAILED_EXEC)) /* elsewhere in the search path it was not there */
		failures_forget(FAILED_EXEC, path);
	if (!severity_here(&followed) || !flood_allows(FLOOD_SPAWN, 0))
		return;
	r = record_begin(EVENT_EXEC, SEVERITY_WARN);
	if (!r)
		return;
	if (search)
		target_search(&t, path, current_environ(), envp, r->work, sizeof r->work);
	else
		target_examine(&t, AT_FDCWD, path, envp, r->work, sizeof r->work);
	if (t.follow == FOLLOW_MISSING) { /* it was there: gone again, or beyond our eyes */
		t.follow = FOLLOW_UNKNOWN;
		if (!t.path[0]) {
			struct text p = text_over(t.path, sizeof t.path);

			text_str(&p, path);
		}
	}
	text_str(&r->body, "starts process ");
	text_dec(&r->body, pid);
	sentence(r, &t, ", ");
	record_integer(r, "epitaph.exec.pid", pid);
	finish(r, &t, followed, caller);
}

EPITAPH_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	bool announced = ENTER(execve) && execs_announce(AT_FDCWD, path, envp, false, CALLER());
	int result = NEXT(execve)(path, argv, envp);

	failed(announced, HOOK_execve, path);
	return result;
}

EPITAPH_EXPORT int execv(const char *path, char *const argv[])
{
	bool announced =
		ENTER(execv) && execs_announce(AT_FDCWD, path, current_environ(), false, CALLER());
	int result = NEXT(execv)(path, argv);

	failed(announced, HOOK_execv, path);
	return result;
}

EPITAPH_EXPORT int execvp(const char *file, char *const argv[])
{
	bool announced =
		ENTER(execvp) && execs_announce(AT_FDCWD, file, current_environ(), true, CALLER());
	int result = NEXT(execvp)(file, argv);

	failed(announced, HOOK_execvp, file);
	return result;
}

EPITAPH_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	bool announced = ENTER(execvpe) && execs_announce(AT_FDCWD, file, envp, true, CALLER());
	int result = NEXT(execvpe)(file, argv, envp);

	failed(announced, HOOK_execvpe, file);
	return result;
}

EPITAPH_EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	bool announced = ENTER(fexecve) && execs_announce(fd, "", envp, false, CALLER());
	int result = NEXT(fexecve)(fd, argv, envp);

	failed(announced, HOOK_fexecve, "");
	return result;
}

EPITAPH_EXPORT int execveat(int dirfd, const char *path, char *const argv[], char *const envp[],
			    int flags)
{
	bool announced = ENTER(execveat) && execs_announce(dirfd, path, envp, false, CALLER());
	int result = NEXT(execveat)(dirfd, path, argv, envp, flags);

	failed(announced, HOOK_execveat, path);
	return result;
}

/*
 * The variadic ones: their arguments become an array on the stack, as in libc's own versions, and
 * the array version does the rest. The count is the caller's, so the array may be large; libc's is
 * as large.
 */
static size_t count_words(va_list args)
{
	size_t n = 1;

	while (va_arg(args, const char *))
		n++;
	return n;
}

/* Takes the words behind the first, with their NULL; leaves args behind it. */
static char *const *collect(const char **argv, const char *first, va_list *args)
{
	const char **to = argv;

	*to = first;
	do {
		*++to = va_arg(*args, const char *);
	} while (*to);
	return (char *const *)(uintptr_t)argv;
}

EPITAPH_EXPORT int execl(const char *path, const char *arg, ...)
{
	va_list args;

	va_start(args, arg);
	size_t n = count_words(args);
	va_end(args);
	const char **words = __builtin_alloca((n + 1) * sizeof *words);
	va_start(args, arg);
	char *const *argv = collect(words, arg, &args);
	va_end(args);

	bool announced =
		ENTER(execl) && execs_announce(AT_FDCWD, path, current_environ(), false, CALLER());
	int result = NEXT(execv)(path, argv);

	failed(announced, HOOK_execl, path);
	return result;
}

EPITAPH_EXPORT int execlp(const char *file, const char *arg, ...)
{
	va_list args;

	va_start(args, arg);
	size_t n = count_words(args);
	va_end(args);
	const char **words = __builtin_alloca((n + 1) * sizeof *words);
	va_start(args, arg);
	char *const *argv = collect(words, arg, &args);
	va_end(args);

	bool announced =
		ENTER(execlp) && execs_announce(AT_FDCWD, file, current_environ(), true, CALLER());
	int result = NEXT(execvp)(file, argv);

	failed(announced, HOOK_execlp, file);
	return result;
}

EPITAPH_EXPORT int execle(const char *path, const char *arg, ...)
{
	va_list args;

	va_start(args, arg);
	size_t n = count_words(args);
	va_end(args);
	const char **words = __builtin_alloca((n + 1) * sizeof *words);
	va_start(args, arg);
	char *const *argv = collect(words, arg, &args);
	/* The environment stands behind the NULL. */
	char *const *envp = va_arg(args, char *const *);
	va_end(args);

	bool announced = ENTER(execle) && execs_announce(AT_FDCWD, path, envp, false, CALLER());
	int result = NEXT(execve)(path, argv, envp);

	failed(announced, HOOK_execle, path);
	return result;
}

EPITAPH_EXPORT int posix_spawn(pid_t *restrict pid, const char *restrict path,
			       const posix_spawn_file_actions_t *actions,
			       const posix_spawnattr_t *restrict attr, char *const argv[restrict],
			       char *const envp[restrict])
{
	pid_t child = 0;
	if (ENTER(posix_spawn))
		children_expected();
	int error = NEXT(posix_spawn)(&child, path, actions, attr, argv, envp);

	if (error && ENTER(posix_spawn))
		failures_note_path(FAILED_EXEC, "posix_spawn", path, error);
	if (error == 0 && pid)
		*pid = child;
	if (error == 0 && ENTER(posix_spawn))
		spawned(child, path, envp, false, CALLER());
	return error;
}

EPITAPH_EXPORT int posix_spawnp(pid_t *restrict pid, const char *restrict file,
				const posix_spawn_file_actions_t *actions,
				const posix_spawnattr_t *restrict attr, char *const argv[restrict],
				char *const envp[restrict])
{
	pid_t child = 0;
	if (ENTER(posix_spawnp))
		children_expected();
	int error = NEXT(posix_spawnp)(&child, file, actions, attr, argv, envp);

	if (error && ENTER(posix_spawnp))
		failures_note_path(FAILED_EXEC, "posix_spawnp", file, error);
	if (error == 0 && pid)
		*pid = child;
	if (error == 0 && ENTER(posix_spawnp))
		spawned(child, file, envp, true, CALLER());
	return error;
}
