/*
 * Reading .eh_frame; the contract is in cfi.h.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "cfi.h"

#ifdef CFI_ARCH

#include "modules.h"

/* A reader over bytes of an unwind table. */
struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

static uint64_t take(struct cursor *c, unsigned int bytes)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->p) < bytes) {
		c->bad = true;
		return 0;
	}
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "the cursor reads little-endian tables"
#endif
	for (unsigned int i = 0; i < bytes; i++)
		v |= (uint64_t)c->p[i] << 8 * i;
	c->p += bytes;
	return v;
}

static uint64_t take_uleb(struct cursor *c)
{
	uint64_t v = 0;
	unsigned int shift = 0;
	uint8_t b;

	do {
		b = (uint8_t)take(c, 1);
		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		shift += 7;
	} while (b & 0x80);
	return v;
}

static int64_t take_sleb(struct cursor *c)
{
	uint64_t v = 0;
	unsigned int shift = 0;
	uint8_t b;

	do {
		b = (uint8_t)take(c, 1);
		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		shift += 7;
	} while (b & 0x80);
	if (shift < 64 && (b & 0x40))
		v |= ~(uint64_t)0 << shift;
	return (int64_t)v;
}

/* A pointer in one of the DW_EH_PE encodings; sets bad for those that .eh_frame never uses here. */
static uintptr_t take_encoded(struct cursor *c, uint8_t enc)
{
	uintptr_t at = (uintptr_t)c->p, v;

	switch (enc & 0x0f) {
	case 0x00:
	case 0x04:
	case 0x0c:
		v = (uintptr_t)take(c, 8);
		break;
	case 0x02:
		v = (uintptr_t)take(c, 2);
		break;
	case 0x03:
		v = (uintptr_t)take(c, 4);
		break;
	case 0x0a:
		v = (uintptr_t)(intptr_t)(int16_t)take(c, 2);
		break;
	case 0x0b:
		v = (uintptr_t)(intptr_t)(int32_t)take(c, 4);
		break;
	default:
		c->bad = true;
		return 0;
	}
	return (enc & 0x70) == 0x10 ? v + at : v;
}

/* A length-prefixed entry (CIE or FDE) at p. */
static bool entry(struct cfi *m, const uint8_t *p, struct cursor *c)
{
	if (!peek_readable(&m->peek, (uintptr_t)p, 4))
		return false;
	*c = (struct cursor){p, p + 4, false};
	uint64_t len = take(c, 4);
	if (!len || len > 0x10000) /* 0xffffffff, the 64-bit form, does not occur */
		return false;
	c->end = c->p + len;
	return sys_readable(c->p, 1) && sys_readable(c->end - 1, 1);
}

/* The FDE that covers pc, by the sorted table of .eh_frame_hdr; NULL where there is none. */
static const uint8_t *find_fde(struct cfi *m, uintptr_t pc)
{
	if (!m->map || module_at(pc, true) != m->map) {
		size_t n = 0;
		const ElfW(Phdr) * p;

		m->hdr = 0;
		m->map = module_at(pc, true);
		p = m->map ? module_phdrs(m->map, &n) : NULL;
		for (size_t i = 0; p && i < n; i++)
			if (p[i].p_type == PT_GNU_EH_FRAME)
				m->hdr = m->map->l_addr + p[i].p_vaddr;
	}
	if (!m->hdr || !peek_readable(&m->peek, m->hdr, 12))
		return NULL;
	const uint8_t *h = (const uint8_t *)m->hdr;
	/* version 1, counted in udata4, table of sdata4 relative to the header: what linkers write
	 */
	if (h[0] != 1 || h[2] != 0x03 || h[3] != 0x3b)
		return NULL;
	struct cursor c = {h + 4, h + 12, false};
	take_encoded(&c, h[1]);
	uint32_t lo = 0, hi = (uint32_t)take(&c, 4);
	const int32_t *table = (const int32_t *)(const void *)c.p; /* pairs: first pc, FDE */
	if (c.bad || !hi)
		return NULL;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (!peek_readable(&m->peek, (uintptr_t)&table[2 * (size_t)mid], 8))
			return NULL;
		if (m->hdr + (uintptr_t)(intptr_t)table[2 * (size_t)mid] <= pc)
			lo = mid;
		else
			hi = mid;
	}
	return (const uint8_t *)(m->hdr + (uintptr_t)(intptr_t)table[2 * (size_t)lo + 1]);
}

struct cie {
	uint64_t code_align;
	int64_t data_align;
	uint64_t ra;
	uint8_t enc;
	bool augmented, signal;
	struct cursor program;
};

static bool read_cie(struct cfi *m, const uint8_t *p, struct cie *cie)
{
	struct cursor c;

	*cie = (struct cie){0};
	if (!entry(m, p, &c) || take(&c, 4) != 0)
		return false;
	uint64_t version = take(&c, 1);
	const uint8_t *aug = c.p;
	while (take(&c, 1) && !c.bad)
		;
	cie->code_align = take_uleb(&c);
	cie->data_align = take_sleb(&c);
	cie->ra = version == 1 ? take(&c, 1) : take_uleb(&c);
	if (aug[0] == 'z') {
		uint64_t len = take_uleb(&c);
		const uint8_t *end = c.p + len;

		cie->augmented = true;
		while (*++aug && !c.bad) {
			uint8_t enc;

			switch (*aug) {
			case 'R':
				cie->enc = (uint8_t)take(&c, 1);
				break;
			case 'P':
				enc = (uint8_t)take(&c, 1);
				take_encoded(&c, enc);
				break;
			case 'L':
				take(&c, 1);
				break;
			case 'S':
				cie->signal = true;
				break;
			default: /* 'B': signed with the B key */
				break;
			}
		}
		c.p = end;
	} else if (aug[0]) {
		return false;
	}
	cie->program = c;
	return !c.bad && c.p <= c.end && cie->ra < REG_COUNT;
}

static void set_rule(struct rules *r, uint64_t reg, enum where where, int64_t off)
{
	if (reg < REG_COUNT)
		r->reg[reg] = (struct rule){(int32_t)where, (int32_t)off};
}

/* Runs call-frame instructions up to the row that holds pc. */
static bool run(struct cfi *m, struct cursor c, const struct cie *cie, uintptr_t loc, uintptr_t pc)
{
	struct rules *r = &m->now;

	while (c.p < c.end && !c.bad) {
		uint8_t op = (uint8_t)take(&c, 1), low = op & 0x3f;
		uint64_t reg, step = 0;

		switch (op & 0xc0) {
		case 0x40: /* advance_loc */
			step = low * cie->code_align;
			break;
		case 0x80: /* offset */
			set_rule(r, low, AT_CFA, (int64_t)take_uleb(&c) * cie->data_align);
			continue;
		case 0xc0: /* restore */
			if (low < REG_COUNT)
				r->reg[low] = m->initial.reg[low];
			continue;
		default:
			switch (low) {
			case 0x00: /* nop */
				continue;
			case 0x01: /* set_loc */
				loc = take_encoded(&c, cie->enc);
				if (loc > pc)
					return !c.bad;
				continue;
			case 0x02: /* advance_loc1 */
				step = take(&c, 1) * cie->code_align;
				break;
			case 0x03: /* advance_loc2 */
				step = take(&c, 2) * cie->code_align;
				break;
			case 0x04: /* advance_loc4 */
				step = take(&c, 4) * cie->code_align;
				break;
			case 0x05: /* offset_extended */
				reg = take_uleb(&c);
				set_rule(r, reg, AT_CFA, (int64_t)take_uleb(&c) * cie->data_align);
				continue;
			case 0x06: /* restore_extended */
				reg = take_uleb(&c);
				if (reg < REG_COUNT)
					r->reg[reg] = m->initial.reg[reg];
				continue;
			case 0x07: /* undefined */
				set_rule(r, take_uleb(&c), UNDEFINED, 0);
				continue;
			case 0x08: /* same_value */
				set_rule(r, take_uleb(&c), SAME, 0);
				continue;
			case 0x09: /* register */
				reg = take_uleb(&c);
				set_rule(r, reg, IN_REG, (int64_t)take_uleb(&c));
				continue;
			case 0x0a: /* remember_state */
				if (m->depth == CFI_STATES)
					return false;
				m->saved[m->depth++] = *r;
				continue;
			case 0x0b: /* restore_state */
				if (!m->depth)
					return false;
				*r = m->saved[--m->depth];
				continue;
			case 0x0c: /* def_cfa */
				r->cfa_reg = (int32_t)take_uleb(&c);
				r->cfa = (struct rule){(int32_t)IN_REG, (int32_t)take_uleb(&c)};
				continue;
			case 0x0d: /* def_cfa_register */
				r->cfa_reg = (int32_t)take_uleb(&c);
				continue;
			case 0x0e: /* def_cfa_offset */
				r->cfa.off = (int32_t)take_uleb(&c);
				continue;
			case 0x0f: /* def_cfa_expression: PLT entries and hand-written code */
				r->cfa.where = UNKNOWN;
				c.p += take_uleb(&c);
				continue;
			case 0x10: /* expression */
			case 0x16: /* val_expression */
				set_rule(r, take_uleb(&c), UNKNOWN, 0);
				c.p += take_uleb(&c);
				continue;
			case 0x11: /* offset_extended_sf */
				reg = take_uleb(&c);
				set_rule(r, reg, AT_CFA, take_sleb(&c) * cie->data_align);
				continue;
			case 0x12: /* def_cfa_sf */
				r->cfa_reg = (int32_t)take_uleb(&c);
				r->cfa = (struct rule){(int32_t)IN_REG,
						       (int32_t)(take_sleb(&c) * cie->data_align)};
				continue;
			case 0x13: /* def_cfa_offset_sf */
				r->cfa.off = (int32_t)(take_sleb(&c) * cie->data_align);
				continue;
			case 0x14: /* val_offset */
				reg = take_uleb(&c);
				set_rule(r, reg, IS_CFA, (int64_t)take_uleb(&c) * cie->data_align);
				continue;
			case 0x15: /* val_offset_sf */
				reg = take_uleb(&c);
				set_rule(r, reg, IS_CFA, take_sleb(&c) * cie->data_align);
				continue;
			case 0x2d: /* AARCH64_negate_ra_state: the signature is stripped anyway */
				continue;
			case 0x2e: /* GNU_args_size */
				take_uleb(&c);
				continue;
			default:
				return false;
			}
		}
		loc += step;
		if (loc > pc)
			break;
	}
	return !c.bad;
}

bool cfi_rules(struct cfi *m, uintptr_t pc, unsigned int *ra, bool *signal)
{
	const uint8_t *fde = find_fde(m, pc);
	struct cursor c;
	struct cie cie;

	if (!fde || !entry(m, fde, &c))
		return false;
	const uint8_t *cie_at = c.p;
	uint64_t back = take(&c, 4);
	if (!back || !read_cie(m, cie_at - back, &cie))
		return false;
	uintptr_t start = take_encoded(&c, cie.enc);
	if (pc - start >= take_encoded(&c, cie.enc & 0x0f))
		return false;
	if (cie.augmented) {
		uint64_t len = take_uleb(&c);

		c.p += len;
	}
	m->start = start;
	m->depth = 0;
	m->now = (struct rules){0};
	if (!run(m, cie.program, &cie, 0, UINTPTR_MAX))
		return false;
	m->initial = m->now;
	*ra = (unsigned int)cie.ra;
	*signal = cie.signal;
	return run(m, c, &cie, start, pc);
}

#endif
