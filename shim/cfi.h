/*
 * Call-frame information: how to find the caller's registers from those of a function, as the
 * unwind tables (.eh_frame) say for one address. Memory is read only after the kernel said that it
 * can be.
 *
 * Sources: DWARF 5 section 6.4, the Linux Standard Base's .eh_frame and .eh_frame_hdr, the psABIs.
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_CFI_H
#define EPITAPH_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys.h"

struct link_map;

#if defined(__x86_64__) && defined(__LP64__)
#define CFI_ARCH 1
enum { REG_COUNT = 17, REG_SP = 7, REG_FP = 6 };
#elif defined(__aarch64__)
#define CFI_ARCH 1
enum { REG_COUNT = 32, REG_SP = 31, REG_FP = 29 };
#endif

#ifdef CFI_ARCH

enum where { SAME, UNDEFINED, AT_CFA, IS_CFA, IN_REG, UNKNOWN };

struct rule {
	int32_t where;
	int32_t off; /* bytes from the CFA, or a register's number */
};

struct rules {
	struct rule reg[REG_COUNT];
	struct rule cfa; /* where: IN_REG, or UNKNOWN for an expression */
	int32_t cfa_reg;
};

/* Reads of memory that may not be there; the page that was found readable last is not asked for
 * again. */
struct peek {
	uintptr_t page;
};

static inline bool peek_readable(struct peek *p, uintptr_t at, size_t len)
{
	uintptr_t page = at & ~(uintptr_t)4095;

	if (page == p->page && ((at + len - 1) & ~(uintptr_t)4095) == page)
		return true;
	if (!sys_readable((const void *)at, len))
		return false;
	p->page = page;
	return true;
}

static inline bool peek_word(struct peek *p, uintptr_t at, uintptr_t *out)
{
	if (at % sizeof at || !peek_readable(p, at, sizeof at))
		return false;
	*out = *(const uintptr_t *)at;
	return true;
}

enum { CFI_STATES = 4 };

struct cfi {
	struct peek peek;
	const struct link_map *map; /* the object that was looked at last */
	uintptr_t hdr;		    /* its .eh_frame_hdr, or 0 */
	uintptr_t start;	    /* of the code that the last rules are for: a function's */
	struct rules now, initial, saved[CFI_STATES];
	int depth;
};

/*
 * Fills c->now with the rules for an address: `ra` is the column of the return address, `signal`
 * tells that the caller was interrupted there. False where no table covers the address or it cannot
 * be followed. AS-safe; c must not be shared.
 */
bool cfi_rules(struct cfi *c, uintptr_t pc, unsigned int *ra, bool *signal);

#endif

#endif
