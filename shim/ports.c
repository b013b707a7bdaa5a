/*
 * Listening sockets; the contract is in ports.h.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "ports.h"

#include <sys/socket.h>

#include "epitaph.h"
#include "failures.h"
#include "sockets.h"
#include "sys.h"

enum { PORTS_MOST = 16, NOW_MOST = 32 };
enum { FREE, BEING_WRITTEN, THERE };

/* A socket is its inode: descriptors are closed, doubled and used again. */
static struct port {
	int state;
	int fd; /* when it began to listen */
	uint64_t ino;
	int64_t when_ns;
	char address[120];
} ports[PORTS_MOST] EPITAPH_COLD;

static int untold; /* no room for them, or made room for others */

/* For ports_describe alone. */
static struct listening now[NOW_MOST] EPITAPH_COLD;
static uint64_t now_ino[NOW_MOST] EPITAPH_COLD;
static int now_busy;

/* The inode of a descriptor, which is a socket's own; 0 where it is closed. */
static uint64_t inode_of(int fd)
{
	sys_stat st;

	return sys_fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? (uint64_t)st.st_ino : 0;
}

static bool turn(struct port *p, int from, int to)
{
	return __atomic_compare_exchange_n(&p->state, &from, to, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static bool is_there(const struct port *p)
{
	return __atomic_load_n(&p->state, __ATOMIC_ACQUIRE) == THERE;
}

static struct port *find_room(void)
{
	for (int i = 0; i < PORTS_MOST; i++)
		if (turn(&ports[i], FREE, BEING_WRITTEN))
			return &ports[i];
	for (int i = 0; i < PORTS_MOST; i++)
		if (is_there(&ports[i]) && inode_of(ports[i].fd) != ports[i].ino &&
		    turn(&ports[i], THERE, BEING_WRITTEN)) {
			__atomic_fetch_add(&untold, 1, __ATOMIC_RELAXED);
			return &ports[i];
		}
	__atomic_fetch_add(&untold, 1, __ATOMIC_RELAXED);
	return NULL;
}

void ports_listened(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	uint64_t ino = inode_of(fd);
	struct port *p;
	struct text t;

	if (!ino || !failures_kept())
		return;
	/* A second listen only changes the backlog. */
	for (int i = 0; i < PORTS_MOST; i++)
		if (is_there(&ports[i]) && ports[i].ino == ino)
			return;
	p = find_room();
	if (!p)
		return;
	p->fd = fd;
	p->ino = ino;
	p->when_ns = sys_clock_ns(CLOCK_BOOTTIME);
	t = text_over(p->address, sizeof p->address);
	if (SYS3(SYS_getsockname, fd, &address, &len) == 0)
		sockets_format(&t, &address, len < sizeof address ? len : sizeof address);
	__atomic_store_n(&p->state, THERE, __ATOMIC_RELEASE);
}

static const struct port *port_of(uint64_t ino)
{
	for (int i = 0; i < PORTS_MOST; i++)
		if (is_there(&ports[i]) && ports[i].ino == ino)
			return &ports[i];
	return NULL;
}

static void text_address(struct text *t, const char *address)
{
	text_clean(t, address, str_len(address));
}

static void text_since(struct text *t, const struct port *p)
{
	text_str(t, "since +");
	text_seconds(t, p->when_ns - process.start_ns, 3);
	text_char(t, 's');
}

static bool text_open(struct text *t, int n)
{
	const char *before = "listening on ";
	bool told = false;

	for (int i = 0; i < n; i++) {
		const struct port *p = port_of(now_ino[i]);
		bool twice = false;

		for (int k = 0; k < i; k++)
			twice |= now_ino[k] == now_ino[i];
		if (twice)
			continue;
		text_str(t, before);
		text_address(t, now[i].address);
		if (p) {
			text_char(t, ' ');
			text_since(t, p);
		} else {
			text_str(t, " (since when is not known)");
		}
		before = ", ";
		told = true;
	}
	return told;
}

static bool is_open(const struct port *p, int n)
{
	for (int i = 0; i < n; i++)
		if (now_ino[i] == p->ino)
			return true;
	return false;
}

static bool text_lost(struct text *t, int n, bool told)
{
	bool lost = false;

	for (int i = 0; i < PORTS_MOST; i++) {
		const struct port *p = &ports[i];

		if (!is_there(p) || is_open(p, n))
			continue;
		text_str(t, lost ? ", " : told ? "; no longer on " : "no longer listening on ");
		text_address(t, p->address);
		text_str(t, " (");
		text_since(t, p);
		text_char(t, ')');
		lost = true;
	}
	if (lost)
		text_str(t, ", closed before the end");
	return lost;
}

bool ports_describe(struct text *t, char *buf, size_t cap)
{
	int n, more, out = __atomic_load_n(&untold, __ATOMIC_RELAXED);
	bool told;

	if (__atomic_exchange_n(&now_busy, 1, __ATOMIC_ACQUIRE))
		return false;
	n = sockets_listening(now, NOW_MOST, buf, cap);
	more = n > NOW_MOST ? n - NOW_MOST : 0;
	n -= more;
	for (int i = 0; i < n; i++)
		now_ino[i] = inode_of(now[i].fd);
	told = text_open(t, n);
	if (more) {
		text_str(t, " and ");
		text_dec(t, more);
		text_str(t, " more");
	} else { /* with more than were looked at, one that is missing may be among the rest */
		told |= text_lost(t, n, told);
	}
	if (out && told) {
		text_str(t, "; not remembered: ");
		text_dec(t, out);
	}
	__atomic_store_n(&now_busy, 0, __ATOMIC_RELEASE);
	return told;
}

const char *ports_all_lost(char *buf, size_t cap)
{
	const struct port *last = NULL;

	for (int i = 0; i < PORTS_MOST; i++) {
		const struct port *p = &ports[i];

		if (!is_there(p))
			continue;
		if (inode_of(p->fd) == p->ino)
			return NULL;
		if (!last || p->when_ns > last->when_ns)
			last = p;
	}
	/* Under another descriptor it may still be there. */
	if (!last || __atomic_exchange_n(&now_busy, 1, __ATOMIC_ACQUIRE))
		return NULL;
	int n = sockets_listening(now, NOW_MOST, buf, cap);
	__atomic_store_n(&now_busy, 0, __ATOMIC_RELEASE);
	return n == 0 ? last->address : NULL;
}
