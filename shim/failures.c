/*
 * Failures that are remembered; the contract is in failures.h.
 *
 * One slot a kind, taken by compare-and-swap and never waited for: of two threads that fail at the
 * same moment one is remembered; a signal handler that fails within a failure is not.
 *
 * Runs in: anywhere; failures_kept reads /proc in a forked child, once.
 * SPDX-License-Identifier: MIT
 */
#include "failures.h"

#include <errno.h>
#include <fcntl.h>

#include "epitaph.h"
#include "names.h"
#include "procfs.h"
#include "scope.h"
#include "sys.h"

static struct failure slots[FAILED_KINDS] EPITAPH_COLD;

unsigned int failures_present;

enum { OPENS_SINCE = 16 };

static int frozen;

void failures_freeze(int pid)
{
	__atomic_store_n(&frozen, pid, __ATOMIC_RELAXED);
}

/* A vfork child runs in its parent's memory, and its parent sleeps in the kernel the while. (Where
 * another thread than the main one called vfork the main one may not sleep: then a slot is written,
 * but under the child's pid, so that its parent does not take it for its own.) */
bool failures_kept(void)
{
	static int owner; /* the forked child that was found to have memory of its own */
	int pid = sys_getpid();
	char state;

	if (!process.active || !scope_reports(pid != process.pid))
		return false;
	if (pid == process.pid || pid == __atomic_load_n(&owner, __ATOMIC_RELAXED))
		return true;
	state = procfs_state(sys_getppid());
	if (!state || state == 'D')
		return false;
	__atomic_store_n(&owner, pid, __ATOMIC_RELAXED);
	return true;
}

static bool is_frozen(void)
{
	int pid = __atomic_load_n(&frozen, __ATOMIC_RELAXED);

	return unlikely(pid != 0) && pid == sys_getpid();
}

static bool seize(struct failure *f)
{
	int free = 0;

	return __atomic_compare_exchange_n(&f->busy, &free, 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static void release(struct failure *f)
{
	__atomic_store_n(&f->busy, 0, __ATOMIC_RELEASE);
}

void failures_note(enum failing kind, const char *call, const char *subject, int error)
{
	struct failure *f = &slots[kind];
	struct text t;

	if (is_frozen() || !failures_kept() || !seize(f))
		return;
	f->pid = sys_getpid();
	f->kind = kind;
	f->call = call;
	f->error = error;
	f->since = 0;
	f->when_ns = sys_clock_ns(CLOCK_BOOTTIME);
	t = text_over(f->subject, sizeof f->subject);
	text_str(&t, subject);
	if (t.cut)
		__builtin_memcpy(f->subject + sizeof f->subject - 4, "...", 4);
	release(f);
	__atomic_fetch_or(&failures_present, 1u << kind, __ATOMIC_RELAXED);
}

void failures_note_path(enum failing kind, const char *call, const char *path, int error)
{
	if (error != EFAULT && process.active && sys_readable_string(path, 4096))
		failures_note(kind, call, path, error);
}

/* What two subjects of a kind have in common where they are about the same thing. */
static const char *essence(enum failing kind, const char *subject)
{
	const char *colon = NULL;

	if (kind == FAILED_LOOKUP)
		return subject;
	for (const char *s = subject; *s && kind != FAILED_OPEN && kind != FAILED_EXEC; s++)
		if (*s == ':')
			colon = s;
	return colon && !str_starts(subject, "unix:") ? colon : str_base(subject);
}

void failures_forget(enum failing kind, const char *subject)
{
	struct failure *f = &slots[kind];
	/* Torn by another thread it compares unequal, or the failure is just being replaced. */
	bool same = str_eq(essence(kind, f->subject), essence(kind, subject));

	if ((!same && kind != FAILED_OPEN) || is_frozen() || !failures_kept() || !seize(f))
		return;
	if (same || ++f->since == OPENS_SINCE) {
		f->pid = 0;
		__atomic_fetch_and(&failures_present, ~(1u << kind), __ATOMIC_RELAXED);
	}
	release(f);
}

/* Programs look for these in many places, and most are not there. */
static bool is_searched(const char *path)
{
	static const char beginnings[][20] = {
		"/lib", "/usr/lib", "/usr/local/lib", "/usr/share/locale", "/usr/share/i18n",
		"/proc", "/sys", "/etc/ld.so", "/usr/share/zoneinfo",
		/* what resolvers, accounts and TLS libraries do without */
		"/etc/svc.conf", "/etc/netsvc.conf", "/etc/nsswitch.conf", "/etc/resolv.conf",
		"/etc/host.conf", "/etc/hosts", "/etc/gai.conf", "/etc/localtime", "/etc/passwd",
		"/etc/group", "/etc/ssl/", "/etc/nscd", "/var/run/nscd", "/run/nscd",
		/* where nss-systemd looks for an account that nobody has */
		"/etc/userdb/", "/run/userdb/", "/run/host/userdb/"};
	static const char parts[][20] = {"/locale/",	   "/zoneinfo/",   "/site-packages/",
					 "/node_modules/", "/terminfo/",   "/gconv/",
					 ".so.",	   "/__pycache__/"};
	static const char ends[][20] = {".so", ".mo", ".pyc", ".pth", ".la", "._pth", "/pyvenv.cfg",
					"/pybuilddir.txt", "/package.json",
					/* which distribution is this? */
					"-release", "_version"};
	size_t length = str_len(path);

	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
		if (str_starts(path, beginnings[i]))
			return true;
	for (const char *s = path; *s; s++)
		for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
			if (str_starts(s, parts[i]))
				return true;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (length >= str_len(ends[i]) && str_eq(path + length - str_len(ends[i]), ends[i]))
			return true;
	return false;
}

bool failures_is_search(const char *path, int flags, int error)
{
	if (flags & O_PATH) /* "is it there?" */
		return true;
	switch (error) {
	case ENOENT:
		return !(flags & O_CREAT) && is_searched(path);
	case EEXIST: /* a lock file, a temporary name */
		return flags & O_EXCL;
	case ENOTDIR: /* "is it a folder?" */
		return flags & O_DIRECTORY;
	case ELOOP:
		return flags & O_NOFOLLOW;
	case EINTR:
	case EAGAIN:
	case ENXIO: /* no terminal behind /dev/tty, no reader behind a FIFO */
		return true;
	default: /* "can this file system make nameless files?" */
		return (flags & O_TMPFILE) == O_TMPFILE;
	}
}

const struct failure *failures_take(enum failing kind)
{
	struct failure *f = &slots[kind];

	if (!FAILURES_HAVE(kind) || !seize(f))
		return NULL;
	if (f->pid == sys_getpid())
		return f;
	release(f);
	return NULL;
}

void failures_give_back(const struct failure *f)
{
	if (f)
		release(&slots[f->kind]);
}

/* "ENOENT: no such file" the other way round, for the end of a sentence. */
static void text_reason(struct text *t, int error)
{
	const char *name = error < 0 ? lookup_error_name(error) : error_name(error);
	const char *colon = name;

	while (*colon && *colon != ':')
		colon++;
	if (!*colon) {
		text_str(t, "error ");
		text_dec(t, error);
		return;
	}
	text_str(t, colon + 2);
	text_str(t, " (");
	text_mem(t, name, (size_t)(colon - name));
	text_char(t, ')');
}

void text_failure(struct text *t, const struct failure *f)
{
	static const char joins[FAILED_KINDS][5] = {" to ", " to ", " on ", " of ", " of ", " of "};

	text_str(t, f->call);
	if (f->subject[0]) {
		text_str(t, joins[f->kind]);
		text_clean(t, f->subject, str_len(f->subject));
	}
	text_str(t, " failed: ");
	text_reason(t, f->error);
}
