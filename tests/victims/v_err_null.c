/* err with a null format. SPDX-License-Identifier: MIT */
#include <err.h>
#include <errno.h>

#include "victim.h"

int main(void)
{
	errno = ENOENT;
	err(5, NULL);
}
