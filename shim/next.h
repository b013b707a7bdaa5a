/*
 * The next definition of every interposed function, without libdl: found in the hash tables of the
 * objects behind us in the loader's list, as dlsym(RTLD_NEXT) would, but with no lock and nothing
 * allocated.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_NEXT_H
#define EPITAPH_NEXT_H

#include <stdint.h>

enum hook {
#define HOOK(name, file, why) HOOK_##name,
#include "hooks.def"
#undef HOOK
	HOOK_COUNT
};

/* Binds all hooks at once. Idempotent, so a race is harmless. AS-safe. */
void next_bind(void);

/* The next definition, bound on demand, or NULL where no object behind us has one. AS-safe. */
void *next_get(enum hook hook);

/* The hook's own name; never NULL. */
const char *hook_name(enum hook hook);

/* The typed next definition: NEXT(exit)(3). The signature is the system header's. */
#define NEXT(name) ((__typeof__(&(name)))next_get(HOOK_##name))

#endif
