/*
 * The buffers at the end; the contract is in flush.h.
 *
 * Runs in: any thread; flush_all also where a signal handler calls _exit, flush_pending in the
 * handlers of the end.
 * Sources: glibc bits/types/struct_FILE.h, libio/__fpending.c, libio/fileops.c; musl
 * src/internal/stdio_impl.h.
 * SPDX-License-Identifier: MIT
 */
#include "flush.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "dispositions.h"
#include "epitaph.h"
#include "next.h"
#include "sys.h"

enum { PIECE = 4096, WAIT_MS = 1000, LOCK_TRIES = 100, OTHERS = 64 };

/* What a fork copied: so many bytes, whose sum tells whether they are still in the buffer. */
struct copied {
	size_t n;
	uint64_t sum;
};

static struct fate {
	size_t flushed;
	const char *left;
	struct copied copied; /* not of FLUSH_OTHERS */
} fates[FLUSH_KINDS];

/*
 * The program's own streams. A slot holds the FILE, or 0; TAKEN is added while somebody looks at
 * the stream, so that its fclose waits for that moment. The file is remembered, too: a program that
 * closes descriptors by number may have another one there by now.
 */
static struct other {
	uintptr_t f;
	uint64_t dev, ino;
	struct copied copied;
} others[OTHERS] EPITAPH_COLD;

static int others_end; /* the slots from there on were never used */

enum { TAKEN = 1 };

static size_t pending_of(FILE *f)
{
	size_t (*fpending)(FILE *) = next_use(USE___fpending);

	return f && fpending ? fpending(f) : 0;
}

/* What a stream's buffer holds. The layouts are those of glibc and musl; that they are right is
 * checked against what libc itself counts. glibc moves the file's offset before it writes, where
 * the buffer was read into. */
static const char *buffered(FILE *f, size_t pending)
{
	const char *const *words = (const void *)f;
	bool glibc = process.libc == LIBC_GLIBC;
	const char *from = glibc ? words[4] : words[7], *to = words[5];

	if (glibc && words[2] != from)
		return NULL;
	return (uintptr_t)to - (uintptr_t)from == pending ? from : NULL;
}

static uint64_t sum_of(const char *from, size_t n)
{
	uint64_t sum = 0xcbf29ce484222325; /* FNV-1a */

	for (size_t i = 0; i < n && i < PIECE; i++)
		sum = (sum ^ (unsigned char)from[i]) * 0x100000001b3;
	return sum;
}

static void note_copy(FILE *f, struct copied *c)
{
	size_t n = pending_of(f);
	const char *from = n ? buffered(f, n) : NULL;

	c->sum = from ? sum_of(from, n) : 0;
	c->n = n;
}

/* Whether what a fork copied is still there; where nothing can be read, it may be. */
static bool still_copied(const struct copied *c, const char *from, size_t pending)
{
	return c->n && pending >= c->n && (!from || sum_of(from, c->n) == c->sum);
}

/* ---- Streams of the program's own ---- */

static bool identity(FILE *f, uint64_t *dev, uint64_t *ino)
{
	int (*number)(FILE *) = next_use(USE_fileno);
	sys_stat st;

	if (!number || sys_fstat(number(f), &st) != 0)
		return false;
	*dev = (uint64_t)st.st_dev;
	*ino = (uint64_t)st.st_ino;
	return true;
}

/* Published with its slot taken, and given back by the caller. Returns the slot, or -1. */
static int find_slot(FILE *f)
{
	for (int i = 0; i < OTHERS; i++) {
		uintptr_t none = 0;

		if (__atomic_compare_exchange_n(&others[i].f, &none, (uintptr_t)f | TAKEN, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return i;
	}
	return -1;
}

static void give_back(int i, FILE *f)
{
	__atomic_store_n(&others[i].f, (uintptr_t)f, __ATOMIC_RELEASE);
}

void flush_opened(FILE *f, const char *mode)
{
	uint64_t dev, ino;
	bool writes = false;
	int end, i;

	for (const char *m = mode; *m && *m != ','; m++)
		writes |= *m == 'w' || *m == 'a' || *m == '+';
	if (!writes || in_forked_child() || !identity(f, &dev, &ino))
		return;
	i = find_slot(f);
	if (i < 0)
		return;
	others[i].dev = dev;
	others[i].ino = ino;
	others[i].copied.n = 0;
	end = __atomic_load_n(&others_end, __ATOMIC_RELAXED);
	while (end <= i && !__atomic_compare_exchange_n(&others_end, &end, i + 1, true,
							__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	give_back(i, f);
}

/* Taken for as long as the process's end lasts, at most; and a thread that had taken it is not in a
 * forked child. */
static void forget(int i, FILE *f)
{
	long pause[2] = {0, 1000000};

	for (int tries = 0; tries < 2 * WAIT_MS; tries++) {
		uintptr_t given_back = (uintptr_t)f;

		if (__atomic_compare_exchange_n(&others[i].f, &given_back, 0, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED) ||
		    in_forked_child())
			return;
		SYS2(SYS_nanosleep, pause, 0);
	}
}

void flush_closing(FILE *f)
{
	int end = __atomic_load_n(&others_end, __ATOMIC_RELAXED);

	for (int i = 0; i < end; i++)
		if ((__atomic_load_n(&others[i].f, __ATOMIC_RELAXED) & ~(uintptr_t)TAKEN) ==
		    (uintptr_t)f)
			forget(i, f);
}

/* The stream in a slot, for us alone until given back; NULL: none, or somebody else has it. */
static FILE *take(int i)
{
	uintptr_t f = __atomic_load_n(&others[i].f, __ATOMIC_RELAXED);

	if (!f || (f & TAKEN) ||
	    !__atomic_compare_exchange_n(&others[i].f, &f, f | TAKEN, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return NULL;
	return (FILE *)f; /* NOLINT(performance-no-int-to-ptr) */
}

/* ---- Questions ---- */

size_t flush_pending(int kind)
{
	size_t sum = 0;

	if (kind != FLUSH_OTHERS)
		return pending_of(streams_libc[kind]);
	for (int i = 0; i < __atomic_load_n(&others_end, __ATOMIC_RELAXED); i++) {
		FILE *f = take(i);

		if (!f)
			continue;
		sum += pending_of(f);
		give_back(i, f);
	}
	return sum;
}

size_t flush_done(int kind)
{
	return fates[kind].flushed;
}

const char *flush_left(int kind)
{
	return fates[kind].left;
}

void flush_forks(void)
{
	for (int i = 0; i < STREAMS; i++)
		if (streams_libc[i])
			note_copy(streams_libc[i], &fates[i].copied);
	for (int i = 0; i < __atomic_load_n(&others_end, __ATOMIC_RELAXED); i++) {
		FILE *f = take(i);

		if (!f)
			continue;
		note_copy(f, &others[i].copied);
		give_back(i, f);
	}
}

/* ---- The end ---- */

/*
 * Whether this may be a signal handler, which found a stream in the midst of a change. A handler
 * runs with its own signal blocked, unless SA_NODEFER: so where nothing that has a handler is
 * blocked, this is none.
 */
static bool may_be_handler(void)
{
	uint64_t blocked = 0;

	SYS4(SYS_rt_sigprocmask, SIG_BLOCK, 0, &blocked, SYS_SIGSET_BYTES);
	for (int sig = 1; sig < 65; sig++) {
		uintptr_t action[8] = {0};

		SYS4(SYS_rt_sigaction, sig, 0, action, SYS_SIGSET_BYTES);
		if (dispositions_is_default(action[0]) || action[0] == (uintptr_t)SIG_IGN)
			continue;
		if ((blocked >> (sig - 1) & 1) || (action[1] & SA_NODEFER))
			return true;
	}
	return false;
}

/* Writes as much as there is room for, until the clock says stop. Returns the bytes written; *why
 * is set where that is not all. */
static size_t write_out(int fd, const char *from, size_t n, int64_t deadline, const char **why)
{
	size_t done = 0;

	while (done < n) {
		int64_t left = (deadline - sys_clock_ns(CLOCK_BOOTTIME)) / 1000000;
		int events = left > 0 ? sys_poll_write(fd, (int)left) : 0;

		if (events == -EINTR)
			continue;
		if (events == 0) {
			*why = "nobody took it within a second";
			break;
		}
		/* One piece always fits where poll says so: a pipe has room for a page. */
		long got = sys_write(fd, from + done, n - done < PIECE ? n - done : PIECE);
		if (got == -EINTR || got == -EAGAIN)
			continue;
		if (got <= 0) {
			*why = "it cannot be written to";
			break;
		}
		done += (size_t)got;
	}
	return done;
}

size_t flush_rest(int fd, const char *from, size_t n)
{
	const char *why;

	return write_out(fd, from, n, sys_clock_ns(CLOCK_BOOTTIME) + (int64_t)WAIT_MS * 1000000,
			 &why);
}

static void flush_one(FILE *f, struct fate *fate, const struct copied *copied, int64_t deadline)
{
	int (*trylock)(FILE *) = next_use(USE_ftrylockfile);
	void (*unlock)(FILE *) = next_use(USE_funlockfile);
	void (*purge)(FILE *) = next_use(USE___fpurge);
	int (*number)(FILE *) = next_use(USE_fileno);
	size_t pending;
	int tries = 0;

	if (!trylock || !unlock || !purge || !number)
		return;
	while (trylock(f) != 0) {
		long pause[2] = {0, 1000000};

		if (++tries > LOCK_TRIES) {
			fate->left = "another thread holds the stream's lock";
			return;
		}
		SYS2(SYS_nanosleep, pause, 0);
	}
	pending = pending_of(f);
	const char *from = pending ? buffered(f, pending) : NULL;
	if (still_copied(copied, from, pending)) {
		fate->left = "a forked child has the same bytes in its buffer";
	} else if (from) {
		size_t done = write_out(number(f), from, pending, deadline, &fate->left);

		fate->flushed += done;
		if (done == pending)
			purge(f);
	} else if (pending) {
		fate->left = "its characters are wide, or were read before";
	}
	unlock(f);
}

static void flush_other(int i, int64_t deadline)
{
	FILE *f = take(i);
	uint64_t dev, ino;

	if (!f)
		return;
	if (pending_of(f)) {
		if (identity(f, &dev, &ino) && dev == others[i].dev && ino == others[i].ino)
			flush_one(f, &fates[FLUSH_OTHERS], &others[i].copied, deadline);
		else
			fates[FLUSH_OTHERS].left = "its descriptor is another file's by now";
	}
	give_back(i, f);
}

void flush_all(void)
{
	uint64_t raised = 1ull << (SIGPIPE - 1) | 1ull << (SIGXFSZ - 1) | 1ull << (SIGTTOU - 1);
	uint64_t old = 0, before = 0, after = 0;
	int *(*location)(void);
	int64_t deadline;
	int error;

	size_t pending = 0;
	for (int i = 0; i < FLUSH_KINDS; i++)
		pending += flush_pending(i);
	if (!pending || in_forked_child())
		return;
	if (may_be_handler()) {
		for (int i = 0; i < FLUSH_KINDS; i++)
			fates[i].left = "a signal handler ends the process";
		return;
	}
	location = next_use(USE_errno_location);
	error = location ? *location() : 0;
	deadline = sys_clock_ns(CLOCK_BOOTTIME) + (int64_t)WAIT_MS * 1000000;
	SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &raised, &old, SYS_SIGSET_BYTES);
	SYS2(SYS_rt_sigpending, &before, SYS_SIGSET_BYTES);
	for (int i = 0; i < STREAMS; i++) {
		fates[i].left = NULL;
		if (flush_pending(i))
			flush_one(streams_libc[i], &fates[i], &fates[i].copied, deadline);
	}
	for (int i = 0; i < __atomic_load_n(&others_end, __ATOMIC_RELAXED); i++)
		flush_other(i, deadline);
	/* The signals that our own writes raised are taken back. */
	SYS2(SYS_rt_sigpending, &after, SYS_SIGSET_BYTES);
	raised &= after & ~before;
	long zero[2] = {0, 0};
	if (raised)
		SYS4(SYS_rt_sigtimedwait, &raised, 0, zero, SYS_SIGSET_BYTES);
	SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, SYS_SIGSET_BYTES);
	if (location)
		*location() = error;
}
