/* The library of v_libcall. SPDX-License-Identifier: MIT */
#include <stdlib.h>

void leave_by_library(int code);

void leave_by_library(int code)
{
	exit(code);
}
