/* verr(3) from a function below main, with EACCES as errno. SPDX-License-Identifier: MIT */
#include <err.h>
#include <errno.h>
#include <stdarg.h>

#include "victim.h"

FRAME static void leave_here(int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	errno = EACCES;
	verr(code, format, ap);
}

int main(int argc, char **argv)
{
	(void)argc;
	leave_here(number(argv, 1, 5), "cannot %s %d", "open", 42);
	return 99;
}
