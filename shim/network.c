/*
 * Sockets: failures are remembered (failures.h), those of bind and listen told at once, and what
 * listens is kept (ports.h).
 *
 * Interposes: connect getsockopt (SO_ERROR) bind listen getaddrinfo.
 * Runs in: anywhere but getaddrinfo, which no handler may call; a call that succeeds costs
 * comparisons.
 * Sources: man 2 connect (EINPROGRESS, and how its end is asked for).
 * SPDX-License-Identifier: MIT
 */
#include "network.h"

#include <netdb.h>
#include <sys/socket.h>

#include "epitaph.h"
#include "failures.h"
#include "flood.h"
#include "next.h"
#include "ports.h"
#include "record.h"
#include "scope.h"
#include "sockets.h"
#include "sys.h"

/* Under names of our own: glibc's headers have a union for the address. */
typedef int address_function(int fd, const void *address, unsigned int len);

address_function epitaph_connect __asm__("connect"), epitaph_bind __asm__("bind");

enum { PENDING = 16 };

/* Connects that did not wait, by their descriptor. */
static struct pending {
	int busy;
	int fd; /* plus one; 0: free */
	unsigned int len;
	char address[128];
} pending[PENDING] EPITAPH_COLD;

static bool any_pending, used;

bool network_used(void)
{
	return __atomic_load_n(&used, __ATOMIC_RELAXED);
}

static inline void note_use(void)
{
	if (unlikely(!__atomic_load_n(&used, __ATOMIC_RELAXED)) && failures_kept())
		__atomic_store_n(&used, true, __ATOMIC_RELAXED);
}

static int last_error(void)
{
	int *(*location)(void) = next_use(USE_errno_location);

	return location ? *location() : 0;
}

/* The program's address as text; the kernel may have refused the call before it read it. */
static void format(struct text *t, const void *address, unsigned int len)
{
	if (len > sizeof(struct sockaddr_storage))
		len = sizeof(struct sockaddr_storage);
	if (len && sys_readable(address, len))
		sockets_format(t, address, len);
}

/* ---- connect ---- */

static struct pending *seize(int fd)
{
	struct pending *p = &pending[(unsigned int)fd % PENDING];
	int free = 0;

	return __atomic_compare_exchange_n(&p->busy, &free, 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED)
		       ? p
		       : NULL;
}

static void release(struct pending *p)
{
	__atomic_store_n(&p->busy, 0, __ATOMIC_RELEASE);
}

static void under_way(int fd, const void *address, unsigned int len)
{
	struct pending *p;

	if (!failures_kept() || len > sizeof p->address || !sys_readable(address, len))
		return;
	p = seize(fd);
	if (!p)
		return;
	p->fd = fd + 1;
	p->len = len;
	__builtin_memcpy(p->address, address, len);
	release(p);
	__atomic_store_n(&any_pending, true, __ATOMIC_RELAXED);
}

/* The kernel has told how the connect under way ended; who asks for SO_ERROR now gets 0, which is
 * no success (hiredis connects again, and then asks). */
static struct pending answered(int fd)
{
	struct pending own = {0}, *p = fd < 0 || !failures_kept() ? NULL : seize(fd);

	if (!p)
		return own;
	own = *p;
	if (p->fd == fd + 1)
		p->fd = 0;
	release(p);
	return own;
}

/* Resolvers and runtimes connect datagram sockets to learn which address they would have. */
static bool is_probe(int fd)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return SYS5(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_DGRAM;
}

/* How a connect ended: error 0 is success. */
static void connected(int fd, const void *address, unsigned int len, int error)
{
	char name[128];
	struct text t = text_over(name, sizeof name);

	format(&t, address, len);
	if (!error)
		failures_forget(FAILED_CONNECT, name);
	else if (!is_probe(fd))
		failures_note(FAILED_CONNECT, "connect", name, error);
}

static __attribute__((noinline)) void on_connect(int fd, const void *address, unsigned int len,
						 int result)
{
	int error = result ? last_error() : 0;

	if (!ENTER(connect))
		return;
	switch (error) {
	case EINPROGRESS:
	case EINTR: /* it goes on all the same */
		under_way(fd, address, len);
		break;
	case EALREADY:
		break;
	default:
		answered(fd);
		connected(fd, address, len, error == EISCONN ? 0 : error);
		break;
	}
}

EPITAPH_EXPORT int epitaph_connect(int fd, const void *address, unsigned int len)
{
	int result = ((address_function *)next_get(HOOK_connect))(fd, address, len);

	note_use();
	if (unlikely(result != 0) || FAILURES_HAVE(FAILED_CONNECT))
		on_connect(fd, address, len, result);
	return result;
}

static __attribute__((noinline)) void on_so_error(int fd, int error)
{
	struct pending own;

	if (!ENTER(getsockopt))
		return;
	own = answered(fd);
	if (own.fd == fd + 1)
		connected(fd, own.address, own.len, error);
}

EPITAPH_EXPORT int getsockopt(int fd, int level, int name, void *restrict value,
			      socklen_t *restrict len)
{
	int result = NEXT(getsockopt)(fd, level, name, value, len);

	if (unlikely(__atomic_load_n(&any_pending, __ATOMIC_RELAXED)) && level == SOL_SOCKET &&
	    name == SO_ERROR && result == 0 && *len == sizeof(int)) {
		int error;

		__builtin_memcpy(&error, value, sizeof error);
		on_so_error(fd, error);
	}
	return result;
}

/* ---- bind, listen ---- */

static void tell(enum failing kind, const char *call, const char *address, int error,
		 uintptr_t caller)
{
	struct failure f = {.kind = kind, .call = call, .error = error};
	struct text t = text_over(f.subject, sizeof f.subject);
	struct record *r;

	text_str(&t, address);
	if (!scope_reports(false) || !flood_allows(FLOOD_FAILURE, (int)kind))
		return;
	r = record_begin(EVENT_FAILURE, SEVERITY_WARN);
	if (!r)
		return;
	text_failure(&r->body, &f);
	if (in_forked_child())
		text_str(&r->body, " (in a forked child)");
	record_static(r, "epitaph.failure.call", call);
	record_string(r, "epitaph.failure.address", address);
	record_integer(r, "epitaph.failure.errno", error);
	record_caller(r, caller, NULL);
	record_write(r);
}

static __attribute__((noinline)) void on_bind(const void *address, unsigned int len, int result,
					      uintptr_t caller)
{
	int error = result ? last_error() : 0;
	char name[128];
	struct text t = text_over(name, sizeof name);

	if (!ENTER(bind))
		return;
	format(&t, address, len);
	if (!error) {
		failures_forget(FAILED_BIND, name);
		return;
	}
	failures_note(FAILED_BIND, "bind", name, error);
	tell(FAILED_BIND, "bind", name, error, caller);
}

EPITAPH_EXPORT int epitaph_bind(int fd, const void *address, unsigned int len)
{
	int result = ((address_function *)next_get(HOOK_bind))(fd, address, len);

	note_use();
	if (unlikely(result != 0) || FAILURES_HAVE(FAILED_BIND))
		on_bind(address, len, result, CALLER());
	return result;
}

static void on_listen(int fd, int result, uintptr_t caller)
{
	int error = result ? last_error() : 0;
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	char name[128];
	struct text t = text_over(name, sizeof name);

	if (!ENTER(listen))
		return;
	if (!error)
		ports_listened(fd);
	if (!error && !FAILURES_HAVE(FAILED_LISTEN))
		return;
	if (SYS3(SYS_getsockname, fd, &address, &len) == 0)
		format(&t, &address, len);
	if (!error) {
		failures_forget(FAILED_LISTEN, name);
		return;
	}
	failures_note(FAILED_LISTEN, "listen", name, error);
	tell(FAILED_LISTEN, "listen", name, error, caller);
}

EPITAPH_EXPORT int listen(int fd, int backlog)
{
	int result = NEXT(listen)(fd, backlog);

	note_use();
	on_listen(fd, result, CALLER());
	return result;
}

/* ---- getaddrinfo ---- */

EPITAPH_EXPORT int getaddrinfo(const char *restrict name, const char *restrict service,
			       const struct addrinfo *restrict hints,
			       struct addrinfo **restrict found)
{
	int result = NEXT(getaddrinfo)(name, service, hints, found);

	note_use();
	if (likely(result == 0 && !FAILURES_HAVE(FAILED_LOOKUP)) || !name || !ENTER(getaddrinfo))
		return result;
	if (result)
		failures_note(FAILED_LOOKUP, "getaddrinfo", name,
			      result == EAI_SYSTEM ? last_error() : result);
	else
		failures_forget(FAILED_LOOKUP, name);
	return result;
}
