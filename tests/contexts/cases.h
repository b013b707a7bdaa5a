/*
 * Cases: one call of each hook, or more, that prints what the program can see of it: the result,
 * errno, lines. Run bare and under the shim they must agree. hooks.def asks for case_NAME of every
 * hook it has; without one the tests do not build.
 * SPDX-License-Identifier: MIT
 */
#ifndef CASES_H
#define CASES_H

enum context {
	CONTEXT_MAIN,
	CONTEXT_CONSTRUCTOR, /* of another object than the program or the shim */
	CONTEXT_DESTRUCTOR,
	CONTEXT_SIGNAL,
	CONTEXT_THREAD,
	CONTEXT_FORK,
	CONTEXT_VFORK,
	CONTEXT_COUNT
};

struct hook_case {
	void (*call)(void);		      /* NULL: this libc has no such function */
	const char *undefined[CONTEXT_COUNT]; /* why the bare program has no fixed outcome there */
};

/* Further cases of hooks with more than one face; the part before __ is the hook. */
#define MORE_CASES(X)                                                                              \
	X(_exit__large)                                                                            \
	X(exit__negative)                                                                          \
	X(syscall__exit_group)                                                                     \
	X(syscall__execve)                                                                         \
	X(syscall__execve_fails)                                                                   \
	X(syscall__six)                                                                            \
	X(execve__other_env)                                                                       \
	X(execve__no_env)                                                                          \
	X(execve__missing)                                                                         \
	X(execve__directory)                                                                       \
	X(execve__no_program)                                                                      \
	X(execve__bad_path)                                                                        \
	X(execve__bad_argv)                                                                        \
	X(execve__bad_envp)                                                                        \
	X(execvp__missing)                                                                         \
	X(execvp__script)                                                                          \
	X(execl__no_arguments)                                                                     \
	X(execl__many_arguments)                                                                   \
	X(execle__other_env)                                                                       \
	X(fexecve__bad_fd)                                                                         \
	X(execveat__empty_path)                                                                    \
	X(posix_spawn__missing)                                                                    \
	X(posix_spawnp__missing)                                                                   \
	X(posix_spawn__actions)                                                                    \
	X(setsid__twice)                                                                           \
	X(prctl__seccomp)                                                                          \
	X(prctl__invalid)

/* Some libcs make macros of these; here they are names. */
#undef open64
#undef openat64
#undef fopen64

#define DECLARE(name)	      extern const struct hook_case case_##name;
#define HOOK(name, file, why) DECLARE(name)
#include "hooks.def"
#undef HOOK
MORE_CASES(DECLARE)
#undef DECLARE

/* Runs what CONTEXT and HOOK in the environment ask for, where the context is in main's reach. */
int contexts_main(int argc, char **argv);

/* The definition of a case: CASE(kill) { … } */
#define CASE_BUT(name, ...)                                                                        \
	static void call_##name(void);                                                             \
	const struct hook_case case_##name = {call_##name, {__VA_ARGS__}};                         \
	static void call_##name(void)
#define CASE(name) CASE_BUT(name, NULL)
/* With a reason for the context where POSIX, or the libc, leaves the outcome open. */
#define CASE_BUT_VFORK(name, why) CASE_BUT(name, [CONTEXT_VFORK] = (why))
#define CASE_MISSING(name)	  const struct hook_case case_##name = {NULL, {NULL}};

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
