/*
 * Walks the stack by the unwind tables that every x86_64 and aarch64 object carries (.eh_frame),
 * without libgcc: _Unwind_Backtrace takes the loader's lock, needs kilobytes of stack and is not
 * in most C processes. Memory is read only after the kernel said that it can be.
 *
 * Sources: DWARF 5 section 6.4, the Linux Standard Base's .eh_frame and .eh_frame_hdr, the psABIs.
 * SPDX-License-Identifier: MIT
 */
#ifndef EPITAPH_UNWIND_H
#define EPITAPH_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

/* A signal handler on the stack: where the kernel's frame was crossed. */
struct crossed {
	uintptr_t function;   /* the handler's beginning; 0: there is none */
	int below;	      /* index in pc of the interrupted code; may be the trace's end */
	uintptr_t siginfo[4]; /* what lies at the place of its beginning: not always a siginfo */
};

struct trace {
	int count;	  /* frames in pc, newest first */
	int guessed;	  /* from this index on found by scanning the stack: likely, not certain */
	uintptr_t pc[64]; /* call sites (return address - 1), or the interrupted instruction */
	struct crossed handler; /* the newest one */
};

/*
 * The callers of this function, at most `max` (at most 64), without the shim's own frames and
 * without what lies below main. Where another thread is unwinding, or on other architectures, the
 * trace is empty. AS-safe; about 300 bytes of stack.
 */
void unwind_here(struct trace *t, int max);

/*
 * The same from where a signal interrupted the thread; the first frame is the interrupted
 * instruction. `context` is the handler's ucontext_t. AS-safe.
 */
void unwind_context(struct trace *t, int max, const void *context);

#endif
