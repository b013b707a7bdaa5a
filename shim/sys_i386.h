/* Raw system calls on i386. The sixth argument goes into ebp, which must be saved by hand.
 * SPDX-License-Identifier: MIT */
#ifndef EPITAPH_SYS_ARCH_H
#define EPITAPH_SYS_ARCH_H

static inline long sys_call6(long n, long a, long b, long c, long d, long e, long f)
{
	long args[3] = {a, e, f}, ret;

	/* edi carries the address of what has no register left: ebx, edi, ebp. */
	__asm__ volatile("push %%ebx\n\tpush %%ebp\n\tpush %%edi\n\t"
			 "mov (%%edi), %%ebx\n\tmov 8(%%edi), %%ebp\n\tmov 4(%%edi), %%edi\n\t"
			 "int $0x80\n\tpop %%edi\n\tpop %%ebp\n\tpop %%ebx"
			 : "=a"(ret)
			 : "a"(n), "D"(args), "c"(b), "d"(c), "S"(d)
			 : "memory");
	return ret;
}

#endif
