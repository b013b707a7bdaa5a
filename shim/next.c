/*
 * Binding of next definitions; the contract is in next.h.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "next.h"

#include <stddef.h>

#include "modules.h"

static const char *const names[HOOK_COUNT] = {
#define HOOK(name, file, why) #name,
#include "hooks.def"
#undef HOOK
};

static void *slots[HOOK_COUNT];

const char *hook_name(enum hook hook)
{
	return names[hook];
}

void next_bind(void)
{
	const struct link_map *map = modules_self();
	uint32_t hashes[HOOK_COUNT];

	for (int i = 0; i < HOOK_COUNT; i++)
		hashes[i] = gnu_hash(names[i]);
	/* Object by object, so that each one's tables are touched once. */
	for (map = map ? map->l_next : NULL; map; map = map->l_next) {
		struct module m;

		if (!module_open(&m, map))
			continue;
		for (int i = 0; i < HOOK_COUNT; i++)
			if (!__atomic_load_n(&slots[i], __ATOMIC_RELAXED))
				__atomic_store_n(&slots[i], module_symbol(&m, names[i], hashes[i]),
						 __ATOMIC_RELAXED);
	}
}

void *next_get(enum hook hook)
{
	void *at = __atomic_load_n(&slots[hook], __ATOMIC_RELAXED);

	if (__builtin_expect(!at, 0)) {
		const struct link_map *map = modules_self();
		uint32_t hash = gnu_hash(names[hook]);
		struct module m;

		for (map = map ? map->l_next : NULL; map && !at; map = map->l_next)
			if (module_open(&m, map))
				at = module_symbol(&m, names[hook], hash);
		__atomic_store_n(&slots[hook], at, __ATOMIC_RELAXED);
	}
	return at;
}
