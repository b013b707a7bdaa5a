/*
 * What the whole shim shares: attributes, the state of the process, the two questions that every
 * hook asks first. The state is written once, while the shim is loaded, and only read afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_H
#define EPITAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

/* Everything is hidden (-fvisibility=hidden) but the interposed names. */
#define EPITAPH_EXPORT __attribute__((visibility("default")))
/* Large and rarely touched: kept off the pages that every start needs (the linker sorts by name).
 */
#define EPITAPH_COLD __attribute__((section(".bss.zz_cold")))
#define likely(x)    __builtin_expect(!!(x), 1)
#define unlikely(x)  __builtin_expect(!!(x), 0)

/* The call site of the hook that this stands in. */
#define CALLER() ((uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0)) - 1)

/* Which part of EPITAPH_SCOPE this process belongs to, as it was when the shim was loaded. */
enum role {
	ROLE_ROOT, /* the first process of a tree that loads the shim: pid 1 in a container */
	ROLE_NEAR, /* a direct child of it that exec'd */
	ROLE_FAR,  /* any other descendant */
};

enum libc_kind { LIBC_NONE, LIBC_GLIBC, LIBC_MUSL };

struct process {
	int pid; /* who loaded the shim; another kernel pid means a forked child */
	enum role role;
	enum libc_kind libc;
	int64_t start_ns;    /* CLOCK_BOOTTIME at load; the clock of /proc, too */
	const char *name;    /* base name of the executed file, as the kernel was given it */
	const char *execfn;  /* AT_EXECFN: the path that was executed; never NULL */
	const char *self;    /* path of the shim, as the loader has it; never NULL */
	const char *preload; /* LD_PRELOAD at load, or NULL (then /etc/ld.so.preload loaded us) */
	char **envp;	     /* environment handed to main when we replaced it, else NULL */
	char **kernel_envp;  /* the one that it stands for */
	bool loaded;	     /* init_early is done */
	bool active; /* false: EPITAPH_DISABLE, set-uid, seccomp: every hook passes through */
};

extern struct process process;

/*
 * Initialises on whichever comes first: the constructor (glibc), __libc_start_main (musl), or the
 * first interposed call (another object's constructor; a program that runs no constructors).
 * Idempotent; the threads that come while one is at it go on without us. AS-safe after the first.
 */
void init_early(int argc, char **argv, char **envp);

/* True where Epitaph observes this process and EPITAPH_IGNORE does not name the hook. Every hook
 * begins with it: if (ENTER(exit)) … AS-safe once loaded. */
static inline bool epitaph_enter(int hook)
{
	if (unlikely(!__atomic_load_n(&process.loaded, __ATOMIC_ACQUIRE)))
		init_early(0, NULL, NULL);
	return process.active && !config.ignore[hook];
}
#define ENTER(name) epitaph_enter(HOOK_##name)

/* True in a child of fork, vfork or clone that has not exec'd. One system call. AS-safe. */
bool in_forked_child(void);

/* Who runs this: the pid (as getpid), its thread's id into *tid. One system call in the main
 * thread, two elsewhere. AS-safe. */
int who_runs(int *tid);

#endif
