/*
 * The unwinder; the contract is in unwind.h.
 *
 * Its tables live in one static block that a thread claims; whoever finds it taken goes without a
 * trace rather than wait. Frames of code without tables (musl's own functions) are bridged by
 * scanning the stack for an address behind a call instruction; from there on the trace is a guess
 * and says so.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "unwind.h"

#include "epitaph.h"
#include "exits.h"
#include "modules.h"
#include "sys.h"

#if defined(__x86_64__) && defined(__LP64__)
#define UNWIND_ARCH 1
enum { REG_COUNT = 17, REG_SP = 7, REG_FP = 6 };
#elif defined(__aarch64__)
#define UNWIND_ARCH 1
enum { REG_COUNT = 32, REG_SP = 31, REG_FP = 29 };
#endif

#ifndef UNWIND_ARCH

void unwind_here(struct trace *t, int max)
{
	(void)max;
	t->count = t->guessed = 0;
}

#else

enum { SCAN_WORDS = 512, STATES = 4 };

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

struct machine {
	uintptr_t pc;
	uintptr_t reg[REG_COUNT];
	uintptr_t fresh[REG_COUNT];
	bool interrupted; /* pc is the next instruction to run, not behind a call */
	struct rules now, initial, saved[STATES];
	int depth;
	uintptr_t readable_page; /* the last page that the kernel said can be read */
	const struct link_map *map;
	uintptr_t hdr; /* the .eh_frame_hdr of map, or 0 */
};

static struct machine machine EPITAPH_COLD;
static int machine_busy;

static bool readable(struct machine *m, uintptr_t at, size_t len)
{
	uintptr_t page = at & ~(uintptr_t)4095;

	if (page == m->readable_page && ((at + len - 1) & ~(uintptr_t)4095) == page)
		return true;
	if (!sys_readable((const void *)at, len))
		return false;
	m->readable_page = page;
	return true;
}

static bool load(struct machine *m, uintptr_t at, uintptr_t *out)
{
	if (at % sizeof at || !readable(m, at, sizeof at))
		return false;
	*out = *(const uintptr_t *)at;
	return true;
}

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
static bool entry(struct machine *m, const uint8_t *p, struct cursor *c)
{
	if (!readable(m, (uintptr_t)p, 4))
		return false;
	*c = (struct cursor){p, p + 4, false};
	uint64_t len = take(c, 4);
	if (!len || len > 0x10000) /* 0xffffffff, the 64-bit form, does not occur */
		return false;
	c->end = c->p + len;
	return sys_readable(c->p, 1) && sys_readable(c->end - 1, 1);
}

/* The FDE that covers pc, by the sorted table of .eh_frame_hdr; NULL where there is none. */
static const uint8_t *find_fde(struct machine *m, uintptr_t pc)
{
	if (!m->map || module_at(pc, true) != m->map) {
		size_t n = 0;
		const ElfW(Phdr) *p;

		m->hdr = 0;
		m->map = module_at(pc, true);
		p = m->map ? module_phdrs(m->map, &n) : NULL;
		for (size_t i = 0; p && i < n; i++)
			if (p[i].p_type == PT_GNU_EH_FRAME)
				m->hdr = m->map->l_addr + p[i].p_vaddr;
	}
	if (!m->hdr || !readable(m, m->hdr, 12))
		return NULL;
	const uint8_t *h = (const uint8_t *)m->hdr;
	/* version 1, counted in udata4, table of sdata4 relative to the header: what linkers write */
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

		if (!readable(m, (uintptr_t)&table[2 * (size_t)mid], 8))
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

static bool read_cie(struct machine *m, const uint8_t *p, struct cie *cie)
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
static bool run(struct machine *m, struct cursor c, const struct cie *cie, uintptr_t loc, uintptr_t pc)
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
				if (m->depth == STATES)
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
				r->cfa = (struct rule){(int32_t)IN_REG, (int32_t)(take_sleb(&c) * cie->data_align)};
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

/* The value of a register in the caller's frame. */
static bool restore(struct machine *m, unsigned int i, uintptr_t cfa, uintptr_t *out)
{
	struct rule rule = m->now.reg[i];

	switch (rule.where) {
	case SAME:
		*out = i == REG_SP ? cfa : m->reg[i];
		return true;
	case AT_CFA:
		return load(m, cfa + (uintptr_t)(intptr_t)rule.off, out);
	case IS_CFA:
		*out = cfa + (uintptr_t)(intptr_t)rule.off;
		return true;
	case IN_REG:
		if ((unsigned int)rule.off >= REG_COUNT)
			return false;
		*out = m->reg[rule.off];
		return true;
	default:
		return false;
	}
}

/* A pointer-authentication signature sits above the 48 bits of an address. */
static uintptr_t strip(uintptr_t pc)
{
#ifdef __aarch64__
	return pc & 0x0000ffffffffffff;
#else
	return pc;
#endif
}

enum step {
	STEP_UP,
	STEP_END,  /* the bottom of the stack, or one that makes no sense: no further */
	STEP_NONE, /* no table covers this code */
};

/* One frame up by the tables. */
static enum step step_tables(struct machine *m)
{
	uintptr_t pc = m->interrupted ? m->pc : m->pc - 1, start, cfa, ra = 0;
	const uint8_t *fde = find_fde(m, pc);
	struct cursor c;
	struct cie cie;

	if (!fde || !entry(m, fde, &c))
		return STEP_NONE;
	const uint8_t *cie_at = c.p;
	uint64_t back = take(&c, 4);
	if (!back || !read_cie(m, cie_at - back, &cie))
		return STEP_NONE;
	start = take_encoded(&c, cie.enc);
	if (pc - start >= take_encoded(&c, cie.enc & 0x0f))
		return STEP_NONE;
	if (cie.augmented) {
		uint64_t len = take_uleb(&c);

		c.p += len;
	}
	m->depth = 0;
	m->now = (struct rules){0};
	if (!run(m, cie.program, &cie, 0, UINTPTR_MAX))
		return STEP_NONE;
	m->initial = m->now;
	if (!run(m, c, &cie, start, pc))
		return STEP_NONE;
	if (m->now.cfa.where != IN_REG || (unsigned int)m->now.cfa_reg >= REG_COUNT)
		return STEP_NONE; /* an expression: PLT entries, hand-written code */
	if (m->now.reg[cie.ra].where == UNDEFINED)
		return STEP_END; /* how start code says that nobody called it */
	cfa = m->reg[m->now.cfa_reg] + (uintptr_t)(intptr_t)m->now.cfa.off;
	if (!restore(m, (unsigned int)cie.ra, cfa, &ra))
		return STEP_END;
	/* Up the stack, but for a leaf without a frame of its own. */
	if (cfa < m->reg[REG_SP] || (cfa == m->reg[REG_SP] && ra == m->pc))
		return STEP_END;
	for (unsigned int i = 0; i < REG_COUNT; i++) {
		uintptr_t v = 0;

		m->fresh[i] = restore(m, i, cfa, &v) ? v : 0; /* later rules read the old values */
	}
	for (unsigned int i = 0; i < REG_COUNT; i++)
		m->reg[i] = m->fresh[i];
	m->reg[REG_SP] = cfa;
	m->pc = strip(ra);
	m->interrupted = cie.signal;
	return STEP_UP;
}

/* The kernel's own frame: the handler returns into a few known instructions, above which the
 * interrupted context lies (libc's restorer on x86_64, the vDSO's on aarch64). */
static bool step_signal_frame(struct machine *m)
{
	const uint8_t *p = (const uint8_t *)m->pc;
	uintptr_t v;

	if (!readable(m, m->pc, 9))
		return false;
#ifdef __x86_64__
	static const uint8_t restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	/* uc_mcontext.gregs is at 40 bytes; its order by DWARF register number: */
	static const uint8_t gregs[REG_COUNT] = {13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7, 16};

	for (unsigned int i = 0; i < sizeof restorer; i++)
		if (p[i] != restorer[i])
			return false;
	uintptr_t regs = m->reg[REG_SP] + 40;
	for (unsigned int i = 0; i < REG_COUNT; i++) {
		if (!load(m, regs + 8 * (uintptr_t)gregs[i], &v))
			return false;
		m->reg[i] = v;
	}
	m->pc = m->reg[16];
#else
	static const uint8_t restorer[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};

	for (unsigned int i = 0; i < sizeof restorer; i++)
		if (p[i] != restorer[i])
			return false;
	/* siginfo (128), uc_flags to uc_sigmask and its padding (168), fault_address (8), x0… */
	uintptr_t regs = m->reg[REG_SP] + 128 + 176 + 8;
	for (unsigned int i = 0; i < 33; i++) {
		if (!load(m, regs + 8 * (uintptr_t)i, &v))
			return false;
		if (i < REG_COUNT)
			m->reg[i] = v;
		else
			m->pc = v;
	}
#endif
	m->interrupted = true;
	return true;
}

#ifdef __x86_64__
/* A function is taken to be no longer than this. */
enum { FUNCTION_MOST = 0x8000 };

static int32_t word_at(const uint8_t *p)
{
	int32_t v;

	__builtin_memcpy(&v, p, sizeof v);
	return v;
}

/*
 * Whether `ret` may be where the running function (somewhere in which m->pc lies) returns to: a call
 * ends there, and what it calls begins not far below m->pc. Of a call through a register the target
 * is not known: `near` says that the word lies so close that it is taken all the same.
 */
static bool returns_to(struct machine *m, uintptr_t ret, bool near)
{
	const uint8_t *p = (const uint8_t *)ret;
	uintptr_t target = 0;

	if (!readable(m, ret - 8, 8))
		return false;
	if (p[-5] == 0xe8) {
		target = ret + (uintptr_t)(intptr_t)word_at(p - 4);
		const uint8_t *stub = (const uint8_t *)target;

		if (!readable(m, target, 16))
			return false;
		/* A PLT entry: [endbr64] [bnd] jmp *slot(%rip) */
		if (stub[0] == 0xf3 && stub[1] == 0x0f && stub[2] == 0x1e && stub[3] == 0xfa)
			stub += 4;
		if (stub[0] == 0xf2)
			stub++;
		if (stub[0] == 0xff && stub[1] == 0x25 &&
		    !load(m, (uintptr_t)stub + 6 + (uintptr_t)(intptr_t)word_at(stub + 2), &target))
			return false;
	} else if (p[-6] == 0xff && p[-5] == 0x15) {
		if (!load(m, ret + (uintptr_t)(intptr_t)word_at(p - 4), &target))
			return false;
	} else if ((p[-2] == 0xff && (p[-1] & 0xf8) == 0xd0) || (p[-3] == 0xff && (p[-2] & 0x38) == 0x10) ||
		   (p[-4] == 0xff && (p[-3] & 0x38) == 0x10)) {
		return near;
	}
	return target && target <= m->pc && m->pc - target < FUNCTION_MOST;
}
#endif

/* One frame up where there is no table: by the frame pointer on aarch64, where compilers keep it;
 * by scanning on x86_64, where they do not. */
static bool step_guess(struct machine *m)
{
#ifdef __x86_64__
	uintptr_t at = (m->reg[REG_SP] + 7) & ~(uintptr_t)7, v;

	for (int i = 0; i < SCAN_WORDS; i++, at += 8) {
		if (!load(m, at, &v))
			return false;
		if (v > 4096 && returns_to(m, v, i < 32) && module_at(v, true)) {
			m->pc = v;
			m->reg[REG_SP] = at + 8;
			m->interrupted = false;
			return true;
		}
	}
	return false;
#else
	uintptr_t fp = m->reg[REG_FP], next, ra;

	if (fp < m->reg[REG_SP] || !load(m, fp, &next) || !load(m, fp + 8, &ra) ||
	    !module_at(strip(ra) - 1, true))
		return false;
	m->reg[REG_SP] = fp + 16;
	m->reg[REG_FP] = next;
	m->pc = strip(ra);
	m->interrupted = false;
	return true;
#endif
}

static void walk(struct machine *m, struct trace *t, int max)
{
	const struct link_map *self = modules_self();
	for (int steps = 0; t->count < max && steps < 256; steps++) {
		if (step_signal_frame(m))
			continue; /* the trampoline is nobody's code */
		uintptr_t at = m->interrupted ? m->pc : m->pc - 1;
		const struct link_map *map = module_at(at, true);

		if (map && map == self) {
			if (at - (uintptr_t)exits_run_main < 256)
				return; /* our frame around main: the rest is libc's start */
		} else if (map) {
			t->pc[t->count++] = at;
		}
		enum step step = step_tables(m);
		if (step == STEP_UP)
			continue;
		/* Code outside any object (JIT): nothing to go by. */
		if (step == STEP_END || !map || !step_guess(m))
			return;
		if (t->guessed == 64)
			t->guessed = t->count;
	}
}

__attribute__((noinline)) void unwind_here(struct trace *t, int max)
{
	struct machine *m = &machine;
	int free = 0;

	t->count = 0;
	t->guessed = 64;
	if (max > 64)
		max = 64;
	if (!__atomic_compare_exchange_n(&machine_busy, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	m->readable_page = 0;
	m->map = NULL;
	m->interrupted = true;
#ifdef __x86_64__
	__asm__ volatile("mov %%rbx, 24(%0)\n\tmov %%rbp, 48(%0)\n\tmov %%rsp, 56(%0)\n\t"
			 "mov %%r12, 96(%0)\n\tmov %%r13, 104(%0)\n\tmov %%r14, 112(%0)\n\t"
			 "mov %%r15, 120(%0)\n\tlea 0(%%rip), %%rax\n\tmov %%rax, %1"
			 :
			 : "r"(m->reg), "m"(m->pc)
			 : "rax", "memory");
#else
	__asm__ volatile("stp x19, x20, [%0, #152]\n\tstp x21, x22, [%0, #168]\n\t"
			 "stp x23, x24, [%0, #184]\n\tstp x25, x26, [%0, #200]\n\t"
			 "stp x27, x28, [%0, #216]\n\tstp x29, x30, [%0, #232]\n\t"
			 "mov x9, sp\n\tstr x9, [%0, #248]\n\tadr x9, .\n\tstr x9, %1"
			 :
			 : "r"(m->reg), "m"(m->pc)
			 : "x9", "memory");
#endif
	walk(m, t, max);
	__atomic_store_n(&machine_busy, 0, __ATOMIC_RELEASE);
}

#endif
