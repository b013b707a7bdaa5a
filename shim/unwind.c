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

#include "cfi.h"
#include "epitaph.h"
#include "exits.h"
#include "modules.h"
#include "sys.h"

#ifndef CFI_ARCH

void unwind_here(struct trace *t, int max)
{
	(void)max;
	t->count = t->guessed = 0;
	t->handler.function = 0;
}

void unwind_context(struct trace *t, int max, const void *context)
{
	(void)context;
	unwind_here(t, max);
}

#else

enum { SCAN_WORDS = 512 };

struct machine {
	uintptr_t pc;
	uintptr_t reg[REG_COUNT];
	uintptr_t fresh[REG_COUNT];
	bool interrupted; /* pc is the next instruction to run, not behind a call */
	struct cfi cfi;
};

static struct machine machine EPITAPH_COLD;
static int machine_busy;

/* The value of a register in the caller's frame. */
static bool restore(struct machine *m, unsigned int i, uintptr_t cfa, uintptr_t *out)
{
	struct rule rule = m->cfi.now.reg[i];

	switch (rule.where) {
	case SAME:
		*out = i == REG_SP ? cfa : m->reg[i];
		return true;
	case AT_CFA:
		return peek_word(&m->cfi.peek, cfa + (uintptr_t)(intptr_t)rule.off, out);
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
	uintptr_t pc = m->interrupted ? m->pc : m->pc - 1, cfa, ra = 0;
	unsigned int column;
	bool signal;

	if (!cfi_rules(&m->cfi, pc, &column, &signal))
		return STEP_NONE;
	if (m->cfi.now.cfa.where != IN_REG || (unsigned int)m->cfi.now.cfa_reg >= REG_COUNT)
		return STEP_NONE; /* an expression: PLT entries, hand-written code */
	if (m->cfi.now.reg[column].where == UNDEFINED)
		return STEP_END; /* how start code says that nobody called it */
	cfa = m->reg[m->cfi.now.cfa_reg] + (uintptr_t)(intptr_t)m->cfi.now.cfa.off;
	if (!restore(m, column, cfa, &ra))
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
	m->interrupted = signal;
	return STEP_UP;
}

/* The registers that a signal interrupted, from a ucontext_t at this address. */
static bool load_context(struct machine *m, uintptr_t context)
{
	uintptr_t v;

#ifdef __x86_64__
	/* uc_mcontext.gregs is at 40 bytes; its order by DWARF register number: */
	static const uint8_t gregs[REG_COUNT] = {13, 12, 14, 11, 9, 8, 10, 15, 0,
						 1,  2,	 3,  4,	 5, 6, 7,  16};

	for (unsigned int i = 0; i < REG_COUNT; i++) {
		if (!peek_word(&m->cfi.peek, context + 40 + 8 * (uintptr_t)gregs[i], &v))
			return false;
		m->reg[i] = v;
	}
	m->pc = m->reg[16];
#else
	/* uc_flags to uc_sigmask with its padding (176 bytes), fault_address (8), x0 to x30, sp, pc
	 */
	for (unsigned int i = 0; i < 33; i++) {
		if (!peek_word(&m->cfi.peek, context + 176 + 8 + 8 * (uintptr_t)i, &v))
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

/* The newest handler of all that stand on the stack; the rules of its frame were the last used. */
static void note_handler(struct machine *m, struct trace *t, uintptr_t siginfo)
{
	if (t->handler.function)
		return;
	for (unsigned int i = 0; i < sizeof t->handler.siginfo / sizeof(uintptr_t); i++)
		if (!peek_word(&m->cfi.peek, siginfo + i * sizeof(uintptr_t),
			       &t->handler.siginfo[i]))
			return;
	t->handler.below = t->count;
	t->handler.function = m->cfi.start;
}

/* The kernel's own frame: the handler returns into a few known instructions, above which the
 * interrupted context lies (libc's restorer on x86_64, the vDSO's on aarch64), and the siginfo. */
static bool step_signal_frame(struct machine *m, struct trace *t)
{
	const uint8_t *p = (const uint8_t *)m->pc;

	if (!peek_readable(&m->cfi.peek, m->pc, 9))
		return false;
#ifdef __x86_64__
	static const uint8_t restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	uintptr_t context = m->reg[REG_SP], siginfo = context + 304; /* behind it */
#else
	static const uint8_t restorer[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
	uintptr_t siginfo = m->reg[REG_SP], context = siginfo + 128; /* behind it */
#endif
	for (unsigned int i = 0; i < sizeof restorer; i++)
		if (p[i] != restorer[i])
			return false;
	note_handler(m, t, siginfo);
	return load_context(m, context);
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
 * Whether `ret` may be where the running function (somewhere in which m->pc lies) returns to: a
 * call ends there, and what it calls begins not far below m->pc. Of a call through a register the
 * target is not known: `near` says that the word lies so close that it is taken all the same.
 */
static bool returns_to(struct machine *m, uintptr_t ret, bool near)
{
	const uint8_t *p = (const uint8_t *)ret;
	uintptr_t target = 0;

	if (!peek_readable(&m->cfi.peek, ret - 8, 8))
		return false;
	if (p[-5] == 0xe8) {
		target = ret + (uintptr_t)(intptr_t)word_at(p - 4);
		const uint8_t *stub = (const uint8_t *)target;

		if (!peek_readable(&m->cfi.peek, target, 16))
			return false;
		/* A PLT entry: [endbr64] [bnd] jmp *slot(%rip) */
		if (stub[0] == 0xf3 && stub[1] == 0x0f && stub[2] == 0x1e && stub[3] == 0xfa)
			stub += 4;
		if (stub[0] == 0xf2)
			stub++;
		if (stub[0] == 0xff && stub[1] == 0x25 &&
		    !peek_word(&m->cfi.peek,
			       (uintptr_t)stub + 6 + (uintptr_t)(intptr_t)word_at(stub + 2),
			       &target))
			return false;
	} else if (p[-6] == 0xff && p[-5] == 0x15) {
		if (!peek_word(&m->cfi.peek, ret + (uintptr_t)(intptr_t)word_at(p - 4), &target))
			return false;
	} else if ((p[-2] == 0xff && (p[-1] & 0xf8) == 0xd0) ||
		   (p[-3] == 0xff && (p[-2] & 0x38) == 0x10) ||
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
		if (!peek_word(&m->cfi.peek, at, &v))
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

	if (fp < m->reg[REG_SP] || !peek_word(&m->cfi.peek, fp, &next) ||
	    !peek_word(&m->cfi.peek, fp + 8, &ra) || !module_at(strip(ra) - 1, true))
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
		if (step_signal_frame(m, t))
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

static struct machine *begin(struct trace *t)
{
	int free = 0;

	t->count = 0;
	t->guessed = 64;
	t->handler.function = 0;
	if (!__atomic_compare_exchange_n(&machine_busy, &free, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return NULL;
	machine.cfi.peek.page = 0;
	machine.cfi.map = NULL;
	machine.cfi.start = 0;
	return &machine;
}

void unwind_context(struct trace *t, int max, const void *context)
{
	struct machine *m = begin(t);

	if (!m)
		return;
	if (load_context(m, (uintptr_t)context))
		walk(m, t, max < 64 ? max : 64);
	__atomic_store_n(&machine_busy, 0, __ATOMIC_RELEASE);
}

__attribute__((noinline)) void unwind_here(struct trace *t, int max)
{
	struct machine *m = begin(t);

	if (!m)
		return;
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
	walk(m, t, max < 64 ? max : 64);
	__atomic_store_n(&machine_busy, 0, __ATOMIC_RELEASE);
}

#endif
