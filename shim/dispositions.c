/*
 * Dispositions, watchers, default actions; the contract is in dispositions.h.
 *
 * Runs in: load (dispositions_watch), any thread, signal handler, forked child, vfork child.
 * Sources: man 2 sigaction, man 7 signal, kernel/signal.c.
 * SPDX-License-Identifier: MIT
 */
#include "dispositions.h"

#include <ucontext.h>

#include "children.h"
#include "ending.h"
#include "epitaph.h"
#include "faults.h"
#include "modules.h"
#include "next.h"
#include "received.h"
#include "sender.h"
#include "sys.h"

#if defined(__x86_64__) || defined(__aarch64__) || defined(__riscv) || defined(__arm__) ||         \
	defined(__i386__)
#define DISPOSITIONS_ARCH 1
#endif

enum { SLOTS = 256 };

#define BIT(sig) (1ull << ((sig)-1))

/* Default action: end the process, with or without a core. Real-time signals are left alone. */
static const uint64_t deadly =
	BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGABRT) |
	BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGUSR1) | BIT(SIGSEGV) | BIT(SIGUSR2) | BIT(SIGPIPE) |
	BIT(SIGALRM) | BIT(SIGTERM) | BIT(SIGSTKFLT) | BIT(SIGXCPU) | BIT(SIGXFSZ) |
	BIT(SIGVTALRM) | BIT(SIGPROF) | BIT(SIGIO) | BIT(SIGPWR) | BIT(SIGSYS);

/* Handlers of these get an entry point, to remember who sent them. Those of faults, timers and the
 * signals that runtimes use inside themselves are given to the kernel as they are: not ours to
 * touch. */
static const uint64_t told = BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGUSR1) |
			     BIT(SIGUSR2) | BIT(SIGTERM) | BIT(SIGPWR) | BIT(SIGXCPU) |
			     BIT(SIGWINCH) | BIT(SIGCONT);

bool dispositions_deadly(int sig)
{
	return sig > 0 && sig < 32 && (deadly & BIT(sig));
}

void dispositions_waited(int sig, const void *info, const char *how)
{
	if (sig > 0 && sig < 32 && (told & BIT(sig)))
		received_handled(sig, info, 0, how);
}

bool dispositions_give_back(int sig)
{
	unsigned long action[8] = {0};

	return SYS4(SYS_rt_sigaction, sig, action, 0, SYS_SIGSET_BYTES) == 0;
}

bool dispositions_defaulted(int sig)
{
	uintptr_t action[8] = {0};

	SYS4(SYS_rt_sigaction, sig, 0, action, SYS_SIGSET_BYTES);
	return dispositions_is_default(action[0]);
}

#ifdef DISPOSITIONS_ARCH

/* Faults: the interrupted instruction raises them again once the default action is back. */
static const uint64_t faults = BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGFPE);

static const uint64_t go_s_own = BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGFPE) |
				 BIT(SIGPIPE) | BIT(SIGPROF) | BIT(SIGVTALRM) | BIT(SIGIO) |
				 BIT(SIGSTKFLT) | BIT(SIGPWR);

/* What the program asked for, once and for all: a slot never changes after it is ready. */
struct slot {
	int state; /* 0 free, 1 being filled in, 2 ready */
	int sig;
	int flags; /* the program's */
	uintptr_t handler;
	uint64_t mask;
};

static struct slot slots[SLOTS] EPITAPH_COLD;

static bool is_go, is_virtual;

void dispositions_enter(int sig, siginfo_t *info, void *context, unsigned int slot)
	__attribute__((used));
void dispositions_first_watcher(int sig, siginfo_t *info, void *context);

/* SLOTS entry points of ENTRY_BYTES each; each passes its number as the fourth argument. */
extern const char dispositions_entries[] __attribute__((visibility("hidden")));

#define STRING2(x)  #x
#define STRING(x)   STRING2(x)
#define ENTRY_BYTES 16
#define ENTRIES(load, jump)                                                                        \
	__asm__(".pushsection .text\n\t.balign 16\n\t.type dispositions_entries, %function\n"      \
		"dispositions_entries:\n\t.set slot, 0\n\t.rept 256\n\t.balign 16\n\t" load        \
		"\n\t" jump "\n\t.set slot, slot + 1\n\t.endr\n\t.balign 16\n\t.popsection")

#if defined(__x86_64__)
ENTRIES("movl $slot, %ecx", "jmp dispositions_enter");
#elif defined(__aarch64__)
ENTRIES("mov w3, slot", "b dispositions_enter");
#elif defined(__riscv)
ENTRIES("li a3, slot", "tail dispositions_enter");
#elif defined(__arm__)
__asm__(".arm");
ENTRIES("mov r3, #slot", "b dispositions_enter");
#elif defined(__i386__)
ENTRIES("movl $slot, %eax", "jmp dispositions_enter_i386");
#endif

static int slot_of(uintptr_t handler)
{
	uintptr_t off = handler - (uintptr_t)dispositions_entries;

	return off < (uintptr_t)SLOTS * ENTRY_BYTES ? (int)(off / ENTRY_BYTES) : -1;
}

static uintptr_t entry_of(int slot)
{
	return (uintptr_t)dispositions_entries + (uintptr_t)slot * ENTRY_BYTES;
}

/* The kernel's struct, for the calls that must not go through libc. */
struct kernel_action {
	uintptr_t handler;
	unsigned long flags;
#ifndef __riscv
	uintptr_t restorer;
#endif
	uint64_t mask;
};

enum {
	RESTORER = 0x04000000,
	KNOWN_FLAGS = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | (int)SA_RESTART |
		      SA_NODEFER | (int)SA_RESETHAND,
};

#ifdef __x86_64__
/* The kernel demands one; debuggers and unwinders know it by these very bytes. */
__asm__(".pushsection .text\n\t.balign 16\n\tnop\n\t.hidden "
	"dispositions_restorer\ndispositions_restorer:\n\t"
	"mov $15, %rax\n\tsyscall\n\t.popsection");
extern const char dispositions_restorer[] __attribute__((visibility("hidden")));
#endif

/*
 * SIGSEGV is watched on the alternate stack: the usual one may be what overflowed. Other signals
 * are not, but in Go programs, whose own stacks are too small for any frame: an alternate stack
 * that is too small for one (the kernel accepts 2 KiB, a frame with AVX-512 state needs more) would
 * turn a death by SIGTERM, or by SIGFPE, into one by SIGSEGV.
 */
static int watcher_flags(int sig)
{
	return SA_SIGINFO | SA_RESTART | (sig == SIGSEGV || is_go ? SA_ONSTACK : 0);
}

static void set_watcher(int sig, struct kernel_action *old)
{
	struct kernel_action a = {.handler = (uintptr_t)dispositions_first_watcher,
				  .flags = (unsigned long)watcher_flags(sig),
				  .mask = ~(uint64_t)0};
#ifdef __x86_64__
	a.flags |= RESTORER;
	a.restorer = (uintptr_t)dispositions_restorer;
#endif
	SYS4(SYS_rt_sigaction, sig, &a, old, SYS_SIGSET_BYTES);
}

static bool has_go_note(const char *at, size_t size, size_t align)
{
	const size_t pad = align == 8 ? 7 : 3; /* man 5 elf */

	while (size >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)at;
		size_t name = ((size_t)note->n_namesz + 3) & ~(size_t)3;
		size_t all = (sizeof *note + name + note->n_descsz + pad) & ~pad;

		if (all < sizeof *note || all > size)
			break;
		if (note->n_namesz == 4 && !__builtin_memcmp(note + 1, "Go", 3))
			return true;
		at += all;
		size -= all;
	}
	return false;
}

/* A program that Go's linker made says so in a note; where C's linker came last (cgo), among the
 * notes of C. */
static bool program_is_go(void)
{
	size_t n = 0;
	const struct link_map *map = modules_first();
	const ElfW(Phdr) *p = map ? module_phdrs(map, &n) : NULL;

	for (size_t i = 0; p && i < n; i++)
		if (p[i].p_type == PT_NOTE &&
		    has_go_note((const char *)(map->l_addr + p[i].p_vaddr), p[i].p_memsz,
				p[i].p_align))
			return true;
	return false;
}

void dispositions_unwatch(void)
{
	for (int sig = 1; sig < 32; sig++)
		if ((deadly & BIT(sig)) && dispositions_defaulted(sig))
			dispositions_give_back(sig);
}

bool dispositions_virtual(void)
{
	return is_virtual;
}

void dispositions_watch(void)
{
	/* Go's runtime sets its handlers by raw system calls, keeps what it finds there, and hands
	 * faults in C code on to it: where it found a watcher of ours, no Go traceback would come.
	 */
	is_go = program_is_go();
	is_virtual = true;
	uint64_t watched = is_go ? deadly & ~go_s_own : deadly;
	/* An ignored signal has a watcher for a moment: none is delivered meanwhile. One that is
	 * pending from before the exec must stay so, and SIG_IGN would take it away. */
	uint64_t all = ~(uint64_t)0, mask = 0, pending = 0;

	SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &all, &mask, SYS_SIGSET_BYTES);
	SYS2(SYS_rt_sigpending, &pending, SYS_SIGSET_BYTES);
	for (int sig = 1; sig < 32; sig++) {
		struct kernel_action old = {0};

		if (!(watched & BIT(sig)))
			continue;
		if (pending & BIT(sig)) {
			SYS4(SYS_rt_sigaction, sig, 0, &old, SYS_SIGSET_BYTES);
			if (old.handler)
				continue;
		}
		set_watcher(sig, &old);
		if (old.handler) /* ignored by whoever started us, or already handled */
			SYS4(SYS_rt_sigaction, sig, &old, 0, SYS_SIGSET_BYTES);
	}
	SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, SYS_SIGSET_BYTES);
	if (!is_go)
		faults_lend_stack();
}

/* The mask as the kernel takes it. */
static uint64_t mask_of(const struct sigaction *act)
{
	uint64_t mask;

	__builtin_memcpy(&mask, &act->sa_mask, sizeof mask);
	return mask & ~(BIT(SIGKILL) | BIT(SIGSTOP));
}

static bool same_slot(const struct slot *s, int sig, const struct sigaction *act)
{
	return s->sig == sig && s->flags == act->sa_flags &&
	       s->handler == (uintptr_t)act->sa_sigaction && s->mask == mask_of(act);
}

bool dispositions_is_default(uintptr_t handler)
{
	int slot = slot_of(handler);

	return handler == (uintptr_t)SIG_DFL || handler == (uintptr_t)dispositions_first_watcher ||
	       (slot >= 0 && !slots[slot].handler);
}

uintptr_t dispositions_handler(int sig, int *flags)
{
	uintptr_t action[8] = {0};
	int slot;

	SYS4(SYS_rt_sigaction, sig, 0, action, SYS_SIGSET_BYTES);
	slot = slot_of(action[0]);
	if (dispositions_is_default(action[0]))
		return (uintptr_t)SIG_DFL;
	*flags = slot >= 0 ? slots[slot].flags : (int)action[1];
	return slot >= 0 ? slots[slot].handler : action[0];
}

/* The slot of a disposition, found or made; -1 where all are taken. Programs use few of them. */
static int slot_for(int sig, const struct sigaction *act)
{
	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &slots[i];
		int state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);

		if (state == 0 && __atomic_compare_exchange_n(&s->state, &state, 1, false,
							      __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
			s->sig = sig;
			s->flags = act->sa_flags;
			s->handler = (uintptr_t)act->sa_sigaction;
			s->mask = mask_of(act);
			__atomic_store_n(&s->state, 2, __ATOMIC_RELEASE);
			return i;
		}
		if (state == 2 && same_slot(s, sig, act))
			return i;
		/* being filled in by another thread: another slot will do */
	}
	return -1;
}

/* What the kernel is to be told for what the program asked; false: just that. */
static bool encode(int sig, const struct sigaction *act, struct sigaction *ours)
{
	bool is_default = act->sa_handler == SIG_DFL;
	int slot;

	if (sig < 1 || sig >= 32 || act->sa_handler == SIG_IGN ||
	    !((is_default ? deadly : told) & BIT(sig)) || (is_default && !process.active))
		return false;
	slot = slot_for(sig, act);
	if (slot < 0)
		return false;
	*ours = *act;
	ours->sa_flags |= SA_SIGINFO;
	if (is_default) {
		ours->sa_flags = watcher_flags(sig) | (act->sa_flags & ~KNOWN_FLAGS);
		__builtin_memset(&ours->sa_mask, 0xff, sizeof ours->sa_mask);
	}
	ours->sa_sigaction = (void (*)(int, siginfo_t *, void *))entry_of(slot);
	return true;
}

/* What the program is to see of what the kernel answered. */
static void decode(struct sigaction *a)
{
	uintptr_t handler = (uintptr_t)a->sa_sigaction;
	int slot = slot_of(handler);

	if (handler == (uintptr_t)dispositions_first_watcher) {
		a->sa_handler = SIG_DFL;
		a->sa_flags = 0;
		if (process.libc == LIBC_GLIBC) /* musl leaves it alone */
			a->sa_restorer = NULL;
		__builtin_memset(&a->sa_mask, 0, SYS_SIGSET_BYTES);
	} else if (slot >= 0) {
		a->sa_sigaction = (void (*)(int, siginfo_t *, void *))slots[slot].handler;
		/* Of bits that the kernel may or may not keep (before 5.11 it kept all), its word.
		 */
		a->sa_flags = (slots[slot].flags & KNOWN_FLAGS) | (a->sa_flags & ~KNOWN_FLAGS);
		__builtin_memcpy(&a->sa_mask, &slots[slot].mask, sizeof slots[slot].mask);
	}
}

static uint64_t had_handler;

bool dispositions_had_handler(int sig)
{
	return sig > 0 && sig < 64 && (__atomic_load_n(&had_handler, __ATOMIC_RELAXED) & BIT(sig));
}

int dispositions_change(sigaction_function *next, int sig, const struct sigaction *act,
			struct sigaction *old)
{
	struct sigaction ours;
	int result;

	if (act && (act->sa_flags & SA_ONSTACK) && act->sa_handler != SIG_DFL && process.active)
		faults_drop_stack(); /* its handler belongs on the stack that it would have had */
	if (sig == SIGCHLD && act)
		children_expected();
	if (act && sig > 0 && sig < 64 && act->sa_handler != SIG_DFL && act->sa_handler != SIG_IGN)
		__atomic_fetch_or(&had_handler, BIT(sig), __ATOMIC_RELAXED);
	result = next(sig, act && encode(sig, act, &ours) ? &ours : act, old);

	if (result == 0 && old)
		decode(old);
	return result;
}

/* pid 1 of a pid namespace: the kernel drops every signal whose action is the default, but for a
 * fault of its own (kernel/signal.c, sig_task_ignored and force_sig_info). */
static bool dropped_for_pid1(int sig, const siginfo_t *info)
{
	bool forced = info->si_code > 0 && ((faults | BIT(SIGTRAP) | BIT(SIGSYS)) & BIT(sig));

	return !forced && sys_getpid() == 1;
}

static void send_again(int sig, siginfo_t *info)
{
	int pid = sys_getpid(), tid = sys_gettid();

	/* A filter may know tgkill only; then the core has another siginfo. */
	if (SYS4(SYS_rt_tgsigqueueinfo, pid, tid, sig, info) != 0)
		SYS3(SYS_tgkill, pid, tid, sig);
}

/*
 * Lets the kernel do what it would have done: with the default disposition back, a fault happens
 * again when we return, and anything else is sent again with the same siginfo, to this thread, and
 * delivered the moment we return, because the context that we return to blocks all other signals.
 */
static void die(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint64_t mask = ~BIT(sig);

	if (!dispositions_give_back(sig)) /* a filter forbids it: not for ever into this watcher */
		SYS2(SYS_kill, sys_getpid(), SIGKILL);
	/* But for broken memory that the kernel only tells of. */
	if (info->si_code > 0 && (faults & BIT(sig)) &&
	    !faults_no_room(sig, info->si_code, context) &&
	    !(sig == SIGBUS && info->si_code == BUS_MCEERR_AO))
		return;
	send_again(sig, info);
	__builtin_memcpy(&uc->uc_sigmask, &mask, sizeof mask);
}

/* How many threads are in watch_again, by signal. */
static int watching_again[32];

/* A watcher that watch_again put over a handler which another thread had just set: the signal is
 * that handler's. */
static bool handled_after_all(int sig, siginfo_t *info)
{
	enum { YIELDS_MOST = 1000 }; /* a fork may have copied a count that nobody takes back */

	if (!(told & BIT(sig)))
		return false;
	for (int i = 0; i < YIELDS_MOST && __atomic_load_n(&watching_again[sig], __ATOMIC_ACQUIRE);
	     i++)
		SYS0(SYS_sched_yield);
	if (dispositions_defaulted(sig))
		return false;
	send_again(sig, info);
	return true;
}

static void by_default(int sig, siginfo_t *info, void *context)
{
	if (handled_after_all(sig, info))
		return;
	if (dropped_for_pid1(sig, info)) {
		received_dropped(sig, info);
		return;
	}
	if (process.active) {
		struct sender s;

		sender_read(&s, sig, info);
		ending_by_signal(&s, info, context);
	}
	die(sig, info, context);
}

void dispositions_first_watcher(int sig, siginfo_t *info, void *context)
{
	by_default(sig, info, context);
}

/* SA_RESETHAND: the kernel has put SIG_DFL in the handler's place. A watcher goes there, unless
 * another thread has been faster. No signal comes between, in this thread; in others,
 * handled_after_all waits. */
static void watch_again(int sig, const struct slot *s)
{
	uint64_t all = ~(uint64_t)0, mask;
	struct sigaction was, now, ours;
	sigaction_function *next = (sigaction_function *)next_get(HOOK_sigaction);

	now.sa_sigaction = NULL;
	now.sa_flags = s->flags;
	__builtin_memset(&now.sa_mask, 0, sizeof now.sa_mask);
	__builtin_memcpy(&now.sa_mask, &s->mask, sizeof s->mask);
	if (!next || !encode(sig, &now, &ours))
		return;
	SYS4(SYS_rt_sigprocmask, SIG_BLOCK, &all, &mask, SYS_SIGSET_BYTES);
	__atomic_fetch_add(&watching_again[sig], 1, __ATOMIC_ACQ_REL);
	if (next(sig, NULL, &was) == 0 && was.sa_handler == SIG_DFL &&
	    next(sig, &ours, &was) == 0 && was.sa_handler != SIG_DFL)
		next(sig, &was, NULL);
	__atomic_fetch_sub(&watching_again[sig], 1, __ATOMIC_ACQ_REL);
	SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, SYS_SIGSET_BYTES);
}

void dispositions_enter(int sig, siginfo_t *info, void *context, unsigned int slot)
{
	const struct slot *s = &slots[slot];
	void (*handler)(int, siginfo_t *, void *) = (void (*)(int, siginfo_t *, void *))s->handler;

	if (!handler) {
		by_default(sig, info, context);
		return;
	}
	if ((s->flags & (int)SA_RESETHAND) && process.active)
		watch_again(sig, s);
	received_handled(sig, info, s->handler, "; the program handles it at ");
	faults_hide_stack(context);
	/* In the place of a call: the program's handler stands on the stack as if the kernel had
	 * called it. The kernel passes all three arguments whatever the flags. */
	handler(sig, info, context);
}

#ifdef __i386__
/* There the kernel's arguments lie on the stack, and only the slot comes in a register. */
__attribute__((regparm(1), used)) void dispositions_enter_i386(unsigned int slot, int sig,
							       siginfo_t *info, void *context);

__attribute__((regparm(1))) void dispositions_enter_i386(unsigned int slot, int sig,
							 siginfo_t *info, void *context)
{
	dispositions_enter(sig, info, context, slot);
}
#endif

#else /* no entry points for this architecture: everything passes through, nothing is watched */

static uint64_t had_handler;

bool dispositions_had_handler(int sig)
{
	return sig > 0 && sig < 64 && (__atomic_load_n(&had_handler, __ATOMIC_RELAXED) & BIT(sig));
}

int dispositions_change(sigaction_function *next, int sig, const struct sigaction *act,
			struct sigaction *old)
{
	return next(sig, act, old);
}

uintptr_t dispositions_handler(int sig, int *flags)
{
	uintptr_t action[8] = {0};

	SYS4(SYS_rt_sigaction, sig, 0, action, SYS_SIGSET_BYTES);
	*flags = (int)action[1];
	return action[0];
}

void dispositions_watch(void)
{
}

void dispositions_unwatch(void)
{
}

bool dispositions_virtual(void)
{
	return false;
}

bool dispositions_is_default(uintptr_t handler)
{
	return handler == (uintptr_t)SIG_DFL;
}

#endif
