/*
 * Calls that tell Epitaph how carefully to go on.
 *
 * Interposes: prctl (PR_SET_SECCOMP), setsid.
 * Runs in: constructor, any thread, signal handler, vfork child.
 * SPDX-License-Identifier: MIT
 */
#include "moods.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "epitaph.h"
#include "log.h"
#include "next.h"
#include "record.h"
#include "scope.h"
#include "sys.h"

void moods_silence(void)
{
	struct record *r = scope_reports(in_forked_child())
				   ? record_begin(EVENT_SILENCE, process.role == ROLE_ROOT ? SEVERITY_WARN
											   : SEVERITY_DEBUG)
				   : NULL;

	if (r) {
		text_str(&r->body, "goes silent: the program enters a seccomp sandbox, which could answer "
				   "any system call of Epitaph's with a signal; its end will not be told");
		record_write(r);
	}
	process.active = false;
}

typedef int prctl_function(int, unsigned long, unsigned long, unsigned long, unsigned long);

prctl_function epitaph_prctl __asm__("prctl");

/* Variadic in the header; five words here, as in the kernel (see syscall in exits.c). */
EPITAPH_EXPORT int epitaph_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	prctl_function *next = (prctl_function *)next_get(HOOK_prctl);

	/* A null program only asks whether the kernel knows filters. */
	if (unlikely(option == PR_SET_SECCOMP) && (a != SECCOMP_MODE_FILTER || b) && ENTER(prctl))
		moods_silence();
	return next ? next(option, a, b, c, d) : (int)SYS5(SYS_prctl, option, a, b, c, d);
}

EPITAPH_EXPORT pid_t setsid(void)
{
	pid_t session = NEXT(setsid) ? NEXT(setsid)() : (pid_t)SYS0(SYS_setsid);

	/* Only a forked child leaves; a main process that is its own session keeps its log. */
	if (session > 0 && ENTER(setsid) && in_forked_child())
		log_detach();
	return session;
}
