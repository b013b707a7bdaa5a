/*
 * The contexts that a case is called in, in an object of its own: its constructor and destructor
 * are neither the program's nor the shim's. CONTEXT and HOOK come by the environment, because musl
 * gives constructors no arguments. SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

static const char *const context_names[CONTEXT_COUNT] = {
	[CONTEXT_MAIN] = "main",
	[CONTEXT_CONSTRUCTOR] = "constructor",
	[CONTEXT_DESTRUCTOR] = "destructor",
	[CONTEXT_SIGNAL] = "signal",
	[CONTEXT_THREAD] = "thread",
	[CONTEXT_FORK] = "fork",
	[CONTEXT_VFORK] = "vfork",
};

/* From hooks.def: a hook without case_NAME does not link (-z defs). */
static const struct {
	const char *name;
	const struct hook_case *hook_case;
} cases[] = {
#define ROW(name)	      {#name, &case_##name},
#define HOOK(name, file, why) ROW(name)
#include "hooks.def"
#undef HOOK
	MORE_CASES(ROW)};

enum { CASE_COUNT = sizeof cases / sizeof *cases };

static int wanted_context = -1, wanted_case = -1;

static void read_wishes(void)
{
	const char *context = getenv("CONTEXT"), *hook = getenv("HOOK");

	for (int i = 0; context && i < CONTEXT_COUNT; i++)
		if (!strcmp(context, context_names[i]))
			wanted_context = i;
	for (int i = 0; hook && i < CASE_COUNT; i++)
		if (!strcmp(hook, cases[i].name))
			wanted_case = i;
}

static void call_here(enum context context)
{
	if ((int)context == wanted_context && wanted_case >= 0) {
		cases[wanted_case].hook_case->call();
		say("returned\n");
	}
}

__attribute__((constructor)) static void constructor(void)
{
	read_wishes();
	call_here(CONTEXT_CONSTRUCTOR);
}

__attribute__((destructor)) static void destructor(void)
{
	call_here(CONTEXT_DESTRUCTOR);
}

static void on_signal(int sig)
{
	(void)sig;
	call_here(CONTEXT_SIGNAL);
}

static void *in_thread(void *arg)
{
	call_here(CONTEXT_THREAD);
	return arg;
}

static void report(pid_t pid)
{
	int status = 0;

	if (waitpid(pid, &status, 0) == pid)
		say("child status %x\n", status);
}

static void in_fork(void)
{
	pid_t pid = fork();

	if (!pid) {
		call_here(CONTEXT_FORK);
		_exit(21);
	}
	report(pid);
}

__attribute__((noinline)) static void in_vfork(void)
{
	pid_t pid = vfork();

	if (!pid) {
		call_here(CONTEXT_VFORK);
		_exit(21);
	}
	report(pid);
}

/* "CONTEXT CASE" a line for each combination; "- CONTEXT CASE: WHY" where there is none. */
static void list(void)
{
	for (int i = 0; i < CASE_COUNT; i++) {
		for (int c = 0; c < CONTEXT_COUNT; c++) {
			const struct hook_case *hook_case = cases[i].hook_case;
			const char *why = hook_case->undefined[c];

			if (!hook_case->call)
				why = "this libc has no such function";
			if (why)
				say("- %s %s: %s\n", context_names[c], cases[i].name, why);
			else
				say("%s %s\n", context_names[c], cases[i].name);
		}
	}
}

int contexts_main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	pthread_t thread;

	if (argc > 1 && !strcmp(argv[1], "list")) {
		list();
		return 0;
	}
	switch (wanted_context) {
	case CONTEXT_SIGNAL:
		sigaction(SIGUSR1, &action, NULL);
		raise(SIGUSR1);
		break;
	case CONTEXT_THREAD:
		if (pthread_create(&thread, NULL, in_thread, NULL))
			return 91;
		pthread_join(thread, NULL);
		break;
	case CONTEXT_FORK:
		in_fork();
		break;
	case CONTEXT_VFORK:
		in_vfork();
		break;
	default:
		call_here(CONTEXT_MAIN);
		break;
	}
	say("main goes on\n");
	return 20;
}
