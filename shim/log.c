/*
 * The log; the contract is in log.h.
 *
 * Runs in: anywhere, but log_open only at load.
 * SPDX-License-Identifier: MIT
 */
#include "log.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "config.h"
#include "epitaph.h"
#include "procfs.h"
#include "sys.h"
#include "text.h"

enum { MODE_MEMORY = 1 << 20 }; /* beside the bits of st_mode */
enum { FD_HIGH = 500, WAIT_MS = 1000, WAIT_CHILD_MS = 50 };

/* TCGETS, but for ppc64, whose macro needs a struct that collides with libc's. */
#ifdef __powerpc64__
#define GET_TERMIOS 0x402c7413
#else
#define GET_TERMIOS TCGETS
#endif

static struct {
	int fd;	    /* our descriptor, or -1 */
	int source; /* the program's descriptor that fd copies: 2, or N of fd:N; -1 with a path */
	struct log_identity id;
	int root_pid;
	bool terminal;
	bool fresh;	 /* just opened: nobody can have closed it */
	bool by_path;	 /* out_path is the log, to be opened again where fd is gone */
	bool detachable; /* somebody may wait for its end: a pipe, a socket, a terminal */
	bool waits;	 /* a write may have to wait for room */
	bool raises;	 /* a write may raise SIGPIPE, SIGXFSZ or SIGTTOU */
} out;

static char out_path[4096] EPITAPH_COLD;

/* Major number 1: /dev/null and its kin, which are no terminal. */
static bool is_memory_device(const sys_stat *st)
{
	return (st->st_mode & S_IFMT) == S_IFCHR && st->st_rdev >> 8 == 1;
}

static struct log_identity identity_of(int fd, unsigned int *mode)
{
	sys_stat st;

	if (sys_fstat(fd, &st) != 0)
		return (struct log_identity){0};
	*mode = st.st_mode | (is_memory_device(&st) ? MODE_MEMORY : 0);
	return (struct log_identity){st.st_dev, st.st_ino, true};
}

static bool same(const struct log_identity *a, const struct log_identity *b)
{
	return a->known && b->known && a->dev == b->dev && a->ino == b->ino;
}

/* A close-on-exec copy out of the way of the program: numbers that it counts on stay free. */
static int copy_high(int fd)
{
	struct {
		uint64_t now, max;
	} limit = {0, 0};
	int copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);

	if (copy >= 0)
		return copy;
	/* The limit is lower: as high as it goes. */
	SYS4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
	for (int i = 1; i <= 8 && limit.now > 3 + (uint64_t)i && limit.now <= FD_HIGH; i++) {
		copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, (long)limit.now - i);
		if (copy >= 0)
			return copy;
	}
	return -1;
}

static void take(int fd, struct log_identity id, unsigned int mode)
{
	char termios[64];

	out.fd = fd;
	out.fresh = true;
	out.id = id;
	out.terminal = (mode & S_IFMT) == S_IFCHR && !(mode & MODE_MEMORY) &&
		       SYS3(SYS_ioctl, fd, GET_TERMIOS, termios) == 0;
	out.detachable = (mode & S_IFMT) != S_IFREG;
	out.raises = (mode & S_IFMT) != S_IFCHR || out.terminal; /* not /dev/null and its like */
	out.waits = out.raises && out.detachable;
}

static int open_path(void)
{
	/* O_NONBLOCK: opening a FIFO that nobody reads must not hang the program. */
	int fd = sys_open(out_path,
			  O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
	int high;

	if (fd < 0)
		return fd;
	high = copy_high(fd);
	if (high < 0)
		return fd;
	sys_close(fd);
	return high;
}

void log_expand(char *buf, size_t cap, const char *path, int pid)
{
	struct text t = text_over(buf, cap);

	if (*path != '/') {
		long n = SYS2(SYS_getcwd, buf, cap);

		if (n > 1 && (size_t)n < cap && buf[0] == '/') {
			t.len = (size_t)n - 1; /* the length counts the NUL */
			if (t.len > 1)
				text_char(&t, '/');
		}
	}
	for (; *path; path++) {
		if (*path != '%')
			text_char(&t, *path);
		else if (*++path == 'p')
			text_dec(&t, pid);
		else if (*path == 'n')
			text_str(&t, process.name);
		else
			text_char(&t, '%');
	}
	if (t.cut)
		buf[0] = '\0';
}

void log_defer(const struct log_identity *root, int root_pid)
{
	out.fd = -1;
	out.source = 2;
	out.waits = out.raises = true;
	out.id = *root;
	out.root_pid = root_pid;
	if (config.log == LOG_FD)
		out.source = config.log_fd;
	if (config.log == LOG_PATH) {
		out.source = -1;
		out.id.known = false;
		log_expand(out_path, sizeof out_path, config.log_path, process.pid);
		out.by_path = out_path[0] != '\0';
	}
}

int log_open(const struct log_identity *root, int root_pid)
{
	struct log_identity own;
	unsigned int mode = 0;
	int error = 0, fd;

	log_defer(root, root_pid);
	if (config.log == LOG_PATH) {
		fd = open_path();
		/* A child opens it again where it has something to say: among its few descriptors
		 * one more is seen (Python's own tests list them). */
		if (fd >= 0 && process.role != ROLE_ROOT) {
			sys_close(fd);
			return 0;
		}
		if (fd >= 0) {
			own = identity_of(fd, &mode);
			take(fd, own, mode);
			return 0;
		}
		error = fd;
		out.by_path = false;
		out.source = 2;
		out.id = *root;
	}
	own = identity_of(out.source, &mode);
	if (!own.known && out.source != 2) {
		error = -EBADF;
		out.source = 2;
		own = identity_of(2, &mode);
	}
	if (!root->known)
		out.id = own;
	if (same(&own, &out.id)) {
		fd = copy_high(out.source);
		if (fd >= 0)
			take(fd, own, mode);
	}
	return error;
}

struct log_identity log_identity(void)
{
	return out.by_path ? (struct log_identity){0} : out.id;
}

void log_settled(void)
{
	out.fresh = false;
}

bool log_is_terminal(void)
{
	return out.terminal;
}

void log_detach(void)
{
	if (out.fd >= 0 && out.detachable)
		sys_close(out.fd);
}

/* Another process's descriptor, opened anew: the root's stderr, for a child that has its own. */
static int open_of_root(void)
{
	char path[40], leaf[24];
	struct text t = text_over(leaf, sizeof leaf);
	unsigned int mode = 0;
	struct log_identity id;
	int fd;

	text_str(&t, "fd/");
	text_dec(&t, out.source);
	procfs_path(path, sizeof path, out.root_pid, leaf);
	fd = sys_open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	id = identity_of(fd, &mode);
	if (same(&id, &out.id))
		return fd;
	sys_close(fd);
	return -1;
}

/* A descriptor that is the log for sure, or -1. *opened: the caller closes it. */
static int usable(bool *opened)
{
	unsigned int mode = 0;
	struct log_identity id;
	int fd = out.fd;

	*opened = false;
	if (fd >= 0 && out.fresh) { /* the program has not run yet */
		out.fresh = false;
		return fd;
	}
	if (fd >= 0) {
		id = identity_of(fd, &mode);
		if (same(&id, &out.id))
			return fd;
	}
	if (out.by_path) {
		*opened = true;
		return open_path();
	}
	id = identity_of(out.source, &mode);
	if (same(&id, &out.id))
		return out.source;
	if (!out.root_pid || out.root_pid == process.pid)
		return -1;
	*opened = true;
	return open_of_root();
}

int log_termination(const char *sentence, size_t len)
{
	bool named = config.termination == TERMINATION_PATH;
	long n;
	int fd;

	if (config.termination == TERMINATION_OFF)
		return 0;
	/* Looking for a file in /dev takes 4 us: only where it may be, in a pod. */
	if (!named && process.pid != 1 && !config.in_pod)
		return 0;
	fd = sys_open(named ? config.termination_path : "/dev/termination-log",
		      O_WRONLY | O_TRUNC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK |
			      (named ? O_CREAT : 0),
		      0644);
	if (fd < 0)
		return named ? -fd : 0;
	n = sys_write(fd, sentence, len < LOG_LINE_MOST ? len : LOG_LINE_MOST);
	sys_close(fd);
	return named && n < 0 ? (int)-n : 0;
}

/* A full pipe that nobody reads: waited for once, and not for long in a child, of which there may
 * be many; then lines are dropped until there is room. */
static bool has_room(int fd)
{
	static bool waited;
	int ms = waited ? 0 : process.role == ROLE_ROOT ? WAIT_MS : WAIT_CHILD_MS;
	int events = sys_poll_write(fd, ms);

	if (events == 0)
		waited = true;
	return events > 0 && (events & POLLOUT) && !(events & POLLERR);
}

static int failure; /* why the file was given up, not yet told */

/* The file cannot be written (a full disk, a limit): the main process goes on with stderr. */
static void give_up_file(int error)
{
	unsigned int mode = 0;
	struct log_identity id;

	if (!out.by_path || process.role != ROLE_ROOT || in_forked_child())
		return;
	id = identity_of(2, &mode);
	out.by_path = false;
	if (!id.known)
		return;
	if (out.fd >= 0)
		sys_close(out.fd);
	out.source = 2;
	take(copy_high(2), id, mode);
	failure = error;
}

int log_failure(void)
{
	return __atomic_exchange_n(&failure, 0, __ATOMIC_RELAXED);
}

static uint64_t written;

uint64_t log_written(void)
{
	return written;
}

bool log_line(const char *line, size_t len)
{
	/* Signals 13, 25 and 22: what a write can raise here. Kernel signal sets are plain words.
	 */
	uint64_t mask = 1ull << (SIGPIPE - 1) | 1ull << (SIGXFSZ - 1) | 1ull << (SIGTTOU - 1);
	uint64_t old = 0, pending = 0;
	bool opened;
	int fd = usable(&opened);
	long n = -1;

	if (fd < 0)
		return false;
	if (out.waits && !has_room(fd))
		goto out;
	if (out.raises)
		SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &old, SYS_SIGSET_BYTES);
	if (old & mask)
		SYS2(SYS_rt_sigpending, &pending, SYS_SIGSET_BYTES);
	do {
		n = sys_write(fd, line, len);
	} while (n == -EINTR);
	if (n == -EPIPE || n == -EFBIG) {
		/* The signal that our write raised: take it back, unless the program's own waits.
		 */
		uint64_t raised = 1ull << ((n == -EPIPE ? SIGPIPE : SIGXFSZ) - 1);
		long zero[2] = {0, 0};

		if (!(pending & raised))
			SYS4(SYS_rt_sigtimedwait, &raised, 0, zero, SYS_SIGSET_BYTES);
	}
	if (out.raises)
		SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, SYS_SIGSET_BYTES);
	if (n < 0)
		give_up_file((int)-n);
out:
	if (opened)
		sys_close(fd);
	if (n > 0)
		written += (uint64_t)n;
	return n == (long)len;
}
