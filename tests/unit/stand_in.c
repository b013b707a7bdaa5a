/* The process as the modules see it, without init.c and the hooks. SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "epitaph.h"

struct process process = {.name = "unit",
			  .execfn = "/bin/unit",
			  .self = "/lib/libepitaph.so",
			  .loaded = true,
			  .active = true,
			  .role = ROLE_ROOT};

void init_early(int argc, char **argv, char **envp)
{
	(void)argc;
	(void)argv;
	(void)envp;
}

bool in_forked_child(void)
{
	return false;
}

int who_runs(int *tid)
{
	*tid = getpid();
	return *tid;
}
