/*
 * What a code address is called: the module it lies in, the offset there, the symbol around it.
 * From .dynsym in memory and, where that does not cover the address, from the .symtab of the file
 * (a program that was not stripped), read in bounded pieces with raw reads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_SYMBOLS_H
#define EPITAPH_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

struct link_map;

struct place {
	uintptr_t pc;
	const struct link_map *map; /* NULL: in no object (generated code, or a broken stack) */
	uintptr_t offset;	    /* of pc from the load base: what addr2line -e wants */
	uintptr_t distance;	    /* of pc from the symbol */
	bool exact; /* the symbol's size covers pc; otherwise it is only the nearest */
	bool found;
	char symbol[200]; /* as in the table, cut at 199 bytes; valid where found */
};

/*
 * Names `n` places from their pc. `buf` (at least 4 KiB) is scratch for file reads; NULL reads no
 * files. AS-safe, but opens and reads files: not for a sandboxed process.
 */
void places_find(struct place *p, int n, char *buf, size_t len);

/* The path of the object, cleaned by no one: the executable's own for the main program ("" there
 * in the loader's list). Never NULL. */
const char *place_path(const struct place *p);

/* module+0xoffset (symbol+0xdistance): the base name, demangled where that is simple. */
void text_place(struct text *t, const struct place *p);

/* Only the symbol, demangled where that is simple. */
void text_symbol(struct text *t, const struct place *p);

#endif
