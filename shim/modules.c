/*
 * The loaded objects: the loader's list, hash tables, nearest symbols.
 *
 * The list is the debugger's interface (struct r_debug, <link.h>): glibc exports it as _r_debug,
 * musl points at it with _dl_debug_addr; both have had it in every version that we meet. These two
 * are the only symbols that the shim imports, weakly.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "modules.h"

#include "epitaph.h"
#include "sys.h"
#include "text.h"

extern struct r_debug epitaph_r_debug __asm__("_r_debug")
	__attribute__((weak, visibility("default")));
extern struct r_debug *epitaph_dl_debug_addr __asm__("_dl_debug_addr")
	__attribute__((weak, visibility("default")));

/* Our own dynamic section: the linker defines it, hidden, in every object. */
extern const ElfW(Dyn) epitaph_dynamic[] __asm__("_DYNAMIC") __attribute__((visibility("hidden")));

const struct link_map *modules_first(void)
{
	if (&epitaph_r_debug && epitaph_r_debug.r_map)
		return epitaph_r_debug.r_map;
	if (&epitaph_dl_debug_addr && epitaph_dl_debug_addr)
		return epitaph_dl_debug_addr->r_map;
	return NULL;
}

const struct link_map *modules_self(void)
{
	const struct link_map *map = modules_first();

	while (map && map->l_ld != epitaph_dynamic)
		map = map->l_next;
	return map;
}

bool module_open(struct module *m, const struct link_map *map)
{
	*m = (struct module){.map = map};
	const ElfW(Dyn) *soname = NULL;

	for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
		/* glibc relocates these entries in memory where the section is writable; musl and
		 * the vDSO leave them as in the file. */
		uintptr_t at =
			d->d_un.d_ptr < map->l_addr ? d->d_un.d_ptr + map->l_addr : d->d_un.d_ptr;

		switch (d->d_tag) {
		case DT_SYMTAB:
			m->symbols = (const void *)at;
			break;
		case DT_STRTAB:
			m->strings = (const void *)at;
			break;
		case DT_VERSYM:
			m->versions = (const void *)at;
			break;
		case DT_GNU_HASH:
			m->gnu_hash = (const void *)at;
			break;
		case DT_HASH:
#ifndef __s390x__
			m->sysv_hash = (const void *)at;
#endif
			break;
		case DT_SONAME:
			soname = d;
			break;
		default:
			break;
		}
	}
	if (m->strings && soname)
		m->soname = m->strings + soname->d_un.d_val;
	return m->symbols && m->strings;
}

uint32_t gnu_hash(const char *name)
{
	uint32_t h = 5381;

	while (*name)
		h = h * 33 + (unsigned char)*name++;
	return h;
}

static uint32_t sysv_hash(const char *name)
{
	uint32_t h = 0;

	while (*name) {
		h = (h << 4) + (unsigned char)*name++;
		h ^= h >> 24 & 0xf0;
	}
	return h & 0x0fffffff;
}

/* Whether entry i of the symbol table defines the name, and as the default version (bit 15 of the
 * version index marks a hidden, older one). */
static bool defines(const struct module *m, uint32_t i, const char *name)
{
	const ElfW(Sym) *s = &m->symbols[i];
	unsigned int bind = s->st_info >> 4, type = s->st_info & 15;

	return s->st_shndx != SHN_UNDEF &&
	       (bind == STB_GLOBAL || bind == STB_WEAK || bind == STB_GNU_UNIQUE) &&
	       type != STT_TLS && !(m->versions && (m->versions[i] & 0x8000)) &&
	       str_eq(m->strings + s->st_name, name);
}

static void *resolve(const struct module *m, uint32_t i)
{
	const ElfW(Sym) *s = &m->symbols[i];
	uintptr_t at = m->map->l_addr + s->st_value;

	if ((s->st_info & 15) == STT_GNU_IFUNC)
		return ((void *(*)(void))at)();
	return (void *)at;
}

void *module_symbol(const struct module *m, const char *name, uint32_t hash)
{
	const uint32_t *h = m->gnu_hash;

	if (h) {
		uint32_t buckets = h[0], base = h[1], words = h[2], shift = h[3];
		const ElfW(Addr) *bloom = (const void *)(h + 4);
		const uint32_t *bucket = (const uint32_t *)(const void *)(bloom + words);
		const uint32_t *chain = bucket + buckets;
		const unsigned int bits = 8 * sizeof *bloom;

		/* An object with no exports may have a table with no buckets or an empty filter. */
		if (!buckets || !words)
			return NULL;
		ElfW(Addr) word = bloom[hash / bits & (words - 1)];
		if (!(word >> hash % bits & word >> (hash >> shift) % bits & 1))
			return NULL;
		uint32_t i = bucket[hash % buckets];
		if (i < base)
			return NULL;
		for (;; i++) {
			uint32_t other = chain[i - base];

			if ((other | 1) == (hash | 1) && defines(m, i, name))
				return resolve(m, i);
			if (other & 1)
				return NULL;
		}
	}
	h = m->sysv_hash;
	if (h && h[0]) {
		const uint32_t *bucket = h + 2, *chain = bucket + h[0];

		for (uint32_t i = bucket[sysv_hash(name) % h[0]]; i; i = chain[i])
			if (defines(m, i, name))
				return resolve(m, i);
	}
	return NULL;
}

void *modules_symbol(const char *name)
{
	uint32_t hash = gnu_hash(name);
	struct module m;

	for (const struct link_map *map = modules_first(); map; map = map->l_next) {
		void *at = map->l_ld != epitaph_dynamic && module_open(&m, map)
				   ? module_symbol(&m, name, hash)
				   : NULL;

		if (at)
			return at;
	}
	return NULL;
}

const ElfW(Phdr) * modules_main_phdr;
size_t modules_main_phnum;

const ElfW(Phdr) * module_phdrs(const struct link_map *map, size_t *count)
{
	const ElfW(Ehdr) *e = (const void *)map->l_addr;

	if (map == modules_first() && modules_main_phdr) {
		*count = modules_main_phnum;
		return modules_main_phdr;
	}
	/* The file's header is the first thing in its first segment, in every linker's output. */
	if (!sys_readable(e, sizeof *e) || e->e_ident[0] != 0x7f || e->e_ident[1] != 'E' ||
	    e->e_ident[2] != 'L' || e->e_ident[3] != 'F' || e->e_phentsize != sizeof(ElfW(Phdr)))
		return NULL;
	*count = e->e_phnum;
	const ElfW(Phdr) *p = (const void *)(map->l_addr + e->e_phoff);
	return sys_readable(p, sizeof *p * e->e_phnum) ? p : NULL;
}

const struct link_map *module_at(uintptr_t pc, bool exec_only)
{
	for (const struct link_map *map = modules_first(); map; map = map->l_next) {
		size_t n = 0;
		const ElfW(Phdr) * p;

		if (!sys_readable(map, sizeof *map))
			return NULL;
		p = pc >= map->l_addr ? module_phdrs(map, &n) : NULL;
		for (size_t i = 0; p && i < n; i++)
			if (p[i].p_type == PT_LOAD && (!exec_only || (p[i].p_flags & PF_X)) &&
			    pc - map->l_addr - p[i].p_vaddr < p[i].p_memsz)
				return map;
	}
	return NULL;
}

/* How many entries .dynsym has: DT_HASH says it, the GNU table only by its last chain. */
static uint32_t symbol_count(const struct module *m)
{
	if (m->sysv_hash)
		return m->sysv_hash[1];
	if (!m->gnu_hash)
		return 0;
	const uint32_t *h = m->gnu_hash;
	const uint32_t *bucket =
		(const uint32_t *)(const void *)((const ElfW(Addr) *)(const void *)(h + 4) + h[2]);
	const uint32_t *chain = bucket + h[0];
	uint32_t last = 0;

	for (uint32_t i = 0; i < h[0]; i++)
		if (bucket[i] > last)
			last = bucket[i];
	if (last < h[1])
		return h[1];
	while (!(chain[last - h[1]] & 1))
		last++;
	return last + 1;
}

const char *module_nearest(const struct link_map *map, uintptr_t pc, uintptr_t *distance,
			   bool *exact)
{
	const char *best = NULL;
	struct module m;

	*exact = false;
	if (!module_open(&m, map))
		return NULL;
	for (uint32_t i = 0, n = symbol_count(&m); i < n; i++) {
		const ElfW(Sym) *s = &m.symbols[i];
		unsigned int type = s->st_info & 15;
		uintptr_t away = pc - map->l_addr - s->st_value;

		if (s->st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_GNU_IFUNC) ||
		    pc - map->l_addr < s->st_value)
			continue;
		if (!best || away < *distance || (away == *distance && !*exact)) {
			best = m.strings + s->st_name;
			*distance = away;
			*exact = away < s->st_size;
		}
	}
	return best;
}

bool module_named(const struct link_map *map, const char *soname)
{
	struct module m;

	return map && module_open(&m, map) && m.soname && str_eq(m.soname, soname);
}
