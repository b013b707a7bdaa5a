/*
 * Faults; the contract is in faults.h.
 *
 * Interposes: sigaltstack.
 * Runs in: signal handlers, on small stacks; faults_lend_stack at load.
 * Sources: man 2 sigaltstack, man 5 proc_pid_maps; kernel/signal.c (do_sigaltstack).
 * SPDX-License-Identifier: MIT
 */
#include "faults.h"

#include <ucontext.h>

#include "epitaph.h"
#include "next.h"
#include "sys.h"

/* A frame with AVX-512 state takes 3.5 KiB, our own calls some 3; the rest is for a handler of the
 * program's that another thread installed with SA_ONSTACK. Pages that nobody touches cost nothing.
 */
enum { STACK_BYTES = 256 * 1024 };
static char stack[STACK_BYTES] __attribute__((aligned(16))) EPITAPH_COLD;
static bool lent;

void faults_lend_stack(void)
{
	stack_t s = {.ss_sp = stack, .ss_size = sizeof stack}, now;

	/* One stack, so for one thread; and never in the place of the program's own, which it may
	 * have by the time that we speak again. */
	if (sys_gettid() == process.pid && SYS2(SYS_sigaltstack, 0, &now) == 0 &&
	    (now.ss_flags & SS_DISABLE))
		lent = SYS2(SYS_sigaltstack, &s, 0) == 0;
}

void faults_drop_stack(void)
{
	stack_t none = {.ss_flags = SS_DISABLE}, now;

	if (lent && SYS2(SYS_sigaltstack, 0, &now) == 0 && now.ss_sp == (void *)stack)
		SYS2(SYS_sigaltstack, &none, 0);
}

void faults_hide_stack(void *context)
{
	ucontext_t *uc = context;

	/* At its return the kernel refuses this as too small, and all stays as it is. */
	if (uc->uc_stack.ss_sp == (void *)stack)
		__builtin_memset(&uc->uc_stack, 0, sizeof uc->uc_stack);
}

EPITAPH_EXPORT int sigaltstack(const stack_t *restrict new, stack_t *restrict old)
{
	int result;

	epitaph_enter(HOOK_sigaltstack);
	result = NEXT(sigaltstack)(new, old);
	if (result == 0 && old && lent && old->ss_sp == (void *)stack) {
		__builtin_memset(old, 0, sizeof *old);
		old->ss_flags = SS_DISABLE;
	}
	return result;
}

uintptr_t faults_stack_pointer(const void *context)
{
	const ucontext_t *uc = context;

#if defined(__x86_64__)
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
	return (uintptr_t)uc->uc_mcontext.sp;
#elif defined(__i386__)
	return (uintptr_t)uc->uc_mcontext.gregs[REG_ESP];
#elif defined(__arm__)
	return (uintptr_t)uc->uc_mcontext.arm_sp;
#elif defined(__riscv)
	return (uintptr_t)uc->uc_mcontext.__gregs[2];
#else
	(void)uc;
	return 0;
#endif
}

int faults_first_argument(const void *context)
{
	const ucontext_t *uc = context;

#if defined(__x86_64__)
	return (int)uc->uc_mcontext.gregs[REG_RDI];
#elif defined(__i386__)
	return (int)uc->uc_mcontext.gregs[REG_EBX];
#else
	(void)uc;
	return -1;
#endif
}

bool faults_in_call(const void *context)
{
	const ucontext_t *uc = context;

#if defined(__x86_64__)
	return uc->uc_mcontext.gregs[REG_RAX] != 0;
#elif defined(__i386__)
	return uc->uc_mcontext.gregs[REG_EAX] != 0;
#else
	(void)uc;
	return true;
#endif
}

bool faults_no_room(int sig, int code, const void *context)
{
	const ucontext_t *uc = context;

	if (sig != SIGSEGV || code != SI_KERNEL)
		return false;
#if defined(__x86_64__) || defined(__i386__)
	return uc->uc_mcontext.gregs[REG_TRAPNO] != 13;
#else
	(void)uc;
	return true;
#endif
}

struct mapping {
	uintptr_t start, end;
	char prot[4];
	char name[128]; /* "" for an anonymous one */
};

/* One line of maps: "start-end rwxp offset dev inode   name". */
static bool parse(struct mapping *m, const char *s, size_t len)
{
	const char *end = s + len;
	int blanks = 0;
	size_t n = 0;

	m->start = m->end = 0;
	for (uintptr_t *v = &m->start; s < end && *s != ' '; s++) {
		if (*s == '-') {
			v = &m->end;
			continue;
		}
		*v = *v * 16 + (uintptr_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	}
	if (end - s < 5)
		return false;
	__builtin_memcpy(m->prot, s + 1, sizeof m->prot);
	for (; s < end && blanks < 5; s++)
		blanks += *s == ' ';
	while (s < end && *s == ' ')
		s++;
	while (s < end && n < sizeof m->name - 1)
		m->name[n++] = *s++;
	m->name[n] = '\0';
	return true;
}

/* The mapping that holds an address, and the next one above it; false where maps cannot be read.
 * Either may come back with end 0: there is none. */
static bool find(uintptr_t address, struct mapping *at, struct mapping *above, char *buf,
		 size_t cap)
{
	int fd = sys_open("/proc/self/maps", O_RDONLY, 0);
	size_t have = 0;
	long n;

	*at = *above = (struct mapping){0};
	if (fd < 0)
		return false;
	while (!above->end && (n = sys_read(fd, buf + have, cap - have)) > 0) {
		size_t line = 0;

		have += (size_t)n;
		for (size_t i = 0; i < have && !above->end; i++) {
			if (buf[i] != '\n')
				continue;
			if (parse(above, buf + line, i - line) && above->start <= address) {
				if (address < above->end)
					*at = *above;
				above->end = 0;
			}
			line = i + 1;
		}
		if (line == 0 && have == cap)
			break; /* a line longer than the buffer */
		__builtin_memmove(buf, buf + line, have - line);
		have -= line;
	}
	sys_close(fd);
	return true;
}

/* Below the stack's mapping, or in the guard below it, and the stack pointer near: deeper than a
 * page for a large frame, and stacks have no neighbours so close. */
enum { NEAR = 1024 * 1024 };

static bool is_overflow(uintptr_t address, uintptr_t sp, const struct mapping *at,
			const struct mapping *above)
{
	bool guard = at->end && at->prot[0] == '-' && at->prot[1] == '-';
	uintptr_t apart = address > sp ? address - sp : sp - address;

	return sp && above->end && above->prot[1] == 'w' && (!at->end || guard) && apart < NEAR &&
	       above->start - address < NEAR && sp < above->end &&
	       (sp >= above->start || above->start - sp < NEAR);
}

bool faults_describe(struct text *t, uintptr_t address, uintptr_t stack_pointer, char *buf,
		     size_t cap)
{
	struct mapping at, above;

	if (!find(address, &at, &above, buf, cap))
		return false;
	if (is_overflow(address, stack_pointer, &at, &above)) {
		text_str(t, ": a stack overflow (all ");
		text_dec(t, (int64_t)((above.end - above.start) / 1024));
		text_str(t, " KiB of this thread's stack are used up)");
		return true;
	}
	if (!at.end) {
		text_str(t, ", where nothing is mapped");
		return false;
	}
	text_str(t, ", in the mapping ");
	text_mem(t, at.prot, sizeof at.prot);
	text_char(t, ' ');
	if (at.name[0])
		text_clean(t, at.name, str_len(at.name));
	else
		text_str(t, "(anonymous)");
	return false;
}
