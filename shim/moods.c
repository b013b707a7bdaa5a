/*
 * Calls that tell Epitaph how carefully to go on.
 *
 * Interposes: prctl (PR_SET_SECCOMP), setsid.
 * Runs in: constructor, any thread, signal handler, vfork child.
 * SPDX-License-Identifier: MIT
 */
#include "moods.h"

#include <sys/prctl.h>
#include <unistd.h>

#include "dispositions.h"
#include "epitaph.h"
#include "faults.h"
#include "log.h"
#include "next.h"
#include "procfs.h"
#include "record.h"
#include "scope.h"
#include "sys.h"

/* <linux/seccomp.h>, which not every libc's headers bring along. */
#ifndef SECCOMP_MODE_STRICT
enum { SECCOMP_MODE_STRICT = 1, SECCOMP_MODE_FILTER = 2 };
#endif
enum { SET_MODE_STRICT = 0, SET_MODE_FILTER = 1 };

bool moods_sandboxes_seccomp(long operation, long program)
{
	return operation == SET_MODE_STRICT || (operation == SET_MODE_FILTER && program);
}

bool moods_sandboxes_prctl(long option, long mode, long program)
{
	return option == PR_SET_SECCOMP &&
	       (mode == SECCOMP_MODE_STRICT || (mode == SECCOMP_MODE_FILTER && program));
}

/* A vfork child runs in its parent's memory, and the parent sleeps in the kernel the while: silence
 * there would silence the parent, which is in no sandbox. */
static bool borrows_memory(void)
{
	return in_forked_child() && procfs_state(sys_getppid()) == 'D';
}

static void say(const char *sentence)
{
	struct record *r =
		scope_reports(in_forked_child())
			? record_begin(EVENT_SILENCE,
				       process.role == ROLE_ROOT ? SEVERITY_WARN : SEVERITY_DEBUG)
			: NULL;

	if (r) {
		text_str(&r->body, sentence);
		record_write(r);
	}
}

static bool silenced;

void moods_silence(void)
{
	if (borrows_memory())
		return;
	say("goes silent: the program enters a seccomp sandbox, which could answer any system call "
	    "of "
	    "Epitaph's with a signal; its end will not be told");
	silenced = true;
	process.active = false;
	dispositions_unwatch();
	faults_drop_stack(); /* later that call may be forbidden, too */
}

void moods_speak(void)
{
	if (!silenced)
		return;
	silenced = false;
	process.active = true;
	if (dispositions_virtual())
		dispositions_watch();
	say("speaks again: the seccomp sandbox was refused");
}

typedef int prctl_function(int, unsigned long, unsigned long, unsigned long, unsigned long);

prctl_function epitaph_prctl __asm__("prctl");

/* Variadic in the header; five words here, as in the kernel (see syscall in exits.c). */
EPITAPH_EXPORT int epitaph_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
				 unsigned long d)
{
	prctl_function *next = (prctl_function *)next_get(HOOK_prctl);

	bool sandboxes = unlikely(moods_sandboxes_prctl(option, (long)a, (long)b)) && ENTER(prctl);
	int result;

	if (sandboxes)
		moods_silence();
	result = next ? next(option, a, b, c, d) : (int)SYS5(SYS_prctl, option, a, b, c, d);
	if (sandboxes && result != 0)
		moods_speak();
	return result;
}

EPITAPH_EXPORT pid_t setsid(void)
{
	pid_t session = NEXT(setsid) ? NEXT(setsid)() : (pid_t)SYS0(SYS_setsid);

	/* Only a forked child leaves; a main process that is its own session keeps its log. */
	if (session > 0 && ENTER(setsid) && in_forked_child())
		log_detach();
	return session;
}
