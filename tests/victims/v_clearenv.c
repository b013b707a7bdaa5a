/* Empties and refills its environment, then ends: the shim's options were read before.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "victim.h"

int main(void)
{
	clearenv();
	setenv("A", "b", 1);
	unsetenv("A");
	return getenv("LD_PRELOAD") || getenv("A") ? 1 : 3;
}
