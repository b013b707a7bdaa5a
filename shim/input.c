/*
 * Reads; the contract is in input.h.
 *
 * Interposes: read __read_chk readv signalfd.
 * Runs in: anywhere; a read of any other descriptor costs one comparison and one bit.
 * Sources: man 2 signalfd; drivers behind stdin give end of file as 0.
 * SPDX-License-Identifier: MIT
 */
#include "input.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dispositions.h"
#include "epitaph.h"
#include "next.h"
#include "procfs.h"
#include "sys.h"
#include "text.h"

enum { DESCRIPTORS = 4096, BITS = 8 * sizeof(unsigned long) };

/* Descriptors that once were a signalfd. close is not seen, so each read asks again. */
static unsigned long was_signalfd[DESCRIPTORS / BITS];
static bool any_signalfd;
static int64_t stdin_ended_ns;

int64_t input_ended(void)
{
	return __atomic_load_n(&stdin_ended_ns, __ATOMIC_RELAXED);
}

static bool is_signalfd(int fd)
{
	char path[40], leaf[24], target[32];
	struct text t = text_over(leaf, sizeof leaf);

	text_str(&t, "fd/");
	text_dec(&t, fd);
	procfs_path(path, sizeof path, 0, leaf);
	long n = sys_readlink(path, target, sizeof target - 1);
	if (n < 0)
		return true; /* no /proc: what it was */
	target[n] = '\0';
	return str_eq(target, "anon_inode:[signalfd]");
}

static void from_signalfd(const void *buf, long got)
{
	const struct signalfd_siginfo *from = buf;

	for (long i = 0; i < got / (long)sizeof *from; i++) {
		siginfo_t info;

		__builtin_memset(&info, 0, sizeof info);
		info.si_signo = (int)from[i].ssi_signo;
		info.si_code = from[i].ssi_code;
		info.si_pid = (pid_t)from[i].ssi_pid;
		info.si_uid = from[i].ssi_uid;
		dispositions_waited((int)from[i].ssi_signo, &info,
				    "; the program read it from a signalfd");
	}
}

/* Whether anything is to be seen in a read of this descriptor. */
static inline bool concerns(int fd)
{
	return fd == 0 ||
	       (unlikely(any_signalfd) && fd > 0 && fd < DESCRIPTORS &&
		(was_signalfd[(unsigned int)fd / BITS] >> ((unsigned int)fd % BITS) & 1));
}

static __attribute__((noinline)) void on_read(int fd, const void *buf, size_t asked, long got)
{
	if (!epitaph_enter(HOOK_read))
		return;
	if (fd == 0) {
		if (got > 0)
			__atomic_store_n(&stdin_ended_ns, 0, __ATOMIC_RELAXED);
		else if (got == 0 && asked && !in_forked_child())
			__atomic_store_n(&stdin_ended_ns, sys_clock_ns(CLOCK_BOOTTIME),
					 __ATOMIC_RELAXED);
	}
	if (got >= (long)sizeof(struct signalfd_siginfo) &&
	    got % (long)sizeof(struct signalfd_siginfo) == 0 && buf && fd < DESCRIPTORS &&
	    (was_signalfd[(unsigned int)fd / BITS] >> ((unsigned int)fd % BITS) & 1) &&
	    is_signalfd(fd))
		from_signalfd(buf, got);
}

EPITAPH_EXPORT ssize_t read(int fd, void *buf, size_t size)
{
	ssize_t got = NEXT(read)(fd, buf, size);

	if (concerns(fd))
		on_read(fd, buf, size, got);
	return got;
}

ssize_t __read_chk(int fd, void *buf, size_t size, size_t room);

EPITAPH_EXPORT ssize_t __read_chk(int fd, void *buf, size_t size, size_t room)
{
	ssize_t got = NEXT(__read_chk)(fd, buf, size, room);

	if (concerns(fd))
		on_read(fd, buf, size, got);
	return got;
}

EPITAPH_EXPORT ssize_t readv(int fd, const struct iovec *parts, int count)
{
	ssize_t got = NEXT(readv)(fd, parts, count);

	if (concerns(fd))
		on_read(fd, count == 1 && got > 0 ? parts->iov_base : NULL,
			got == 0 && count > 0 ? parts->iov_len : 1, got);
	return got;
}

EPITAPH_EXPORT int signalfd(int fd, const sigset_t *mask, int flags)
{
	int made = NEXT(signalfd)(fd, mask, flags);

	if (made >= 0 && made < DESCRIPTORS && ENTER(signalfd)) {
		__atomic_fetch_or(&was_signalfd[(unsigned int)made / BITS],
				  1ul << ((unsigned int)made % BITS), __ATOMIC_RELAXED);
		any_signalfd = true;
	}
	return made;
}
