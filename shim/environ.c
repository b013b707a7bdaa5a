/*
 * The environment; the contract is in environ.h.
 *
 * Runs in: load.
 * SPDX-License-Identifier: MIT
 */
#include "environ.h"

#include <link.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "epitaph.h"
#include "next.h"
#include "sys.h"

/* Enough for most environments; a larger one is mapped. Touched only where it is used. */
static char *static_array[256] __attribute__((section(".bss.yy_environ")));

char ***environ_find(void)
{
	return next_use(USE_environ);
}

static bool same_name(const char *a, const char *b)
{
	while (*a && *a == *b && *a != '=') {
		a++;
		b++;
	}
	return *a == '=' && *b == '=';
}

char **environ_with(char **envp, char *const *add, int count)
{
	size_t vars = 0, aux = 0, words;
	char **array = static_array, **to;

	while (envp[vars])
		vars++;
	const ElfW(auxv_t) *auxv = (const void *)(envp + vars + 1);
	while (auxv[aux].a_type != AT_NULL)
		aux++;
	words = vars + (size_t)count + 1 + (aux + 1) * sizeof *auxv / sizeof *envp;
	if (words > sizeof static_array / sizeof *static_array) {
		long at = sys_call6(SYS_MMAP, 0, (long)(words * sizeof *array),
				    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at < 0 && at > -4096)
			return NULL;
		array = (char **)at;
	}
	to = array;
	for (size_t i = 0; i < vars; i++) {
		*to = envp[i];
		for (int k = 0; k < count; k++)
			if (same_name(envp[i], add[k]))
				*to = add[k];
		to++;
	}
	for (int k = 0; k < count; k++) {
		bool there = false;

		for (size_t i = 0; i < vars && !there; i++)
			there = same_name(envp[i], add[k]);
		if (!there)
			*to++ = add[k];
	}
	*to++ = NULL;
	__builtin_memcpy(to, auxv, (aux + 1) * sizeof *auxv);
	return array;
}
