/*
 * What a program finds in its environment and behind it. Prints every variable but those that the
 * shim documents; ends with 0 where main's third argument is environ and the auxiliary vector
 * stands behind it, as the kernel laid it out. SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "victim.h"

extern char **environ;

int main(int argc, char **argv, char **envp)
{
	char **e = envp;
	const ElfW(auxv_t) * aux;

	(void)argc;
	(void)argv;
	for (; *e; e++) {
		char name[64];
		size_t n = strcspn(*e, "=");

		if (strncmp(*e, "EPITAPH_", 8) && strncmp(*e, "LD_PRELOAD=", 11) &&
		    strncmp(*e, "PYTHONUNBUFFERED=", 17)) {
			say(*e);
			say("\n");
		}
		if (n >= sizeof name)
			continue;
		memcpy(name, *e, n);
		name[n] = '\0';
		if (!getenv(name) || strcmp(getenv(name), *e + n + 1))
			return 1;
	}
	if (environ != envp) {
		/* Another array is allowed only where it holds the same. */
		char **a = environ, **b = envp;

		while (*a && *b && !strcmp(*a, *b))
			a++, b++;
		if (*a || *b)
			return 2;
		say("environ is another array\n");
	}
	for (aux = (const ElfW(auxv_t) *)(const void *)(e + 1); aux->a_type != AT_NULL; aux++)
		if (aux->a_type == AT_PAGESZ)
			return aux->a_un.a_val == getauxval(AT_PAGESZ) ? 0 : 3;
	return 4;
}
