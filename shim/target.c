/*
 * Examination of a program to be executed; the contract is in target.h.
 *
 * Runs in: anywhere, a vfork child too.
 * SPDX-License-Identifier: MIT
 */
#include "target.h"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include "epitaph.h"
#include "modules.h"
#include "procfs.h"
#include "sys.h"
#include "text.h"

enum { SCRIPTS_MOST = 5, PATH_MOST = 4096, ENV_STRING_MOST = 1 << 17 };

static const char *env_value(char *const *envp, const char *name)
{
	size_t n = str_len(name);

	/* A program may pass anything; the kernel would answer EFAULT, so must not we crash. */
	for (; envp && sys_readable(envp, sizeof *envp) && *envp; envp++)
		if (sys_readable_string(*envp, ENV_STRING_MOST) && str_starts(*envp, name) &&
		    (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

/* Whether LD_PRELOAD (separated by colons or blanks) names the shim: by its path, or by its base
 * name, because a path may be spelled in many ways. */
static bool preloads_us(const char *list)
{
	const char *own = str_base(process.self);
	size_t own_len = str_len(own);

	while (list && *list) {
		size_t n = 0, base = 0;

		while (list[n] && list[n] != ':' && list[n] != ' ') {
			n++;
			if (list[n - 1] == '/')
				base = n;
		}
		if (n - base == own_len && !__builtin_memcmp(list + base, own, own_len))
			return true;
		list += n + (list[n] != '\0');
	}
	return false;
}

static void answer(struct target *t, enum follow follow, const char *reason)
{
	t->follow = follow;
	t->reason = reason;
}

static void examine_elf(struct target *t, const char *buf, size_t got)
{
	const ElfW(Ehdr) * own, *e = (const void *)buf;
	const ElfW(Phdr) * p;
	const struct link_map *self = modules_self();

	own = self ? (const void *)self->l_addr : e;
	if (e->e_ident[EI_CLASS] != own->e_ident[EI_CLASS] ||
	    e->e_ident[EI_DATA] != own->e_ident[EI_DATA] || e->e_machine != own->e_machine) {
		answer(t, FOLLOW_NO, "is built for another architecture");
		return;
	}
	if (e->e_phoff > got || e->e_phoff % _Alignof(ElfW(Phdr)) ||
	    (got - e->e_phoff) / sizeof *p < e->e_phnum) {
		answer(t, FOLLOW_UNKNOWN, "has its program headers in an unusual place");
		return;
	}
	p = (const void *)(buf + e->e_phoff);
	for (size_t i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_INTERP)
			return;
	answer(t, FOLLOW_NO, "is statically linked");
}

/* The privileges that make the loader drop LD_PRELOAD, as the kernel's AT_SECURE has it. */
static bool examine_privileges(struct target *t, int fd, const sys_stat *st)
{
	char caps[32];
	unsigned int uid = (unsigned int)SYS0(SYS_getuid), gid = (unsigned int)SYS0(SYS_getgid);

	if ((st->st_mode & S_ISUID) && st->st_uid != uid)
		answer(t, FOLLOW_NO, "is set-uid");
	else if ((st->st_mode & S_ISGID) && (st->st_mode & S_IXGRP) && st->st_gid != gid)
		answer(t, FOLLOW_NO, "is set-gid");
	else if (uid != 0 && SYS4(SYS_fgetxattr, fd, "security.capability", caps, sizeof caps) > 0)
		answer(t, FOLLOW_NO, "has file capabilities");
	return t->follow != FOLLOW_YES;
}

/* One file; true where it is a script, whose interpreter is then the next one to look at. */
static bool examine_file(struct target *t, int fd, char *buf, size_t cap)
{
	sys_stat st;
	long got;

	if (sys_fstat(fd, &st) != 0 || (st.st_mode & S_IFMT) != S_IFREG || !(st.st_mode & 0111)) {
		answer(t, FOLLOW_MISSING, "cannot be executed");
		return false;
	}
	got = sys_read(fd, buf, cap - 1);
	if (got < (long)sizeof(ElfW(Ehdr))) {
		for (long i = got < 0 ? 0 : got; i < (long)sizeof(ElfW(Ehdr)); i++)
			buf[i] = '\0';
		got = got < 0 ? 0 : got;
	}
	buf[got] = '\0';
	if (buf[0] == '#' && buf[1] == '!')
		return true;
	if (buf[0] != 0x7f || buf[1] != 'E' || buf[2] != 'L' || buf[3] != 'F') {
		answer(t, FOLLOW_UNKNOWN, "is neither an ELF file nor a script with #!");
		return false;
	}
	if (!examine_privileges(t, fd, &st))
		examine_elf(t, buf, (size_t)got);
	return false;
}

/* The interpreter of a script: the word behind #! and blanks. */
static char *interpreter(char *buf)
{
	char *end, *at = buf + 2;

	while (*at == ' ' || *at == '\t')
		at++;
	for (end = at; *end && *end != ' ' && *end != '\t' && *end != '\n';)
		end++;
	*end = '\0';
	return at;
}

static void resolved_path(struct target *t, int fd, const char *given)
{
	char link[40], leaf[24];
	struct text l = text_over(leaf, sizeof leaf), p;

	text_str(&l, "fd/");
	text_dec(&l, fd);
	procfs_path(link, sizeof link, 0, leaf);
	long n = sys_readlink(link, t->path, sizeof t->path - 1);
	if (n > 0) {
		t->path[n] = '\0';
		return;
	}
	p = text_over(t->path, sizeof t->path);
	text_str(&p, given);
}

void target_examine(struct target *t, int dirfd, const char *path, char *const *envp, char *buf,
		    size_t cap)
{
	char link[40], leaf[24];

	answer(t, FOLLOW_YES, "");
	t->path[0] = '\0';
	if (!sys_readable_string(path, PATH_MOST)) {
		answer(t, FOLLOW_MISSING, "has a bad address for a name");
		return;
	}
	if (!*path) { /* fexecve: a description of our own, so that the program's offset stays */
		struct text l = text_over(leaf, sizeof leaf);

		text_str(&l, "fd/");
		text_dec(&l, dirfd);
		procfs_path(link, sizeof link, 0, leaf);
		path = link;
	}
	for (int i = 0; i < SCRIPTS_MOST; i++) {
		int fd = (int)SYS4(SYS_openat, dirfd, path,
				   O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
		bool script;

		if (fd < 0) {
			if (fd == -EACCES && SYS3(SYS_faccessat, dirfd, path, X_OK) == 0)
				answer(t, FOLLOW_UNKNOWN, "may be executed but not read");
			else
				answer(t, FOLLOW_MISSING, "is not there");
			break;
		}
		if (i == 0)
			resolved_path(t, fd, path);
		script = examine_file(t, fd, buf, cap);
		sys_close(fd);
		if (!script)
			break;
		path = interpreter(buf);
		dirfd = AT_FDCWD;
	}
	if (!t->path[0]) {
		struct text p = text_over(t->path, sizeof t->path);

		text_str(&p, path);
	}
	if (t->follow == FOLLOW_YES && process.preload &&
	    !preloads_us(env_value(envp, "LD_PRELOAD")))
		answer(t, FOLLOW_NO, "does not get the shim in its LD_PRELOAD");
}

void target_search(struct target *t, const char *name, char *const *path_env, char *const *envp,
		   char *buf, size_t cap)
{
	const char *list = env_value(path_env, "PATH");
	bool slash = false;

	if (!sys_readable_string(name, PATH_MOST)) {
		answer(t, FOLLOW_MISSING, "has a bad address for a name");
		t->path[0] = '\0';
		return;
	}
	for (const char *s = name; *s; s++)
		slash |= *s == '/';
	if (slash || !*name) {
		target_examine(t, AT_FDCWD, *name ? name : "?", envp, buf, cap);
		return;
	}
	if (!list)
		list = "/bin:/usr/bin"; /* glibc's and musl's default begin or end with these */
	for (;;) {
		size_t n = 0;
		struct text p = text_over(buf, cap < 600 ? cap : 600);

		while (list[n] && list[n] != ':')
			n++;
		text_mem(&p, list, n);
		text_str(&p, n ? "/" : "");
		text_str(&p, name);
		/* buf + 600 on: the file's contents; the path before it must outlive them. */
		if (!p.cut && sys_access(buf, X_OK) == 0) {
			target_examine(t, AT_FDCWD, buf, envp, buf + 600, cap - 600);
			if (t->follow != FOLLOW_MISSING)
				return;
		}
		list += n;
		if (!*list++)
			break;
	}
	answer(t, FOLLOW_MISSING, "is not in PATH");
	t->path[0] = '\0';
}
