/* Socket addresses as text, and what listens. SPDX-License-Identifier: MIT */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sockets.h"

static char scratch[1024];

/* Of exactly len bytes, so that a sanitizer sees a read beyond them. */
static const char *formatted(const void *address, unsigned int len)
{
	static char buffer[160];
	struct text t = text_over(buffer, sizeof buffer);
	char *exact = malloc(len ? len : 1);

	memcpy(exact, address, len);
	sockets_format(&t, exact, len);
	free(exact);
	assert_int_equal(t.len, strlen(buffer)); /* no NUL in its midst */
	return buffer;
}

static void compare(int family, const void *bytes, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	char host[INET6_ADDRSTRLEN], want[80];
	const char *got;

	memcpy(&in.sin_addr, bytes, sizeof in.sin_addr);
	memcpy(&in6.sin6_addr, bytes, sizeof in6.sin6_addr);
	inet_ntop(family, bytes, host, sizeof host);
	snprintf(want, sizeof want, family == AF_INET ? "%s:%u" : "[%s]:%u", host, port);
	got = family == AF_INET ? formatted(&in, sizeof in) : formatted(&in6, sizeof in6);
	assert_string_equal(got, want);
}

/* As libc writes them; many zeros, so that runs of every length and place come up. */
static void test_addresses(void **state)
{
	uint32_t seed = 99;

	(void)state;
	for (int round = 0; round < 100000; round++) {
		unsigned char a[16];
		uint32_t zeros = next_random(&seed);

		for (int i = 0; i < 16; i++) {
			a[i] = (unsigned char)next_random(&seed);
			if (round % 4 && (zeros >> (round % 4 == 3 ? i : i / 2)) & 1)
				a[i] = 0;
		}
		if (round % 10 == 0)
			memset(a, 0, 10 + next_random(&seed) % 7);
		if (round % 20 == 0)
			a[10] = a[11] = 0xff; /* ::ffff:a.b.c.d */
		compare(AF_INET, a, (uint16_t)next_random(&seed));
		compare(AF_INET6, a, (uint16_t)next_random(&seed));
	}
}

static void test_known(void **state)
{
	static const char *const rows[] = {"::",
					   "::1",
					   "1::",
					   "fe80::1",
					   "2001:db8:0:1:1:1:1:1",
					   "2001:0:0:1::1",
					   "2001:db8::1:0:0:1",
					   "::ffff:172.18.0.2",
					   "1:2:3:4:5:6:7:8",
					   "1:2:3:4:5:6:7:0",
					   "1:2:3:4:5:6::",
					   "::3:4:5:6:7:8",
					   "0:2:3:4:5:6:7:8"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
		char want[80];

		assert_int_equal(inet_pton(AF_INET6, rows[i], &in6.sin6_addr), 1);
		snprintf(want, sizeof want, "[%s]:80", rows[i]);
		assert_string_equal(formatted(&in6, sizeof in6), want);
	}
}

static const char *unix_name(const char *path, size_t n)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	memset(un.sun_path, 'z', sizeof un.sun_path);
	memcpy(un.sun_path, path, n);
	return formatted(&un, (unsigned int)(offsetof(struct sockaddr_un, sun_path) + n));
}

static void test_unix(void **state)
{
	char path[200], want[200];

	(void)state;
	assert_string_equal(unix_name("/run/x.sock", 11), "unix:/run/x.sock");
	assert_string_equal(unix_name("/run/x.sock\0rest", 16), "unix:/run/x.sock");
	assert_string_equal(unix_name("relative", 8), "unix:relative");
	assert_string_equal(unix_name("\0name", 5), "@name");
	assert_string_equal(unix_name("\0a\0b\0", 5), "@a@b@");
	assert_string_equal(unix_name("", 0), "unix:(unnamed)");
	memset(path, 'p', sizeof path);
	path[0] = '/';
	snprintf(want, sizeof want, "unix:%.108s", path);
	assert_string_equal(unix_name(path, 108), want);

	/* Longer than there can be: the path ends where sun_path does. */
	struct sockaddr_storage big = {.ss_family = AF_UNIX};
	memcpy((char *)&big + offsetof(struct sockaddr_un, sun_path), path, 120);
	assert_string_equal(formatted(&big, sizeof big), want);
}

static void test_cut(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(1)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};

	(void)state;
	for (unsigned int len = 0; len <= sizeof in6; len++) {
		char family[20];

		snprintf(family, sizeof family, "family %d", len < 2 ? 0 : AF_INET);
		if (len <= sizeof in)
			assert_string_equal(formatted(&in, len), len < 8 ? family : "0.0.0.0:1");
		snprintf(family, sizeof family, "family %d", len < 2 ? 0 : AF_INET6);
		assert_string_equal(formatted(&in6, len), len < 24 ? family : "[::]:1");
	}
	/* The text that is too small is cut, and says so. */
	for (size_t cap = 1; cap < 12; cap++) {
		char buffer[12];
		struct text t = text_over(buffer, cap);

		sockets_format(&t, &in, sizeof in);
		assert_int_equal(t.cut, cap < sizeof "0.0.0.0:1");
		assert_int_equal(strncmp(buffer, "0.0.0.0:1", cap - 1), 0);
	}
}

/* Any bytes at all: no crash (a sanitizer watches), and another family is named by its number. */
static void test_anything(void **state)
{
	uint32_t seed = 31;

	(void)state;
	for (int round = 0; round < 50000; round++) {
		unsigned char bytes[sizeof(struct sockaddr_storage)];
		sa_family_t family;
		char want[20];

		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (unsigned char)next_random(&seed);
		family = (sa_family_t)(round % 2 ? next_random(&seed) : next_random(&seed) % 50);
		memcpy(bytes, &family, sizeof family);
		const char *got = formatted(bytes, 2 + next_random(&seed) % (sizeof bytes - 1));
		snprintf(want, sizeof want, "family %d", family);
		if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
			assert_string_equal(got, want);
	}
}

/* A socket bound to an address, listening where asked; -1 where there is no such family here. */
static int bound(const void *address, unsigned int len, int type, bool listening, int v6only)
{
	int family = ((const struct sockaddr *)address)->sa_family, fd = socket(family, type, 0);

	if (fd < 0)
		return -1;
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
	if (bind(fd, address, len) != 0) {
		close(fd);
		return -1;
	}
	if (listening)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 a = {.sin6_family = AF_UNSPEC};
	socklen_t len = sizeof a;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin6_port); /* at the same place in both families */
}

static const struct listening *find(const struct listening *l, int n, int fd)
{
	for (int i = 0; i < n; i++)
		if (l[i].fd == fd)
			return &l[i];
	return NULL;
}

static void check(const struct listening *l, int n, int fd, int family, const char *format,
		  bool v6only)
{
	const struct listening *found = find(l, n, fd);
	uint16_t port = family == AF_UNIX ? 0 : port_of(fd);
	char want[120];

	snprintf(want, sizeof want, format, port);
	assert_non_null(found);
	assert_int_equal(found->family, family);
	assert_int_equal(found->port, port);
	assert_int_equal(found->v6only, v6only);
	assert_string_equal(found->address, want);
}

static void test_listening(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_un un = {.sun_family = AF_UNIX}, name = {.sun_family = AF_UNIX};
	static const char *const folders[] = {"/proc/self/fd", "/nonexistent", "/dev/null"};
	struct listening l[32];
	char unix_want[120], name_want[120];
	int pair[2], n;

	(void)state;
	snprintf(un.sun_path, sizeof un.sun_path, "/tmp/sockets-%d", (int)getpid());
	snprintf(unix_want, sizeof unix_want, "unix:%s", un.sun_path);
	snprintf(name.sun_path, sizeof name.sun_path, "%csockets-%d", 0, (int)getpid());
	snprintf(name_want, sizeof name_want, "@%s", name.sun_path + 1);

	int tcp = bound(&in, sizeof in, SOCK_STREAM, true, 0);
	int idle = bound(&in, sizeof in, SOCK_STREAM, false, 0);
	int udp = bound(&in, sizeof in, SOCK_DGRAM, false, 0);
	int both = bound(&in6, sizeof in6, SOCK_STREAM, true, 0);
	int only = bound(&in6, sizeof in6, SOCK_STREAM, true, 1);
	int path = bound(&un, sizeof un, SOCK_STREAM, true, 0);
	int abstract = bound(&name,
			     (unsigned int)(offsetof(struct sockaddr_un, sun_path) + 1 +
					    strlen(name.sun_path + 1)),
			     SOCK_SEQPACKET, true, 0);
	int file = open("/dev/null", O_RDONLY);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_true(tcp >= 0 && idle >= 0 && udp >= 0 && path >= 0 && abstract >= 0 && file >= 0);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		memset(l, 0x55, sizeof l);
		n = sockets_listening_in(folders[i], l, 32, scratch, sizeof scratch);
		assert_true(n >= 3 && n <= 32);
		for (int j = 1; j < n; j++)
			assert_true(l[j - 1].fd < l[j].fd);
		check(l, n, tcp, AF_INET, "0.0.0.0:%u", false);
		if (both >= 0)
			check(l, n, both, AF_INET6, "[::]:%u", false);
		if (only >= 0)
			check(l, n, only, AF_INET6, "[::]:%u", true);
		check(l, n, path, AF_UNIX, unix_want, false);
		check(l, n, abstract, AF_UNIX, name_want, false);
		assert_null(find(l, n, idle));
		assert_null(find(l, n, udp));
		assert_null(find(l, n, pair[0]));
		assert_null(find(l, n, file));
	}
	/* More than are asked for: counted, not written. */
	n = sockets_listening(l, 32, scratch, sizeof scratch);
	memset(l, 0x55, sizeof l);
	assert_int_equal(sockets_listening(l, 1, scratch, sizeof scratch), n);
	assert_int_equal(l[1].fd, 0x55555555);
	assert_int_equal(sockets_listening(NULL, 0, scratch, sizeof scratch), n);
	/* A buffer that holds no entry. */
	assert_int_equal(sockets_listening(l, 32, scratch, 8), n);

	/* A process that has no descriptor left: neither has it one to look with. */
	struct rlimit old, now;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	now = (struct rlimit){3, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(open("/dev/null", O_RDONLY), -1);
	assert_int_equal(sockets_listening(l, 32, scratch, sizeof scratch), n);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);

	/* Behind more descriptors than one read of the folder gives. */
	int first = dup(file), last = first;
	while (last < 300)
		last = dup(file);
	assert_int_equal(dup2(tcp, last + 1), last + 1);
	assert_int_equal(sockets_listening(l, 32, scratch, sizeof scratch), n + 1);
	check(l, n + 1, last + 1, AF_INET, "0.0.0.0:%u", false);
	/* No descriptor of ours is left open. */
	int next = dup(file);
	assert_int_equal(next, last + 2);
	while (next >= first)
		close(next--);

	const int all[] = {tcp, idle, udp, both, only, path, abstract, file, pair[0], pair[1]};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		close(all[i]);
	unlink(un.sun_path);
	for (int i = 0; i < sockets_listening(l, 32, scratch, sizeof scratch); i++)
		assert_int_not_equal(l[i].fd, tcp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_known),
		cmocka_unit_test(test_unix),	  cmocka_unit_test(test_cut),
		cmocka_unit_test(test_anything),  cmocka_unit_test(test_listening),
	};

	return cmocka_run_group_tests_name("sockets", tests, NULL, NULL);
}
