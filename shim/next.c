/*
 * Binding of next definitions; the contract is in next.h.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "next.h"

#include <stddef.h>

#include "modules.h"

static const char names[USE_END][24] = {
#define HOOK(name, file, why) #name,
#include "hooks.def"
#undef HOOK
	[USE_environ] = "__environ",
	[USE_on_exit] = "on_exit",
	[USE_gnu_get_libc_version] = "gnu_get_libc_version",
	[USE_clock_gettime] = "clock_gettime",
	[USE_stdout] = "stdout",
	[USE_stderr] = "stderr",
	[USE___fpending] = "__fpending",
	[USE___fpurge] = "__fpurge",
	[USE_fwide] = "fwide",
	[USE___libc_single_threaded] = "__libc_single_threaded",
	[USE_Py_IsInitialized] = "Py_IsInitialized",
	[USE_ftrylockfile] = "ftrylockfile",
	[USE_funlockfile] = "funlockfile",
	[USE_fileno] = "fileno",
	[USE_vsnprintf] = "vsnprintf",
	[USE___vsnprintf_chk] = "__vsnprintf_chk",
	[USE_cout] = "_ZSt4cout",
	[USE_clog] = "_ZSt4clog",
	[USE_cerr] = "_ZSt4cerr",
	[USE_cout_libcxx] = "_ZNSt3__14coutE",
	[USE_clog_libcxx] = "_ZNSt3__14clogE",
	[USE_cerr_libcxx] = "_ZNSt3__14cerrE",
	[USE_errno_location] = "__errno_location",
#ifdef __aarch64__
	[USE_vdso_clock] = "__kernel_clock_gettime",
#else
	[USE_vdso_clock] = "__vdso_clock_gettime",
#endif
};

void *next_slots[USE_END];

const char *hook_name(enum hook hook)
{
	return names[hook];
}

void *next_look_up(int i)
{
	/* Of a hook, what stands behind us; of the rest, what the program itself would find. */
	const struct link_map *self = modules_self();
	const struct link_map *map = i < HOOK_COUNT ? self : modules_first();
	uint32_t hash = gnu_hash(names[i]);
	void *at = NULL;
	struct module m;

	for (; map && !at; map = map->l_next)
		if (map != self && module_open(&m, map))
			at = module_symbol(&m, names[i], hash);
	__atomic_store_n(&next_slots[i], at, __ATOMIC_RELAXED);
	return at;
}
