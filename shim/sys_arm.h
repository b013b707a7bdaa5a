/* Raw system calls on 32-bit arm (EABI). r7 is saved by hand: it is Thumb's frame pointer.
 * SPDX-License-Identifier: MIT */
#ifndef EPITAPH_SYS_ARCH_H
#define EPITAPH_SYS_ARCH_H

static inline long sys_call6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;
	register long r4 __asm__("r4") = e;
	register long r5 __asm__("r5") = f;

	__asm__ volatile("mov r12, r7\n\tmov r7, %[n]\n\tsvc 0\n\tmov r7, r12"
			 : "+r"(r0)
			 : [n] "r"(n), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
			 : "r12", "memory");
	return r0;
}

#endif
