/* What the victims share: numbers from argv, words for a person. SPDX-License-Identifier: MIT */
#ifndef VICTIM_H
#define VICTIM_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No stdio: most victims must not depend on what happens to its buffers. */
static inline void say(const char *s)
{
	if (write(1, s, strlen(s)) < 0)
		abort();
}

/* A small number without stdio. */
static inline void say_number(const char *name, long v)
{
	char digits[24];
	int n = sizeof digits;
	unsigned long u = v < 0 ? -(unsigned long)v : (unsigned long)v;

	digits[--n] = '\0';
	digits[--n] = '\n';
	do {
		digits[--n] = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		digits[--n] = '-';
	say(name);
	say(" ");
	say(digits + n);
}

static inline int number(char **argv, int i, int otherwise)
{
	for (int k = 1; k <= i; k++)
		if (!argv[k])
			return otherwise;
	return atoi(argv[i]);
}

/* A frame to be found in the backtrace: not inlined, not a tail call. */
#define FRAME __attribute__((noinline, noclone))

#endif
