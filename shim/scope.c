/*
 * Main process, near ones and the rest; the contract is in scope.h.
 *
 * Runs in: load; scope_reports anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "scope.h"

#include "config.h"
#include "epitaph.h"
#include "procfs.h"
#include "sys.h"
#include "text.h"

bool mark_parse(struct mark *m, const char *s)
{
	uint64_t v[4] = {0};

	*m = (struct mark){0};
	for (int i = 0; i < 4; i++) {
		if (*s < '0' || *s > '9')
			return false;
		for (; *s >= '0' && *s <= '9'; s++)
			v[i] = v[i] * 10 + (uint64_t)(*s - '0');
		if (*s++ != (i < 3 ? ':' : '\0'))
			return false;
	}
	if (!v[0] || v[0] > 0x7fffffff)
		return false;
	*m = (struct mark){(int)v[0], v[1], {v[2], v[3], v[3] != 0}};
	return true;
}

void mark_format(char *buf, size_t cap, const struct mark *m)
{
	struct text t = text_over(buf, cap);

	text_str(&t, "EPITAPH_ROOT=");
	text_dec(&t, m->pid);
	text_char(&t, ':');
	text_padded(&t, m->loaded_ns, 1);
	text_char(&t, ':');
	text_padded(&t, m->log.known ? m->log.dev : 0, 1);
	text_char(&t, ':');
	text_padded(&t, m->log.known ? m->log.ino : 0, 1);
}

enum { ANCESTORS_MOST = 64 };

static bool is_ancestor(int pid, int parent)
{
	for (int i = 0; i < ANCESTORS_MOST && parent > 0; i++) {
		if (parent == pid)
			return true;
		parent = procfs_parent(parent);
	}
	return false;
}

int scope_role(struct mark *m, int pid, int parent)
{
	bool alive = m->pid && m->loaded_ns <= (uint64_t)sys_clock_ns(CLOCK_BOOTTIME);

	if (alive) {
		/* In ticks of 10 ms (USER_HZ is 100 on every port). Without /proc there is none:
		 * then only the two pids that need no proof of life are believed. */
		uint64_t ticks = procfs_start_time(m->pid);

		alive = ticks ? ticks <= m->loaded_ns / 10000000 &&
					(m->pid == pid || is_ancestor(m->pid, parent))
			      : m->pid == pid || m->pid == parent;
	}

	if (!alive)
		*m = (struct mark){0};
	if (!alive || m->pid == pid)
		return ROLE_ROOT;
	return m->pid == parent ? ROLE_NEAR : ROLE_FAR;
}

bool scope_reports(bool forked)
{
	if (config.scope == SCOPE_ALL)
		return true;
	if (forked && config.level < LEVEL_DEBUG)
		return false;
	return process.role == ROLE_ROOT ||
	       (process.role == ROLE_NEAR && config.scope == SCOPE_NEAR);
}

bool scope_reports_death(bool forked)
{
	return config.scope != SCOPE_ROOT || (process.role == ROLE_ROOT && !forked);
}
