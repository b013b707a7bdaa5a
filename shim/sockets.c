/*
 * Sockets; the contracts are in sockets.h.
 *
 * Runs in: anywhere but in a sandboxed process (sockets_format: anywhere).
 * SPDX-License-Identifier: MIT
 */
#include "sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sys.h"

enum { SCAN_MOST = 16384, BLIND_MOST = 256 };

/* ---- Addresses ---- */

/* An IPv4 address. */
static void format_bytes(struct text *t, const unsigned char *a)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			text_char(t, '.');
		text_padded(t, a[i], 1);
	}
}

static void format_group(struct text *t, unsigned int v)
{
	int shift = 12;

	while (shift && !(v >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		text_char(t, "0123456789abcdef"[(v >> shift) & 15]);
}

/* RFC 5952: the longest run of two or more zero groups, the first of equal ones, becomes "::". The
 * last 32 bits of ::ffff:0:0/96 and of ::/96 are written as IPv4, as inet_ntop(3) does. */
static void format_in6(struct text *t, const unsigned char *a)
{
	unsigned int groups[8];
	int zeros = -1, run = 1;

	for (size_t i = 0; i < 8; i++)
		groups[i] = (unsigned int)a[2 * i] << 8 | a[2 * i + 1];
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && !groups[i + n])
			n++;
		if (n > run) {
			zeros = i;
			run = n;
		}
	}
	bool mixed = zeros == 0 && (run == 6 || (run == 5 && groups[5] == 0xffff));

	for (int i = 0; i < 8;) {
		if (i == zeros) {
			text_str(t, "::");
			i += run;
			continue;
		}
		if (i && i != zeros + run)
			text_char(t, ':');
		if (mixed && i == 6) {
			format_bytes(t, a + 12);
			break;
		}
		format_group(t, groups[i++]);
	}
}

/* `path` is all of sun_path that there is. */
static void format_unix(struct text *t, const char *path, size_t len)
{
	if (len && !path[0]) {
		for (size_t i = 0; i < len; i++)
			if (path[i])
				text_char(t, path[i]);
			else
				text_char(t, '@');
		return;
	}
	text_str(t, "unix:");
	if (len)
		for (size_t i = 0; i < len && path[i]; i++)
			text_char(t, path[i]);
	else
		text_str(t, "(unnamed)");
}

static uint16_t port_of(const unsigned char *address)
{
	return (uint16_t)(address[2] << 8 | address[3]);
}

void sockets_format(struct text *t, const void *sockaddr, unsigned int len)
{
	const unsigned char *a = sockaddr;
	sa_family_t family = AF_UNSPEC;

	/* It need not be aligned, and a cut one is read no further than it goes. */
	if (len >= sizeof family)
		__builtin_memcpy(&family, a, sizeof family);
	if (family == AF_INET && len >= offsetof(struct sockaddr_in, sin_zero)) {
		format_bytes(t, a + offsetof(struct sockaddr_in, sin_addr));
	} else if (family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		text_char(t, '[');
		format_in6(t, a + offsetof(struct sockaddr_in6, sin6_addr));
		text_char(t, ']');
	} else if (family == AF_UNIX) {
		size_t most = sizeof(struct sockaddr_un) - sizeof family, n = len - sizeof family;

		format_unix(t, (const char *)a + sizeof family, n < most ? n : most);
		return;
	} else {
		text_str(t, "family ");
		text_dec(t, family);
		return;
	}
	text_char(t, ':');
	text_padded(t, port_of(a), 1);
}

/* ---- Who listens ---- */

static bool get_option(int fd, int level, int name, int *value)
{
	socklen_t len = sizeof *value;

	return SYS5(SYS_getsockopt, fd, level, name, value, &len) == 0;
}

static bool listens(int fd)
{
	sys_stat st;
	int accepts = 0;

	return sys_fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       get_option(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts) && accepts;
}

static void describe(struct listening *l, int fd)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof address;
	struct text t = text_over(l->address, sizeof l->address);
	int v6only = 0;

	if (SYS3(SYS_getsockname, fd, &address, &len) != 0 || len > sizeof address)
		len = 0;
	l->fd = fd;
	l->family = address.ss_family;
	l->port = 0;
	if (l->family == AF_INET || l->family == AF_INET6)
		l->port = port_of((const unsigned char *)&address);
	if (l->family == AF_INET6)
		get_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only);
	l->v6only = v6only != 0;
	sockets_format(&t, &address, len);
}

struct found {
	struct listening *out;
	int most, n;
};

static void look(struct found *f, int fd)
{
	if (!listens(fd))
		return;
	if (f->n < f->most)
		describe(&f->out[f->n], fd);
	f->n++;
}

int sockets_listening_in(const char *folder, struct listening *out, int most, char *buf, size_t cap)
{
	/* struct linux_dirent64 (man 2 getdents): the record's length, and its name */
	enum { RECLEN = 16, NAME = 19 };
	struct found f = {.out = out, .most = most};
	int dir = sys_open(folder, O_RDONLY | O_DIRECTORY, 0), scanned = 0;
	long n = dir;

	while (dir >= 0 && scanned < SCAN_MOST && (n = SYS3(SYS_getdents64, dir, buf, cap)) > 0) {
		uint16_t record;

		for (long at = 0; at < n; at += record) {
			uint64_t fd;

			__builtin_memcpy(&record, buf + at + RECLEN, sizeof record);
			if (str_number(buf + at + NAME, INT32_MAX, &fd)) {
				look(&f, (int)fd);
				scanned++;
			}
		}
	}
	if (dir >= 0)
		sys_close(dir);
	if (!scanned && n < 0)
		for (int fd = 0; fd < BLIND_MOST; fd++)
			look(&f, fd);
	return f.n;
}

int sockets_listening(struct listening *out, int most, char *buf, size_t cap)
{
	return sockets_listening_in("/proc/self/fd", out, most, buf, cap);
}
