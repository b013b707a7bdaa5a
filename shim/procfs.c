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

bool procfs_each_thread(bool (*one)(void *arg, int tid), void *arg)
{
	/* struct linux_dirent64 (man 2 getdents): the record's length, and its name */
	enum { RECLEN = 16, NAME = 19, THREADS_MOST = 64 };
	char entries[512];
	int dir = sys_open("/proc/self/task", O_RDONLY | O_DIRECTORY, 0), threads = 0;
	bool goes_on = dir >= 0;
	uint16_t record;
	uint64_t tid;
	long n;

	while (goes_on && (n = SYS3(SYS_getdents64, dir, entries, sizeof entries)) > 0) {
		for (long at = 0; at < n && goes_on; at += record) {
			__builtin_memcpy(&record, entries + at + RECLEN, sizeof record);
			if (str_number(entries + at + NAME, INT32_MAX, &tid))
				goes_on = one(arg, (int)tid) && ++threads < THREADS_MOST;
		}
	}
	if (dir >= 0)
		sys_close(dir);
	return dir >= 0;
}

void procfs_comm(int pid, int tid, char *name)
{
	char path[48], leaf[32] = "comm";
	struct text t = text_over(leaf, sizeof leaf);
	long n;

	if (!pid) {
		text_str(&t, "task/");
		text_dec(&t, tid);
		text_str(&t, "/comm");
	} else {
		text_str(&t, "comm");
	}
	procfs_path(path, sizeof path, pid, leaf);
	n = procfs_read(path, name, 16);
	if (n > 0 && name[n - 1] == '\n')
		n--;
	name[n > 0 ? n : 0] = '\0';
}
