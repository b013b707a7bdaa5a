/*
 * Names of code addresses; the contract is in symbols.h.
 *
 * Runs in: anywhere that may open files.
 * SPDX-License-Identifier: MIT
 */
#include "symbols.h"

#include "demangle.h"
#include "epitaph.h"
#include "modules.h"
#include "sys.h"

/* A symbol table of more entries than this is not read: some 10 ms at the end of a process. */
enum { SYMTAB_MOST = 1 << 19 };

static void keep_name(struct place *p, const char *name)
{
	struct text t = text_over(p->symbol, sizeof p->symbol);

	text_clean(&t, name, str_len(name));
}

/* Offers every place of one object the function symbols of its file's .symtab. */
static void from_file(struct place *p, int n, const struct link_map *map, char *buf, size_t len)
{
	const char *path = map == modules_first() ? "/proc/self/exe" : map->l_name;
	int fd = sys_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
	ElfW(Ehdr) e;
	ElfW(Shdr) symtab = {0}, strings;

	if (fd < 0)
		return;
	if (sys_pread(fd, &e, sizeof e, 0) != sizeof e || e.e_ident[0] != 0x7f ||
	    e.e_shentsize != sizeof(ElfW(Shdr)))
		goto out;
	for (uint64_t i = 0; i < e.e_shnum && symtab.sh_type != SHT_SYMTAB; i++)
		if (sys_pread(fd, &symtab, sizeof symtab, e.e_shoff + i * sizeof symtab) !=
		    sizeof symtab)
			goto out;
	if (symtab.sh_type != SHT_SYMTAB || symtab.sh_size / sizeof(ElfW(Sym)) > SYMTAB_MOST ||
	    symtab.sh_link >= e.e_shnum ||
	    sys_pread(fd, &strings, sizeof strings, e.e_shoff + symtab.sh_link * sizeof strings) !=
		    sizeof strings)
		goto out;
	len -= len % sizeof(ElfW(Sym));
	for (uint64_t off = 0; off < symtab.sh_size; off += len) {
		size_t want = symtab.sh_size - off < len ? (size_t)(symtab.sh_size - off) : len;

		if (sys_pread(fd, buf, want, symtab.sh_offset + off) != (long)want)
			break;
		for (const ElfW(Sym) *s = (const void *)buf; (const char *)(s + 1) <= buf + want;
		     s++) {
			if ((s->st_info & 15) != STT_FUNC || s->st_shndx == SHN_UNDEF)
				continue;
			for (int i = 0; i < n; i++) {
				uintptr_t away = p[i].offset - s->st_value;

				if (p[i].map != map || p[i].exact || p[i].offset < s->st_value ||
				    (p[i].found && away >= p[i].distance))
					continue;
				/* The name comes later: its place in the string table for now. */
				p[i].found = true;
				p[i].distance = away;
				p[i].symbol[0] = '\0';
				p[i].symbol[1] = away < s->st_size ? 1 : 0;
				__builtin_memcpy(p[i].symbol + 4, &s->st_name, sizeof s->st_name);
			}
		}
	}
	for (int i = 0; i < n; i++) {
		ElfW(Word) name;
		char raw[160];

		if (p[i].map != map || p[i].exact || !p[i].found || p[i].symbol[0])
			continue;
		__builtin_memcpy(&name, p[i].symbol + 4, sizeof name);
		p[i].exact = p[i].symbol[1];
		long got = sys_pread(fd, raw, sizeof raw - 1, strings.sh_offset + name);
		raw[got > 0 ? got : 0] = '\0';
		keep_name(&p[i], raw);
	}
out:
	sys_close(fd);
}

void places_find(struct place *p, int n, char *buf, size_t len)
{
	for (int i = 0; i < n; i++) {
		const char *name;

		p[i].found = p[i].exact = false;
		p[i].symbol[0] = '\0';
		p[i].map = module_at(p[i].pc, false);
		p[i].offset = p[i].map ? p[i].pc - p[i].map->l_addr : 0;
		name = p[i].map ? module_nearest(p[i].map, p[i].pc, &p[i].distance, &p[i].exact)
				: NULL;
		if (name) {
			p[i].found = true;
			keep_name(&p[i], name);
		}
	}
	for (int i = 0; buf && i < n; i++) {
		bool seen = p[i].exact || !p[i].map;

		for (int j = 0; j < i && !seen; j++)
			seen = p[j].map == p[i].map;
		if (!seen)
			from_file(p, n, p[i].map, buf, len);
	}
}

const char *place_path(const struct place *p)
{
	if (!p->map)
		return "";
	return p->map == modules_first() || !p->map->l_name[0] ? process.execfn : p->map->l_name;
}

void text_symbol(struct text *t, const struct place *p)
{
	demangle(t, p->symbol);
}

void text_place(struct text *t, const struct place *p)
{
	const char *path = str_base(place_path(p));

	if (!p->map) {
		text_str(t, "code at ");
		text_hex(t, p->pc);
		text_str(t, " outside any file");
		return;
	}
	text_clean(t, path, str_len(path));
	text_char(t, '+');
	text_hex(t, p->offset);
	if (!p->found || (!p->exact && p->distance >= 1 << 20))
		return;
	text_str(t, p->exact ? " (" : " (near ");
	text_symbol(t, p);
	text_char(t, '+');
	text_hex(t, p->distance);
	text_char(t, ')');
}
