/*
 * The objects that are loaded in this process, as the dynamic loader's own list has them, read
 * without its help: no dl_iterate_phdr (it takes the loader's lock, so it may deadlock at the end
 * of a process), no dladdr, no libdl.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_MODULES_H
#define EPITAPH_MODULES_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module {
	const struct link_map *map;
	const ElfW(Sym) * symbols;
	const char *strings;
	const ElfW(Half) * versions; /* or NULL */
	const uint32_t *gnu_hash;    /* or NULL */
	const uint32_t *sysv_hash;   /* or NULL; its words are 8 bytes on s390x: unused there */
	const char *soname;	     /* or NULL */
};

/* The first loaded object, the program itself; NULL where the loader's list was not found. AS-safe
 * but for a race with dlclose in another thread, which sys_readable guards in the callers. */
const struct link_map *modules_first(void);

/* The entry of the shim itself, or NULL. */
const struct link_map *modules_self(void);

/* Reads what an object's dynamic section says; false where it has no symbols. AS-safe. */
bool module_open(struct module *m, const struct link_map *map);

/* A hash of a symbol's name, for module_symbol. */
uint32_t gnu_hash(const char *name);

/* The default-version definition of a name in one object, or NULL. An indirect function is
 * resolved. AS-safe. */
void *module_symbol(const struct module *m, const char *name, uint32_t hash);

/* The definition that the program itself would find (the executable's own first), or NULL. */
void *modules_symbol(const char *name);

/* The program's own headers, set at load from the auxiliary vector: an ET_EXEC has no load bias
 * that would lead to them. */
extern const ElfW(Phdr) * modules_main_phdr;
extern size_t modules_main_phnum;

/* The program headers of an object; NULL where they are not in memory. */
const ElfW(Phdr) * module_phdrs(const struct link_map *map, size_t *count);

/* The object whose loaded segments hold an address; NULL if none does. `exec_only` asks for an
 * executable segment. AS-safe. */
const struct link_map *module_at(uintptr_t pc, bool exec_only);

/* Whether an object has this soname. AS-safe. */
bool module_named(const struct link_map *map, const char *soname);

/* The nearest symbol of .dynsym at or below the address inside the object, with its distance; NULL
 * where none is. `exact` tells that the symbol's size covers the address. AS-safe. */
const char *module_nearest(const struct link_map *map, uintptr_t pc, uintptr_t *distance,
			   bool *exact);

#endif
