/* The process as the modules see it, without init.c and the hooks. SPDX-License-Identifier: MIT */
#include "epitaph.h"

struct process process = {.name = "unit",
			  .execfn = "/bin/unit",
			  .self = "/lib/libepitaph.so",
			  .active = true,
			  .role = ROLE_ROOT};

bool epitaph_enter(int hook)
{
	(void)hook;
	return true;
}

bool in_forked_child(void)
{
	return false;
}
