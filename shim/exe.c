/*
 * The executable's path; the contract is in exe.h.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "exe.h"

#include <stdbool.h>

#include "epitaph.h"
#include "procfs.h"
#include "sys.h"
#include "text.h"

enum { PATH_MOST = 4096, LINKS_MOST = 40 };

/* A script's AT_EXECFN names the script, and the executable is its interpreter. */
static bool is_elf(const char *path)
{
	char magic[4] = "";
	int fd = sys_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);

	if (fd < 0)
		return false;
	sys_read(fd, magic, sizeof magic);
	sys_close(fd);
	return magic[0] == 0x7f && magic[1] == 'E' && magic[2] == 'L' && magic[3] == 'F';
}

/* As realpath(3): components are moved from `rest` to `done`, links are put in the place of both.
 */
static long resolve(char *done, char *rest, char *link, const char *path)
{
	struct text to = text_over(done, PATH_MOST), from = text_over(rest, PATH_MOST);
	const char *at = rest;
	int links = 0;

	text_str(&from, path);
	if (from.cut)
		return -ENAMETOOLONG;
	while (*at) {
		size_t n = 0, before = to.len;

		while (*at == '/')
			at++;
		while (at[n] && at[n] != '/')
			n++;
		if (n == 0 || (n == 1 && at[0] == '.')) {
			at += n;
			continue;
		}
		if (n == 2 && at[0] == '.' && at[1] == '.') {
			while (to.len && to.buf[--to.len] != '/')
				;
			to.buf[to.len] = '\0';
			at += n;
			continue;
		}
		text_char(&to, '/');
		text_mem(&to, at, n);
		if (to.cut)
			return -ENAMETOOLONG;
		at += n;
		long got = sys_readlink(done, link, PATH_MOST - 1);
		if (got == -EINVAL) /* no link */
			continue;
		if (got <= 0 || ++links > LINKS_MOST)
			return -ELOOP;
		link[got] = '\0';
		/* What is left goes behind the link's text, which is then what is left. */
		struct text joined = {.buf = link, .len = (size_t)got, .cap = PATH_MOST};
		text_str(&joined, at);
		if (joined.cut)
			return -ENAMETOOLONG;
		to.len = link[0] == '/' ? 0 : before;
		to.buf[to.len] = '\0';
		__builtin_memcpy(rest, link, joined.len + 1);
		at = rest;
	}
	return (long)to.len;
}

long exe_path(char *buf)
{
	long n = -ENOENT;

	if (process.execfn[0] == '/' && is_elf(process.execfn))
		n = resolve(buf, buf + PATH_MOST, buf + (size_t)2 * PATH_MOST, process.execfn);
	return n > 0 ? n : procfs_exe(buf, PATH_MOST);
}
