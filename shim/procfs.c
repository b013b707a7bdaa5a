/*
 * Reading /proc; the contract is in procfs.h.
 *
 * Runs in: anywhere but in a sandboxed process.
 * SPDX-License-Identifier: MIT
 */
#include "procfs.h"

#include "sys.h"
#include "text.h"

long procfs_read(const char *path, char *buf, size_t cap)
{
	int fd = sys_open(path, O_RDONLY, 0);
	long n;

	if (fd < 0)
		return fd;
	n = sys_read(fd, buf, cap - 1);
	sys_close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

void procfs_path(char *buf, size_t cap, int pid, const char *leaf)
{
	struct text t = text_over(buf, cap);

	text_str(&t, "/proc/");
	if (pid)
		text_dec(&t, pid);
	else
		text_str(&t, "self");
	text_char(&t, '/');
	text_str(&t, leaf);
}

enum { STAT_MOST = 512 };

/* Reads /proc/PID/stat and finds a field by its place (man 5 proc), from the third on; NULL where
 * it is not there. */
static const char *stat_at(char *stat, int pid, int wanted)
{
	char path[32];
	const char *p = NULL;

	procfs_path(path, sizeof path, pid, "stat");
	if (procfs_read(path, stat, STAT_MOST) <= 0)
		return NULL;
	/* The second field is the name in parentheses, which may itself hold ") ". */
	for (const char *s = stat; *s; s++)
		if (*s == ')')
			p = s;
	for (int field = 2; p && *p && field < wanted; p++)
		field += *p == ' ';
	return p;
}

/* A number, 0 where it is not there. */
static uint64_t stat_field(int pid, int wanted)
{
	char stat[STAT_MOST];
	const char *p = stat_at(stat, pid, wanted);
	uint64_t v = 0;

	for (; p && *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	return v;
}

uint64_t procfs_start_time(int pid)
{
	return stat_field(pid, 22);
}

int procfs_parent(int pid)
{
	return (int)stat_field(pid, 4);
}

char procfs_state(int pid)
{
	char stat[STAT_MOST];
	const char *p = stat_at(stat, pid, 3);

	if (!p)
		return 0;
	return *p;
}

long procfs_exe(char *buf, size_t cap)
{
	long n = sys_readlink("/proc/self/exe", buf, cap - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n;
}

int procfs_threads(void)
{
	sys_stat st;

	/* The directory has a link for itself, one for its parent and one for each thread. */
	return sys_stat_path("/proc/self/task", &st) == 0 ? (int)st.st_nlink - 2 : 0;
}
