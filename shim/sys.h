/*
 * Raw system calls: the only way in which Epitaph speaks to the kernel. No libc, so no locks, no
 * cancellation point, no errno, no hook of ours or of another preload. Every function is
 * async-signal-safe and returns the result or -errno, as the kernel does (man 2 of each).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_SYS_H
#define EPITAPH_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#if defined(__clang_analyzer__)
long sys_call6(long n, long a, long b, long c, long d, long e, long f); /* it cannot see into asm */
#elif defined(__x86_64__) && defined(__LP64__)
#include "sys_x86_64.h"
#elif defined(__aarch64__)
#include "sys_aarch64.h"
#elif defined(__i386__)
#include "sys_i386.h"
#elif defined(__arm__)
#include "sys_arm.h"
#elif defined(__riscv) && __riscv_xlen == 64
#include "sys_riscv64.h"
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#include "sys_ppc64le.h"
#elif defined(__s390x__)
#include "sys_s390x.h"
#else
#error "no raw system calls for this architecture: add shim/sys_ARCH.h (sys_call6)"
#endif

/* The kernel's signal set, in the words that the rt_sig* calls take. */
#define SYS_SIGSET_BYTES 8

#if __SIZEOF_POINTER__ == 8
typedef struct stat sys_stat; /* the kernel's own layout on every 64-bit port that we have */
#define SYS_FSTAT   SYS_fstat
#define SYS_FSTATAT SYS_newfstatat
#define SYS_MMAP    SYS_mmap
#define SYS_FCNTL   SYS_fcntl
#else
typedef struct stat64 sys_stat;
#define SYS_FSTAT   SYS_fstat64
#define SYS_FSTATAT SYS_fstatat64
#define SYS_MMAP    SYS_mmap2
#define SYS_FCNTL   SYS_fcntl64
#endif

#define SYS0(n)		    sys_call6((n), 0, 0, 0, 0, 0, 0)
#define SYS1(n, a)	    sys_call6((n), (long)(a), 0, 0, 0, 0, 0)
#define SYS2(n, a, b)	    sys_call6((n), (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(n, a, b, c)    sys_call6((n), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(n, a, b, c, d) sys_call6((n), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS5(n, a, b, c, d, e)                                                                     \
	sys_call6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

static inline int sys_getpid(void)
{
	return (int)SYS0(SYS_getpid);
}

static inline int sys_gettid(void)
{
	return (int)SYS0(SYS_gettid);
}

static inline int sys_getppid(void)
{
	return (int)SYS0(SYS_getppid);
}

static inline long sys_write(int fd, const void *buf, size_t len)
{
	return SYS3(SYS_write, fd, buf, len);
}

static inline long sys_read(int fd, void *buf, size_t len)
{
	return SYS3(SYS_read, fd, buf, len);
}

/* Reads at an offset. On 32-bit ports this moves the offset of fd (which is ours alone). */
static inline long sys_pread(int fd, void *buf, size_t len, uint64_t off)
{
#if __SIZEOF_POINTER__ == 8
	return SYS4(SYS_pread64, fd, buf, len, off);
#else
	long at = off > INT32_MAX ? -EOVERFLOW : SYS3(SYS_lseek, fd, off, 0);

	return at < 0 ? at : sys_read(fd, buf, len);
#endif
}

static inline int sys_open(const char *path, int flags, unsigned int mode)
{
	return (int)SYS4(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

static inline int sys_close(int fd)
{
	return (int)SYS1(SYS_close, fd);
}

static inline int sys_fstat(int fd, sys_stat *st)
{
	return (int)SYS2(SYS_FSTAT, fd, st);
}

static inline int sys_stat_path(const char *path, sys_stat *st)
{
	return (int)SYS4(SYS_FSTATAT, AT_FDCWD, path, st, 0);
}

static inline long sys_readlink(const char *path, char *buf, size_t len)
{
	return SYS4(SYS_readlinkat, AT_FDCWD, path, buf, len);
}

static inline int sys_access(const char *path, int mode)
{
	return (int)SYS3(SYS_faccessat, AT_FDCWD, path, mode);
}

static inline int sys_fcntl(int fd, int cmd, long arg)
{
	return (int)SYS3(SYS_FCNTL, fd, cmd, arg);
}

/*
 * Whether the `len` bytes (at most a page) at p can be read, without a fault where they cannot: the
 * kernel copies a signal set in before it looks at `how`, so a wrong `how` tells EFAULT from EINVAL
 * and changes nothing (kernel/signal.c, rt_sigprocmask).
 */
static inline bool sys_readable(const void *p, size_t len)
{
	uintptr_t a = (uintptr_t)p, last = a + (len ? len - 1 : 0);

	if (a < 4096 || last < a)
		return false;
	/* The call reads eight bytes: step back where they would cross into the next page. */
	uintptr_t first = (a & 4095) > 4088 ? (a | 4095) - 7 : a;

	if (SYS4(SYS_rt_sigprocmask, 0x7fff, first, 0, SYS_SIGSET_BYTES) == -EFAULT)
		return false;
	if ((a ^ last) & ~(uintptr_t)4095)
		return SYS4(SYS_rt_sigprocmask, 0x7fff, last & ~(uintptr_t)4095, 0,
			    SYS_SIGSET_BYTES) != -EFAULT;
	return true;
}

/* Whether the string at s can be read to its end, which must come within `most` bytes. */
static inline bool sys_readable_string(const char *s, size_t most)
{
	const char *end = s + most;

	while (s < end) {
		if (!sys_readable(s, 1))
			return false;
		do {
			if (!*s)
				return true;
		} while ((uintptr_t)++s & 4095);
	}
	return false;
}

/* Nanoseconds of a clock. The old 32-bit call serves on 32-bit ports (until 2038 for REALTIME). */
static inline int64_t sys_clock_ns(int clock)
{
	struct {
		long sec, nsec;
	} ts = {0, 0};

	SYS2(SYS_clock_gettime, clock, &ts);
	return (int64_t)ts.sec * 1000000000 + ts.nsec;
}

/* Waits until fd can be written; returns its revents, 0 after `ms` milliseconds, or -errno. */
static inline int sys_poll_write(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	struct {
		long sec, nsec;
	} ts = {ms / 1000, (long)(ms % 1000) * 1000000};
	long n = SYS5(SYS_ppoll, &p, 1, &ts, 0, SYS_SIGSET_BYTES);

	return n > 0 ? p.revents : (int)n;
}

#endif
