/* What the process listens on, told from real sockets. SPDX-License-Identifier: MIT */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "epitaph.h"
#include "ports.h"
#include "sys.h"

static char said[8192], buf[1024];
static int ports[64];

/* A socket that listens on a port of its own, which goes into ports[fd]. */
static int listener(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(&a, 0, sizeof a);
	a.sin_family = AF_INET;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0 && fd < 64);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	ports[fd] = ntohs(a.sin_port);
	return fd;
}

static bool describe(void)
{
	struct text t = text_over(said, sizeof said);

	return ports_describe(&t, buf, sizeof buf);
}

static void test_ports(void **state)
{
	char wanted[400];
	int a, b, c, port_a;

	(void)state;
	assert_false(describe());
	assert_string_equal(said, "");

	a = listener();
	port_a = ports[a];
	assert_true(describe()); /* as one that it inherited */
	snprintf(wanted, sizeof wanted, "listening on 127.0.0.1:%d (since when is not known)",
		 port_a);
	assert_string_equal(said, wanted);

	ports_listened(a);
	ports_listened(a); /* another backlog */
	assert_true(describe());
	snprintf(wanted, sizeof wanted, "listening on 127.0.0.1:%d since +0.", port_a);
	assert_memory_equal(said, wanted, strlen(wanted));
	assert_null(strchr(said, ','));

	/* Another socket under the same number; the first one lives on in a copy. */
	c = dup(a);
	close(a);
	assert_true(describe());
	assert_memory_equal(said, wanted, strlen(wanted));
	b = listener();
	assert_int_equal(b, a);
	ports_listened(b);
	assert_true(describe());
	snprintf(wanted, sizeof wanted, "127.0.0.1:%d since +0.", port_a);
	assert_non_null(strstr(said, wanted));
	snprintf(wanted, sizeof wanted, "127.0.0.1:%d since +0.", ports[b]);
	assert_non_null(strstr(said, wanted));
	assert_null(strstr(said, "no longer"));

	close(c);
	assert_true(describe());
	snprintf(wanted, sizeof wanted, "; no longer on 127.0.0.1:%d (since +0.", port_a);
	assert_non_null(strstr(said, wanted));
	assert_non_null(strstr(said, "), closed before the end"));
	close(b);
	assert_true(describe());
	snprintf(wanted, sizeof wanted, "no longer listening on 127.0.0.1:%d (since +0.", port_a);
	assert_memory_equal(said, wanted, strlen(wanted));

	/* What is no socket, closed, or no longer ours is not remembered. */
	ports_listened(b);
	ports_listened(0);
	ports_listened(-1);
	assert_true(describe());
	assert_null(strstr(said, "since when"));
}

/* The two that are closed give up their places; of 20, four find none. */
static void test_many(void **state)
{
	int fds[40];

	(void)state;
	for (int i = 0; i < 20; i++) {
		fds[i] = listener();
		ports_listened(fds[i]);
	}
	assert_true(describe());
	assert_non_null(strstr(said, "; not remembered: 6"));
	assert_null(strstr(said, "no longer"));
	/* Every one that listens is told, remembered or not; of those beyond, how many. */
	for (int i = 20; i < 40; i++)
		fds[i] = listener();
	assert_true(describe());
	assert_non_null(strstr(said, " and 8 more"));
	for (int i = 0; i < 40; i++)
		close(fds[i]);
	assert_true(describe());
	assert_memory_equal(said, "no longer listening on ", 23);
}

static int setup(void **state)
{
	(void)state;
	process.pid = getpid();
	process.active = true;
	process.start_ns = sys_clock_ns(CLOCK_BOOTTIME);
	config_parse(&config, NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("ports", tests, setup, NULL);
}
