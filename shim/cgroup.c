/*
 * The memory control group; the contract is in cgroup.h.
 *
 * Where the group's folder is: /proc/self/cgroup gives its path, as seen from the process's cgroup
 * namespace, and the third and fourth name of a line of /proc/self/mountinfo tell which group is
 * mounted where. A container without a namespace of its own sees the host's path, of which only the
 * end, or nothing, lies below its mount.
 *
 * Runs in: anywhere but in a sandboxed process.
 * SPDX-License-Identifier: MIT
 */
#include "cgroup.h"

#include "procfs.h"
#include "sys.h"
#include "text.h"

/* A limit from here on is none: version 1 writes LONG_MAX in whole pages, which is least on a
 * 32-bit kernel. */
#define LIMIT_NONE ((int64_t)INT32_MAX * 4096)

enum { LEAF_MOST = 27 };

/* Arrays, not pointers: these need no relocation. */
static const struct {
	char events[20]; /* its presence makes a folder the one we look for */
	char limit[24];
	char peak[28];
	char current[24];
	char places[2][28]; /* where the hierarchy is usually mounted */
} versions[] = {
	{"memory.oom_control",
	 "memory.limit_in_bytes",
	 "memory.max_usage_in_bytes",
	 "memory.usage_in_bytes",
	 {"/sys/fs/cgroup/memory", ""}},
	{"memory.events",
	 "memory.max",
	 "memory.peak",
	 "memory.current",
	 {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}},
};

struct search {
	const char *root; /* before every path; empty but in tests */
	size_t each;	  /* bytes of each of the four below, which are parts of the caller's */
	char *path;	  /* the group, from /proc/self/cgroup */
	char *dir;	  /* the folder looked into */
	char *file;	  /* what was read from it */
	char *lines;	  /* for struct lines */
	bool cut;	  /* something did not fit: what is not found may be there */
	size_t mount;	  /* the length of dir's part that is the mount point */
	int version;
};

/* ---- Lines of a file of any length ---- */

struct lines {
	int fd;
	char *buf;
	size_t cap, at, have;
	bool cut; /* some line did not fit, and was passed over */
};

static bool lines_open(struct lines *l, struct search *s, const char *path)
{
	struct text t = text_over(s->dir, s->each);

	text_str(&t, s->root);
	text_str(&t, path);
	*l = (struct lines){.fd = -1, .buf = s->lines, .cap = s->each};
	if (!t.cut)
		l->fd = sys_open(s->dir, O_RDONLY, 0);
	return l->fd >= 0;
}

/* The next whole line that fits, without its newline; NULL at the end. */
static char *lines_next(struct lines *l)
{
	bool skip = false;

	for (;;) {
		for (size_t i = l->at; i < l->have; i++) {
			char *line = l->buf + l->at;

			if (l->buf[i] != '\n')
				continue;
			l->buf[i] = '\0';
			l->at = i + 1;
			if (!skip)
				return line;
			skip = false; /* the end of one that did not fit */
		}
		if (l->at == 0 && l->have == l->cap) {
			skip = l->cut = true;
			l->have = 0;
		}
		for (size_t i = l->at; i < l->have; i++)
			l->buf[i - l->at] = l->buf[i];
		l->have -= l->at;
		l->at = 0;
		long n = sys_read(l->fd, l->buf + l->have, l->cap - l->have);
		if (n <= 0)
			return NULL;
		l->have += (size_t)n;
	}
}

/* ---- Words and numbers ---- */

/* Ends the word at p with NUL; what stands behind it, or NULL at the end. */
static char *cut_word(char *p, char end)
{
	while (*p && *p != end)
		p++;
	if (!*p)
		return NULL;
	*p = '\0';
	return p + 1;
}

/* Whether a list with commas holds a word. */
static bool lists(const char *list, const char *word)
{
	size_t n = str_len(word);

	for (;;) {
		if (str_starts(list, word) && (list[n] == ',' || !list[n]))
			return true;
		while (*list && *list != ',')
			list++;
		if (!*list++)
			return false;
	}
}

/* Undoes mountinfo's \040 and such (three octal digits) in place. */
static void unescape(char *p)
{
	char *to = p;

	while (*p) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		    p[3] >= '0' && p[3] <= '7') {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			*to++ = *p++;
		}
	}
	*to = '\0';
}

/* A number that fills its line, at most INT64_MAX; -1 where there is none ("max"). */
static int64_t number(const char *p)
{
	uint64_t v = 0;

	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v > INT64_MAX / 10 ? INT64_MAX : v * 10 + (uint64_t)(*p - '0');
		v = v > INT64_MAX ? INT64_MAX : v;
	}
	return *p == '\n' || !*p ? (int64_t)v : -1;
}

/* The number behind "oom_kill " at a line's head (version 1 has oom_kill_disable too), or -1. */
static int64_t oom_kills_in(const char *text)
{
	static const char key[] = "oom_kill ";

	while (*text) {
		if (str_starts(text, key))
			return number(text + sizeof key - 1);
		while (*text && *text++ != '\n')
			;
	}
	return -1;
}

/* ---- The folder ---- */

/* Reads a file of the folder into s->file; false where it is not there, empty, or too long. */
static bool read_leaf(struct search *s, const char *leaf)
{
	size_t len = str_len(s->dir);
	struct text t = {.buf = s->dir, .len = len, .cap = s->each};
	long n;

	text_char(&t, '/');
	text_str(&t, leaf);
	n = t.cut ? -ENAMETOOLONG : procfs_read(s->dir, s->file, s->each);
	s->dir[len] = '\0';
	if (n == (long)s->each - 1) {
		s->cut = true;
		return false;
	}
	return n > 0;
}

static int64_t leaf_number(struct search *s, const char *leaf)
{
	return read_leaf(s, leaf) ? number(s->file) : -1;
}

/* To the parent; false at the mount point. */
static bool climb(struct search *s)
{
	size_t n = str_len(s->dir);

	while (n > s->mount && s->dir[n - 1] != '/')
		n--;
	if (n <= s->mount)
		return false;
	s->dir[n - 1] = '\0';
	return true;
}

/* Whether the group is the one at `below` in the hierarchy mounted at `point`; then s->dir is its
 * folder and s->file its events. */
static bool settle(struct search *s, const char *point, const char *below)
{
	const char *events = versions[s->version - 1].events;
	struct text t = text_over(s->dir, s->each);

	text_str(&t, s->root);
	text_str(&t, point);
	s->mount = t.len;
	text_str(&t, str_eq(below, "/") ? "" : below);
	if (t.cut || s->each - t.len <= LEAF_MOST + 1) {
		s->cut = true;
		return false;
	}
	if (read_leaf(s, events))
		return true;
	/* In version 2 a group without the memory controller belongs to the nearest ancestor that
	 * has it. */
	if (s->version == 1 || s->cut || sys_access(s->dir, F_OK) != 0)
		return false;
	while (climb(s))
		if (read_leaf(s, events))
			return true;
	return false;
}

/* Whether a path from inside a cgroup namespace leads out of it. */
static bool leads_out(const char *path)
{
	return str_starts(path, "/..") && (path[3] == '/' || !path[3]);
}

static bool settle_by_mountinfo(struct search *s)
{
	struct lines l;
	bool found = false;
	char *p, *fields[6];

	if (!lines_open(&l, s, "/proc/self/mountinfo"))
		return false;
	while (!found && (p = lines_next(&l))) {
		char *type = NULL, *options, *below;
		int n = 0;

		/* id, parent, device, root, mount point, options, optional ones, "-", type, source,
		 * the super block's options */
		for (; p && n < 6; p = cut_word(p, ' '))
			fields[n++] = p;
		while (p && !type) {
			char *next = cut_word(p, ' ');

			if (str_eq(p, "-"))
				type = next;
			p = next;
		}
		if (!type || !(options = cut_word(type, ' ')) ||
		    !(options = cut_word(options, ' ')))
			continue;
		if (s->version == 2 ? !str_eq(type, "cgroup2")
				    : !str_eq(type, "cgroup") || !lists(options, "memory"))
			continue;
		unescape(fields[3]);
		unescape(fields[4]);
		below = s->path;
		if (!str_eq(fields[3], "/")) {
			if (!str_starts(below, fields[3]))
				continue;
			below += str_len(fields[3]);
			if (*below && *below != '/')
				continue;
		}
		found = !leads_out(below) && settle(s, fields[4], below);
	}
	sys_close(l.fd);
	s->cut |= l.cut;
	return found;
}

/* `below` NULL: the mount's own root, where that is not the whole hierarchy's (which has no
 * memory.events in version 2, and a release_agent in version 1). */
static bool settle_by_places(struct search *s, const char *below)
{
	for (int i = 0; i < 2; i++) {
		const char *place = versions[s->version - 1].places[i];

		if (!*place || !settle(s, place, below ? below : ""))
			continue;
		if (below || s->version == 2)
			return true;
		if (!read_leaf(s, "release_agent"))
			return read_leaf(s, versions[0].events);
	}
	return false;
}

/* Which group: the hierarchy of version 1 that has the memory controller, else that of version 2.
 */
static bool find_path(struct search *s)
{
	struct lines l;
	char *line;

	if (!lines_open(&l, s, "/proc/self/cgroup"))
		return false;
	while (s->version != 1 && (line = lines_next(&l))) {
		char *controllers = cut_word(line, ':');
		char *path = controllers ? cut_word(controllers, ':') : NULL;
		struct text t;

		if (!path || *path != '/')
			continue;
		if (str_eq(line, "0") && !*controllers)
			s->version = 2;
		else if (lists(controllers, "memory"))
			s->version = 1;
		else
			continue;
		t = text_over(s->path, s->each);
		text_str(&t, path);
		if (t.cut)
			s->path[0] = '\0';
	}
	sys_close(l.fd);
	return s->version && s->path[0];
}

static bool find(struct search *s, const char *root, char *buf, size_t cap)
{
	size_t each = cap / 4;

	*s = (struct search){.root = root,
			     .each = each,
			     .path = buf,
			     .dir = buf + each,
			     .file = buf + 2 * each,
			     .lines = buf + 3 * each};
	if (each < 2 || !find_path(s))
		return false;
	if (leads_out(s->path))
		return settle_by_mountinfo(s);
	/* The usual place first, which is cheap; but in version 1 a container's mount may hold a
	 * group of the same path that is another one (its own containers'). */
	if (s->version == 2 && settle_by_places(s, s->path))
		return true;
	if (settle_by_mountinfo(s))
		return true;
	if (s->version == 1 && !s->cut && settle_by_places(s, s->path))
		return true;
	return !s->cut && !str_eq(s->path, "/") && settle_by_places(s, NULL);
}

bool cgroup_memory_below(const char *root, struct cgroup_memory *m, char *buf, size_t cap)
{
	struct search s;

	*m = (struct cgroup_memory){.limit = -1, .peak = -1, .current = -1, .oom_kills = -1};
	if (!find(&s, root, buf, cap))
		return false;
	m->known = true;
	m->version = s.version;
	m->oom_kills = oom_kills_in(s.file);
	m->peak = leaf_number(&s, versions[s.version - 1].peak);
	m->current = leaf_number(&s, versions[s.version - 1].current);
	do {
		int64_t limit = leaf_number(&s, versions[s.version - 1].limit);

		if (limit >= 0 && limit < LIMIT_NONE && (m->limit < 0 || limit < m->limit))
			m->limit = limit;
		/* In version 1 a parent may be told to let its children be. */
	} while (climb(&s) && (s.version == 2 || leaf_number(&s, "memory.use_hierarchy") == 1));
	return true;
}

bool cgroup_memory(struct cgroup_memory *m, char *buf, size_t cap)
{
	return cgroup_memory_below("", m, buf, cap);
}

int64_t cgroup_oom_kills_below(const char *root, char *buf, size_t cap)
{
	struct search s;

	return find(&s, root, buf, cap) ? oom_kills_in(s.file) : -1;
}

int64_t cgroup_oom_kills(char *buf, size_t cap)
{
	return cgroup_oom_kills_below("", buf, cap);
}
