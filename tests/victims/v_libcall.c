/* A shared object that the program loaded calls exit(3): the record names the object.
 * SPDX-License-Identifier: MIT */
#include <dlfcn.h>

#include "victim.h"

int main(int argc, char **argv)
{
	void *object = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void (*leave)(int);

	if (!object)
		return 99;
	*(void **)&leave = dlsym(object, "leave_by_library");
	leave(3);
	return 98;
}
