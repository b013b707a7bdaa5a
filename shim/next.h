/*
 * The next definition of every interposed function, without libdl: found in the hash tables of the
 * objects behind us in the loader's list, as dlsym(RTLD_NEXT) would, but with no lock and nothing
 * allocated. And the few names of libc that Epitaph itself uses, found the same way, so that it
 * imports none of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_NEXT_H
#define EPITAPH_NEXT_H

#include <stddef.h>
#include <stdint.h>

enum hook {
#define HOOK(name, file, why) HOOK_##name,
#include "hooks.def"
#undef HOOK
	HOOK_COUNT
};

/* What Epitaph uses of libc, at load or in a hook; any may be missing. */
enum use {
	USE_environ = HOOK_COUNT, /* libc's own name for it, or the program's copy of it */
	USE_on_exit,
	USE_gnu_get_libc_version,
	USE_errno_location,
	USE_clock_gettime,
	USE_stdout,
	USE_stderr,
	USE___fpending,
	USE___fpurge,
	USE_ftrylockfile,
	USE_funlockfile,
	USE_fileno,
	USE_vsnprintf,
	USE___vsnprintf_chk,
	USE_fwide,
	USE___libc_single_threaded,
	USE_Py_IsInitialized,
	USE_cout, /* C++: libstdc++'s, then libc++'s */
	USE_clog,
	USE_cerr,
	USE_cout_libcxx,
	USE_clog_libcxx,
	USE_cerr_libcxx,
	USE_vdso_clock, /* the kernel's, in every process; musl does not list it */
	USE_END
};

/* What was found so far, by hook and use; NULL where nobody looked, or nothing is there. */
extern void *next_slots[USE_END];

/* Looks a definition up and keeps it. AS-safe. */
void *next_look_up(int i);

/*
 * The next definition, or NULL where no object behind us has one. Looked up at the first call:
 * binding all of them at load costs every start what most processes never need, and the look-up
 * takes no lock. It reads the loader's list only as far as libc, which no dlclose ever removes.
 * AS-safe.
 */
static inline void *next_get(enum hook hook)
{
	void *at = __atomic_load_n(&next_slots[hook], __ATOMIC_RELAXED);

	return __builtin_expect(at != NULL, 1) ? at : next_look_up((int)hook);
}

/* The same for a name that we use; here the program's own definition comes first. AS-safe. */
static inline void *next_use(enum use use)
{
	void *at = __atomic_load_n(&next_slots[use], __ATOMIC_RELAXED);

	return __builtin_expect(at != NULL, 1) ? at : next_look_up((int)use);
}

/* The hook's own name; never NULL. */
const char *hook_name(enum hook hook);

/* The typed next definition: NEXT(exit)(3). The signature is the system header's. */
#define NEXT(name) ((__typeof__(&(name)))next_get(HOOK_##name))

#endif
