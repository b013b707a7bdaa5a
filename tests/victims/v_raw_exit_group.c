/* An inline exit_group: nobody can see it from inside. SPDX-License-Identifier: MIT */
#include <sys/syscall.h>

#include "victim.h"

int main(void)
{
#if defined(__x86_64__)
	__asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(3) : "rcx", "r11", "memory");
#else
	syscall(SYS_exit_group, 3);
#endif
	return 99;
}
