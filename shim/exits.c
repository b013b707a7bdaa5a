/*
 * The ends that a program or a library asks for.
 *
 * Interposes: __libc_start_main (to wrap main), exit, _exit, _Exit, quick_exit, abort, syscall.
 * Runs in: constructor, any thread, signal handler, vfork child.
 * SPDX-License-Identifier: MIT
 */
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "aborts.h"
#include "dispositions.h"
#include "ending.h"
#include "epitaph.h"
#include "execs.h"
#include "exits.h"
#include "flush.h"
#include "moods.h"
#include "next.h"
#include "scope.h"
#include "sys.h"

/* For a process without libc's own way out: what _exit(2) does. */
static _Noreturn void leave(int code)
{
	for (;;)
		SYS1(SYS_exit_group, code);
}

/*
 * main. The program's start code hands its address to libc; ours runs it. ppc64 passes a block of
 * pointers instead, of which main is the second.
 */
typedef int main_function(int, char **, char **, void *);

static main_function *program_main;

int exits_run_main(int argc, char **argv, char **envp, void *auxv)
{
	/* musl hands main the kernel's array, not what its environ says by now. */
	if (process.envp && envp == process.kernel_envp)
		envp = process.envp;
	if (process.active)
		streams_load_runtimes();
	int code = program_main(argc, argv, envp, auxv);

	if (process.active) { /* no longer, where the program silenced us */
		ending_begin(CAUSE_MAIN_RETURNED, code, "main", 0);
		if (!ending_watches_exit())
			ending_commit(code);
	}
	return code;
}

int __libc_start_main(main_function *program, int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

#ifdef __powerpc64__

struct start_info {
	void *sda;
	main_function *program;
	void (*init)(void), (*fini)(void);
};

int epitaph_start(int argc, char **argv, char **envp, void *auxv, void (*rtld_fini)(void),
		  struct start_info *info, char **stack) __asm__("__libc_start_main");

EPITAPH_EXPORT int epitaph_start(int argc, char **argv, char **envp, void *auxv,
				 void (*rtld_fini)(void), struct start_info *info, char **stack)
{
	static struct start_info ours;

	init_early(argc, argv, envp);
	ours = *info;
	program_main = info->program;
	if (ENTER(__libc_start_main) && scope_reports(false))
		ours.program = exits_run_main;
	return ((__typeof__(&epitaph_start))next_get(HOOK___libc_start_main))(
		argc, argv, envp, auxv, rtld_fini, &ours, stack);
}

#else

EPITAPH_EXPORT int __libc_start_main(main_function *program, int argc, char **argv,
				     void (*init)(void), void (*fini)(void),
				     void (*rtld_fini)(void), void *stack_end)
{
	init_early(argc, argv, argv + argc + 1);
	program_main = program;
	if (ENTER(__libc_start_main))
		program = exits_run_main;
	return NEXT(__libc_start_main)(program, argc, argv, init, fini, rtld_fini, stack_end);
}

#endif

EPITAPH_EXPORT void exit(int code)
{
	if (ENTER(exit)) {
		ending_begin(CAUSE_EXIT, code, "exit", CALLER());
		if (!ending_watches_exit())
			ending_commit(code);
	}
	if (NEXT(exit))
		NEXT(exit)(code);
	leave(code);
}

EPITAPH_EXPORT void _exit(int code)
{
	if (ENTER(_exit)) {
		flush_all();
		ending_now(CAUSE__EXIT, code, "_exit", CALLER());
	}
	if (NEXT(_exit))
		NEXT(_exit)(code);
	leave(code);
}

EPITAPH_EXPORT void _Exit(int code)
{
	if (ENTER(_Exit)) {
		flush_all();
		ending_now(CAUSE__EXIT, code, "_Exit", CALLER());
	}
	if (NEXT(_Exit))
		NEXT(_Exit)(code);
	leave(code);
}

EPITAPH_EXPORT void quick_exit(int code)
{
	/* Told at once: a handler of ours that ran last would cost every start, for a call that few
	 * programs make. A quick_exit handler that changes the code gets a second line. */
	if (ENTER(quick_exit)) {
		flush_all();
		ending_now(CAUSE_QUICK_EXIT, code, "quick_exit", CALLER());
	}
	if (NEXT(quick_exit))
		NEXT(quick_exit)(code);
	leave(code);
}

/*
 * abort raises SIGABRT, and only where that comes back resets it to the default and raises it again
 * (glibc stdlib/abort.c, musl src/exit/abort.c). A handler may leave by longjmp or by exit, so this
 * is an end only when it comes back: the first raise is done here, the second one by libc.
 */
static void on_abort(uintptr_t caller)
{
	uintptr_t action[8] = {0};
	uint64_t blocked = 0;

	SYS4(SYS_rt_sigprocmask, SIG_BLOCK, 0, &blocked, SYS_SIGSET_BYTES);
	SYS4(SYS_rt_sigaction, SIGABRT, 0, action, SYS_SIGSET_BYTES);
	bool ignored = action[0] == (uintptr_t)SIG_IGN;
	if (!dispositions_is_default(action[0]) && !ignored && !(blocked >> (SIGABRT - 1) & 1))
		SYS3(SYS_tgkill, sys_getpid(), sys_gettid(), SIGABRT);
	aborts_note(caller);
	ending_now(CAUSE_ABORT, 0, "abort", caller);
	/* No watcher, and no frame for one: this stack may be too small. */
	if (!ignored)
		dispositions_give_back(SIGABRT);
}

EPITAPH_EXPORT void abort(void)
{
	if (ENTER(abort)) {
		flush_all();
		if (scope_reports(in_forked_child()))
			on_abort(CALLER());
	}
	if (NEXT(abort))
		NEXT(abort)();
	SYS2(SYS_kill, sys_getpid(), SIGABRT);
	leave(127);
}

/*
 * syscall(2). Declared with six words instead of `...`: on every psABI that we have, the registers
 * and the stack are the same, and the call of the next one becomes a jump, so that even a system
 * call that returns twice (clone) finds its caller's frame untouched.
 */
typedef long syscall_function(long, long, long, long, long, long, long);

syscall_function epitaph_syscall __asm__("syscall");

#ifdef SYS_execveat
enum { EXECVEAT = SYS_execveat };
#else
enum { EXECVEAT = -1 }; /* headers older than Linux 3.19 */
#endif

#ifdef SYS_fork
enum { FORK = SYS_fork };
#else
enum { FORK = -2 };	/* newer architectures */
#endif

#ifdef SYS_clone3
enum { CLONE3 = SYS_clone3 };
#else
enum { CLONE3 = -3 };	/* headers older than Linux 5.3 */
#endif

/* Whether a call of clone copies the memory. */
static bool copies(long number, long a, long b)
{
	const uint64_t *args = (const uint64_t *)a; /* NOLINT(performance-no-int-to-ptr) */
	uint64_t flags = (uint64_t)a;

#ifdef __s390x__
	flags = (uint64_t)b;
#else
	(void)b;
#endif
	if (number == CLONE3)
		flags = sys_readable(args, sizeof *args) ? *args : 0;
	return !(flags & CLONE_VM);
}

static __attribute__((noinline)) void on_syscall(long number, long a, long b, long c, long d,
						 uintptr_t caller)
{
	switch (number) {
	case SYS_exit_group:
		flush_all();
		ending_now(CAUSE__EXIT, (int)a, "syscall(SYS_exit_group)", caller);
		break;
	case EXECVEAT:
		execs_announce((int)a, (const char *)b, (char *const *)d, false, caller);
		break;
	case SYS_execve:
		execs_announce(AT_FDCWD, (const char *)a, (char *const *)c, false, caller);
		break;
	case FORK:
		flush_forks();
		break;
	case CLONE3:
	case SYS_clone:
		if (copies(number, a, b))
			flush_forks();
		break;
	default:
		break;
	}
}

EPITAPH_EXPORT long epitaph_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	syscall_function *next = (syscall_function *)next_get(HOOK_syscall);

	bool concerns = number == SYS_exit_group || number == SYS_execve || number == EXECVEAT ||
			number == SYS_clone || number == CLONE3 || number == FORK;
	bool sandboxes = (number == SYS_seccomp && moods_sandboxes_seccomp(a, c)) ||
			 (number == SYS_prctl && moods_sandboxes_prctl(a, b, c));

	if (unlikely(concerns) && ENTER(syscall))
		on_syscall(number, a, b, c, d, CALLER());
	if (unlikely(sandboxes) && next && ENTER(syscall)) {
		moods_silence();
		long result = next(number, a, b, c, d, e, f);
		if (result != 0)
			moods_speak();
		return result;
	}
	if (unlikely(!next))
		return sys_call6(number, a, b, c, d, e, f); /* no libc, so no errno to set */
	return next(number, a, b, c, d, e, f);
}
