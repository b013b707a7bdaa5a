/* A 32-bit program for the kernel's compatibility mode, also its own "dynamic linker": exit(5).
 * SPDX-License-Identifier: MIT */
void _start(void);

void _start(void)
{
	__asm__ volatile("int $0x80" : : "a"(1), "b"(5) : "memory");
	for (;;)
		;
}
