/* The memory control group, in trees laid out as kernels and engines lay them.
 * SPDX-License-Identifier: MIT */
#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"

#define V2_MOUNT "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
#define V1_MOUNT                                                                                   \
	"35 31 0:31 / /sys/fs/cgroup/memory rw shared:9 master:2 - cgroup cgroup rw,memory\n"
#define V1_NONE	   "9223372036854771712\n"
#define V1_OTHERS  "34 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
#define EVENTS(n)  "low 0\nhigh 7\nmax 41\noom 5\noom_kill " #n "\noom_group_kill 9\n"
#define CONTROL(n) "oom_kill_disable 0\nunder_oom 1\noom_kill " #n "\n"
#define OUR_POD	   "/kubepods.slice/kubepods-pod1.slice/cri-2.scope"

enum { FILES_MOST = 16 };

struct tree {
	const char *name;
	struct cgroup_memory want;
	const char *files[FILES_MOST][2]; /* path, content */
};

static const struct cgroup_memory unknown = {false, 0, -1, -1, -1, -1};

static const struct tree trees[] = {
	{"nothing at all", {false, 0, -1, -1, -1, -1}, {{NULL, NULL}}},
	{"version 2",
	 {true, 2, 1000, 900, 800, 3},
	 {{"/proc/self/cgroup", "0::/a.slice/b.scope\n"},
	  {"/sys/fs/cgroup/a.slice/b.scope/memory.events", EVENTS(3)},
	  {"/sys/fs/cgroup/a.slice/b.scope/memory.max", "1000\n"},
	  {"/sys/fs/cgroup/a.slice/b.scope/memory.peak", "900\n"},
	  {"/sys/fs/cgroup/a.slice/b.scope/memory.current", "800\n"},
	  {"/sys/fs/cgroup/a.slice/memory.events", EVENTS(70)},
	  {"/sys/fs/cgroup/a.slice/memory.max", "max\n"}}},
	{"version 2, the limit is the grandparent's, no memory.peak",
	 {true, 2, 500, -1, 80, 0},
	 {{"/proc/self/cgroup", "0::/a/b/c\n"},
	  {"/sys/fs/cgroup/a/b/c/memory.events", EVENTS(0)},
	  {"/sys/fs/cgroup/a/b/c/memory.max", "max\n"},
	  {"/sys/fs/cgroup/a/b/c/memory.current", "80\n"},
	  {"/sys/fs/cgroup/a/b/memory.max", "600\n"},
	  {"/sys/fs/cgroup/a/memory.max", "500\n"},
	  {"/sys/fs/cgroup/memory.max", "max\n"}}},
	{"version 2, the controller is the parent's",
	 {true, 2, 600, -1, -1, 4},
	 {{"/proc/self/cgroup", "0::/a/b/c\n"},
	  {"/sys/fs/cgroup/a/b/c/cgroup.procs", "1\n"},
	  {"/sys/fs/cgroup/a/b/memory.events", EVENTS(4)},
	  {"/sys/fs/cgroup/a/b/memory.max", "600\n"},
	  {"/sys/fs/cgroup/a/memory.max", "700\n"}}},
	{"version 2, in a container",
	 {true, 2, 536870912, 4096, 0, 12},
	 {{"/proc/self/cgroup", "0::/\n"},
	  {"/proc/self/mountinfo", V2_MOUNT},
	  {"/sys/fs/cgroup/memory.events", EVENTS(12)},
	  {"/sys/fs/cgroup/memory.max", "536870912\n"},
	  {"/sys/fs/cgroup/memory.peak", "4096\n"},
	  {"/sys/fs/cgroup/memory.current", "0\n"}}},
	{"version 2, in a container that sees the host's path and its own group",
	 {true, 2, 7, -1, -1, 1},
	 {{"/proc/self/cgroup", "0::" OUR_POD "/own\n"},
	  {"/proc/self/mountinfo",
	   "30 23 0:26 " OUR_POD " /sys/fs/cgroup ro - cgroup2 cgroup rw\n"},
	  {"/sys/fs/cgroup/memory.events", EVENTS(2)},
	  {"/sys/fs/cgroup/memory.max", "9\n"},
	  {"/sys/fs/cgroup/own/memory.events", EVENTS(1)},
	  {"/sys/fs/cgroup/own/memory.max", "7\n"}}},
	{"version 2, the host's path, no mountinfo",
	 {true, 2, 9, -1, -1, 2},
	 {{"/proc/self/cgroup", "0::" OUR_POD "\n"},
	  {"/sys/fs/cgroup/memory.events", EVENTS(2)},
	  {"/sys/fs/cgroup/memory.max", "9\n"}}},
	{"version 2, the hierarchy's own root",
	 {false, 0, -1, -1, -1, -1},
	 {{"/proc/self/cgroup", "0::/\n"},
	  {"/proc/self/mountinfo", V2_MOUNT},
	  {"/sys/fs/cgroup/cgroup.procs", "1\n"}}},
	{"version 2, mounted elsewhere, at a path with a blank",
	 {true, 2, 8, -1, -1, 6},
	 {{"/proc/self/cgroup", "0::/x\n"},
	  {"/proc/self/mountinfo", "nonsense\n1 2 3\n\n- - - - - - -\n"
				   "30 23 0:26 / /my\\040cgroups rw - cgroup2 none rw\n"},
	  {"/my cgroups/x/memory.events", EVENTS(6)},
	  {"/my cgroups/x/memory.max", "8\n"}}},
	{"version 2, a process outside its namespace",
	 {false, 0, -1, -1, -1, -1},
	 {{"/proc/self/cgroup", "0::/../other\n"},
	  {"/proc/self/mountinfo", V2_MOUNT},
	  {"/sys/fs/cgroup/memory.events", EVENTS(2)},
	  {"/sys/fs/other/memory.events", EVENTS(2)}}},
	{"version 2, a mount from outside the namespace",
	 {false, 0, -1, -1, -1, -1},
	 {{"/proc/self/cgroup", "0::/\n"},
	  {"/proc/self/mountinfo", "30 23 0:26 /../.. /mnt rw - cgroup2 cgroup rw\n"},
	  {"/mnt/memory.events", EVENTS(2)}}},
	{"hybrid, memory in version 2",
	 {true, 2, 5, -1, -1, 8},
	 {{"/proc/self/cgroup", "3:cpu,cpuacct:/c\n1:name=systemd:/memory\n0::/u\n"},
	  {"/proc/self/mountinfo", V1_OTHERS},
	  {"/sys/fs/cgroup/u/nothing", ""},
	  {"/sys/fs/cgroup/unified/u/memory.events", EVENTS(8)},
	  {"/sys/fs/cgroup/unified/u/memory.max", "5\n"}}},
	{"hybrid, memory in version 1",
	 {true, 1, 5, 4, 3, 2},
	 {{"/proc/self/cgroup", "3:cpu,cpuacct:/c\n2:hugetlb,memory:/m\n0::/u\n"},
	  {"/proc/self/mountinfo", V1_OTHERS V1_MOUNT},
	  {"/sys/fs/cgroup/cpu/m/memory.oom_control", CONTROL(99)},
	  {"/sys/fs/cgroup/unified/u/memory.events", EVENTS(98)},
	  {"/sys/fs/cgroup/memory/m/memory.oom_control", CONTROL(2)},
	  {"/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "5\n"},
	  {"/sys/fs/cgroup/memory/m/memory.max_usage_in_bytes", "4\n"},
	  {"/sys/fs/cgroup/memory/m/memory.usage_in_bytes", "3\n"}}},
	{"version 1, no limit, Linux before 4.13",
	 {true, 1, -1, -1, 3, -1},
	 {{"/proc/self/cgroup", "4:memory:/m\n"},
	  {"/proc/self/mountinfo", V1_MOUNT},
	  {"/sys/fs/cgroup/memory/m/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n"},
	  {"/sys/fs/cgroup/memory/m/memory.limit_in_bytes", V1_NONE},
	  {"/sys/fs/cgroup/memory/m/memory.usage_in_bytes", "3\n"}}},
	{"version 1, the hierarchy's own root, very old",
	 {true, 1, -1, -1, -1, 0},
	 {{"/proc/self/cgroup", "4:memory:/\n"},
	  {"/proc/self/mountinfo", V1_MOUNT},
	  {"/sys/fs/cgroup/memory/release_agent", "\n"},
	  {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "18446744073709551615\n"},
	  {"/sys/fs/cgroup/memory/memory.oom_control", CONTROL(0)}}},
	{"version 1, the parent's limit holds",
	 {true, 1, 50, -1, -1, 0},
	 {{"/proc/self/cgroup", "4:memory:/a/b\n"},
	  {"/proc/self/mountinfo", V1_MOUNT},
	  {"/sys/fs/cgroup/memory/a/b/memory.oom_control", CONTROL(0)},
	  {"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", V1_NONE},
	  {"/sys/fs/cgroup/memory/a/memory.use_hierarchy", "1\n"},
	  {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "50\n"}}},
	{"version 1, the parent's limit does not hold",
	 {true, 1, 60, -1, -1, 0},
	 {{"/proc/self/cgroup", "4:memory:/a/b\n"},
	  {"/proc/self/mountinfo", V1_MOUNT},
	  {"/sys/fs/cgroup/memory/a/b/memory.oom_control", CONTROL(0)},
	  {"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "60\n"},
	  {"/sys/fs/cgroup/memory/a/memory.use_hierarchy", "0\n"},
	  {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "50\n"}}},
	{"version 1, without a namespace; a container of ours has a group of the same path",
	 {true, 1, 5, -1, -1, 2},
	 {{"/proc/self/cgroup", "4:memory:/docker/12\n"},
	  {"/proc/self/mountinfo",
	   "35 31 0:31 /docker/1 /wrong ro - cgroup cgroup rw,memory\n"
	   "36 31 0:32 /docker/12 /wrong2 ro - other cgroup rw,memory\n"
	   "35 31 0:31 /docker/12 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"},
	  {"/wrong2/memory.oom_control", CONTROL(98)},
	  {"/sys/fs/cgroup/memory/docker/12/memory.oom_control", CONTROL(99)},
	  {"/sys/fs/cgroup/memory/memory.oom_control", CONTROL(2)},
	  {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "5\n"}}},
	{"version 1, without a namespace and mountinfo",
	 {true, 1, 5, -1, -1, 2},
	 {{"/proc/self/cgroup", "4:memory:/docker/1\n"},
	  {"/sys/fs/cgroup/memory/memory.oom_control", CONTROL(2)},
	  {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "5\n"}}},
	{"version 1, the usual place, no mountinfo",
	 {true, 1, 5, -1, -1, 2},
	 {{"/proc/self/cgroup", "4:memory:/docker/1\n"},
	  {"/sys/fs/cgroup/memory/docker/1/memory.oom_control", CONTROL(2)},
	  {"/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "5\n"},
	  {"/sys/fs/cgroup/memory/memory.oom_control", CONTROL(99)}}},
	{"version 1, our group is hidden, and the mount is the whole hierarchy",
	 {false, 0, -1, -1, -1, -1},
	 {{"/proc/self/cgroup", "4:memory:/docker/1\n"},
	  {"/proc/self/mountinfo", V1_MOUNT},
	  {"/sys/fs/cgroup/memory/release_agent", "\n"},
	  {"/sys/fs/cgroup/memory/memory.oom_control", CONTROL(2)}}},
	{"no /proc", /* which group is ours is not known then */
	 {false, 0, -1, -1, -1, -1},
	 {{"/sys/fs/cgroup/memory.events", EVENTS(12)},
	  {"/sys/fs/cgroup/memory/memory.oom_control", CONTROL(2)}}},
	{"garbage in place of numbers",
	 {true, 2, -1, -1, -1, -1},
	 {{"/proc/self/cgroup", "\n:\n::\n0\n0:\n0::\n0::x\n9:memoryx:/y\n0::/a\n"},
	  {"/sys/fs/cgroup/a/memory.events", "oom_kill x\n"},
	  {"/sys/fs/cgroup/a/memory.max", "12 MB\n"},
	  {"/sys/fs/cgroup/a/memory.peak", "-5\n"},
	  {"/sys/fs/cgroup/a/memory.current", ""}}},
	{"a file without a last newline",
	 {true, 2, 77, -1, -1, 1},
	 {{"/proc/self/cgroup", "0::/a\n"},
	  {"/sys/fs/cgroup/a/memory.events", "oom_kill 1"},
	  {"/sys/fs/cgroup/a/memory.max", "77"}}},
};

static char root[] = "/tmp/cgroup-XXXXXX";
static char scratch[4096];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

/* All that lies in root, and root. */
static int remove_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void lay_file(const char *path, const char *content)
{
	char full[2048];
	FILE *f;

	snprintf(full, sizeof full, "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(full, 0755);
	}
	f = fopen(full, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(content, 1, strlen(content), f), strlen(content));
	assert_int_equal(fclose(f), 0);
}

static void lay(const struct tree *t)
{
	assert_int_equal(remove_root(NULL), 0);
	assert_int_equal(mkdir(root, 0755), 0);
	for (int i = 0; i < FILES_MOST && t->files[i][0]; i++)
		lay_file(t->files[i][0], t->files[i][1]);
}

static bool same(const struct cgroup_memory *a, const struct cgroup_memory *b)
{
	return a->known == b->known && a->version == b->version && a->limit == b->limit &&
	       a->peak == b->peak && a->current == b->current && a->oom_kills == b->oom_kills;
}

static void test_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
		struct cgroup_memory m;

		lay(&trees[i]);
		memset(&m, 0x55, sizeof m);
		if (cgroup_memory_below(root, &m, scratch, sizeof scratch) != trees[i].want.known ||
		    !same(&m, &trees[i].want))
			fail_msg("%s: known %d version %d limit %lld peak %lld current %lld kills "
				 "%lld",
				 trees[i].name, m.known, m.version, (long long)m.limit,
				 (long long)m.peak, (long long)m.current, (long long)m.oom_kills);
		assert_int_equal(cgroup_oom_kills_below(root, scratch, sizeof scratch),
				 trees[i].want.oom_kills);
	}
}

/* A buffer that is too small: unknown, or the truth, and never a byte beyond it. */
static void test_small_buffers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
		lay(&trees[i]);
		for (size_t cap = 0; cap < 700; cap++) {
			char *exact = malloc(cap ? cap : 1);
			struct cgroup_memory m;

			cgroup_memory_below(root, &m, exact, cap);
			if (!same(&m, &unknown) && !same(&m, &trees[i].want))
				fail_msg("%s: wrong with %zu bytes", trees[i].name, cap);
			free(exact);
		}
	}
}

/* Lines too long for the buffer, before and after the one that is looked for. */
static void test_long_mountinfo(void **state)
{
	static char info[200000];
	size_t n = 0;

	(void)state;
	assert_int_equal(remove_root(NULL), 0);
	assert_int_equal(mkdir(root, 0755), 0);
	for (int i = 0; i < 60; i++) {
		n += (size_t)sprintf(info + n, "%d 1 0:5 / /over/%d rw - overlay overlay rw,l=", i,
				     i);
		memset(info + n, 'x', (size_t)i * 50);
		n += (size_t)i * 50;
		info[n++] = '\n';
		if (i == 40)
			n += (size_t)sprintf(info + n, "9 1 0:6 / /here rw - cgroup2 cgroup rw\n");
	}
	info[n] = '\0';
	lay_file("/proc/self/mountinfo", info);
	lay_file("/proc/self/cgroup", "0::/a\n");
	lay_file("/here/a/memory.events", EVENTS(31));
	assert_int_equal(cgroup_oom_kills_below(root, scratch, sizeof scratch), 31);
	/* What was passed over may have been it: the usual place is no answer then. */
	lay_file("/proc/self/cgroup", "0::/b\n");
	lay_file("/sys/fs/cgroup/memory.events", EVENTS(32));
	assert_int_equal(cgroup_oom_kills_below(root, scratch, sizeof scratch), -1);
	lay_file("/proc/self/mountinfo", "");
	assert_int_equal(cgroup_oom_kills_below(root, scratch, sizeof scratch), 32);
}

/* A number at the end of what fits may be the first half of one. */
static void test_long_file(void **state)
{
	static char events[sizeof scratch];

	(void)state;
	lay_file("/proc/self/cgroup", "0::/long\n");
	lay_file("/proc/self/mountinfo", "");
	for (int more = -16; more < 16; more++) {
		int64_t kills;

		memset(events, 'x', sizeof events);
		sprintf(events + sizeof scratch / 4 + more, "\noom_kill 123456\n");
		lay_file("/sys/fs/cgroup/long/memory.events", events);
		kills = cgroup_oom_kills_below(root, scratch, sizeof scratch);
		assert_true(kills == -1 || kills == 123456);
	}
}

/* Any bytes at all: no crash (a sanitizer watches), an end. */
static void test_anything(void **state)
{
	uint32_t seed = 4711;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		static const char letters[] = "0:/ \n-,\\.memorycgup2\\040\\057";
		char text[2][300];
		struct cgroup_memory m;

		for (int file = 0; file < 2; file++) {
			size_t n = next_random(&seed) % (sizeof text[0] - 1);

			for (size_t i = 0; i < n; i++)
				text[file][i] = letters[next_random(&seed) % (sizeof letters - 1)];
			text[file][n] = '\0';
		}
		if (round % 2)
			memcpy(text[0], "0::/", 4);
		lay_file("/proc/self/cgroup", text[0]);
		lay_file("/proc/self/mountinfo", text[1]);
		cgroup_memory_below(root, &m, scratch, 256 + next_random(&seed) % 1024);
	}
}

/* Here, whatever this is: what the kernel says is said, or that nothing is known. */
static void test_here(void **state)
{
	struct cgroup_memory m;

	(void)state;
	if (!cgroup_memory(&m, scratch, sizeof scratch))
		skip();
	assert_true(m.version == 1 || m.version == 2);
	assert_true(m.current > 0);
	assert_true(m.oom_kills >= -1);
	assert_true(m.limit == -1 || m.limit > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees),	       cmocka_unit_test(test_small_buffers),
		cmocka_unit_test(test_long_mountinfo), cmocka_unit_test(test_long_file),
		cmocka_unit_test(test_anything),       cmocka_unit_test(test_here),
	};

	return cmocka_run_group_tests_name("cgroup", tests, make_root, remove_root);
}
