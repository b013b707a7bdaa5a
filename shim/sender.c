/*
 * Senders of signals; the contract is in sender.h.
 *
 * Runs in: anywhere, above all signal handlers.
 * SPDX-License-Identifier: MIT
 */
#include "sender.h"

#include <signal.h>
#include <sys/prctl.h>

#include "clock.h"
#include "epitaph.h"
#include "names.h"
#include "procfs.h"
#include "sys.h"

void sender_read(struct sender *s, int sig, const void *info)
{
	const siginfo_t *i = info;

	*s = (struct sender){
		.signal = sig, .code = i->si_code, .when_ns = clock_fast_ns(CLOCK_BOOTTIME)};
	if (i->si_code == SI_USER || i->si_code == SI_QUEUE || i->si_code == SI_TKILL ||
	    i->si_code == SI_MESGQ) {
		s->pid = i->si_pid;
		s->uid = (int)i->si_uid;
		s->value = i->si_value.sival_int;
		s->kind = s->pid == 0 ? SENDER_OUTSIDE : SENDER_PROCESS; /* to be settled */
	} else if (i->si_code == SI_KERNEL && (sig == SIGINT || sig == SIGQUIT || sig == SIGHUP)) {
		s->kind = SENDER_TERMINAL; /* drivers/tty: isig(), __tty_hangup() */
	} else if (i->si_code == SI_TIMER ||
		   (i->si_code == SI_KERNEL &&
		    (sig == SIGALRM || sig == SIGVTALRM || sig == SIGPROF))) {
		s->kind = SENDER_TIMER; /* timer_create; setitimer, alarm: kernel/time/itimer.c */
	} else {
		s->kind = SENDER_KERNEL;
	}
}

void sender_settle(struct sender *s)
{
	if (s->kind == SENDER_PROCESS && s->pid == sys_getpid())
		s->kind = SENDER_SELF;
}

/* What this process asked to get at its parent's death, or what it was given across an exec. */
static int death_signal(void)
{
	int sig = 0;

	SYS2(SYS_prctl, PR_GET_PDEATHSIG, &sig);
	return sig;
}

/* A dead process can still be a zombie. */
static bool is_gone(int pid)
{
	char state = procfs_state(pid);

	return state == 'Z' || state == 'X' || (!state && SYS2(SYS_kill, pid, 0) == -ESRCH);
}

void sender_look_up(struct sender *s)
{
	sender_settle(s);
	if (s->kind != SENDER_PROCESS)
		return;
	s->is_parent = s->pid == sys_getppid();
	s->by_parent_s_death = !s->is_parent && s->code == SI_USER && death_signal() == s->signal &&
			       is_gone(s->pid);
	procfs_comm(s->pid, 0, s->name);
}

/* What a process of this name does as pid 1: it passes on what it gets. */
static bool is_init(const char *name)
{
	static const char inits[][12] = {"tini",      "docker-init", "dumb-init", "catatonit",
					 "s6-svscan", "conmon",	     "systemd",	  "podman-init"};

	for (size_t i = 0; i < sizeof inits / sizeof *inits; i++)
		if (str_eq(inits[i], name))
			return true;
	return false;
}

void text_sender(struct text *t, const struct sender *s)
{
	switch (s->kind) {
	case SENDER_SELF:
		text_str(t, "from itself");
		break;
	case SENDER_OUTSIDE:
		text_str(t, "from outside this container (sender pid 0: the container engine, the "
			    "orchestrator or the host)");
		break;
	case SENDER_TIMER:
		text_str(t, "from a timer of its own");
		break;
	case SENDER_TERMINAL:
		text_str(t, "from the terminal");
		break;
	case SENDER_KERNEL:
		text_str(t, "from the kernel");
		break;
	case SENDER_PROCESS:
		text_str(t, s->by_parent_s_death
				    ? "because its parent ended (PR_SET_PDEATHSIG), process "
			    : s->is_parent ? "from its own parent, process "
					   : "from process ");
		text_dec(t, s->pid);
		if (s->name[0]) {
			text_str(t, " (");
			text_clean(t, s->name, str_len(s->name));
			text_str(t, s->pid == 1 && is_init(s->name)
					    ? "; an init, which passes on what comes from outside)"
					    : ")");
		}
		break;
	}
	if (s->code == SI_QUEUE) {
		text_str(t, ", by sigqueue with the value ");
		text_dec(t, s->value);
	}
}

void record_signal(struct record *r, const struct sender *s)
{
	const char *name = signal_name(s->signal), *code = signal_code_name(s->signal, s->code);

	record_integer(r, "epitaph.signal.number", s->signal);
	if (name)
		record_static(r, "epitaph.signal.name", name);
	if (code)
		record_static(r, "epitaph.signal.code", code);
	if (s->kind == SENDER_SELF || s->kind == SENDER_PROCESS || s->kind == SENDER_OUTSIDE) {
		record_integer(r, "epitaph.sender.pid", s->pid);
		record_integer(r, "epitaph.sender.uid", s->uid);
		if (s->code == SI_QUEUE)
			record_integer(r, "epitaph.signal.value", s->value);
	}
	if (s->kind == SENDER_PROCESS && s->name[0]) {
		char path[40];

		record_string(r, "epitaph.sender.name", s->name);
		procfs_path(path, sizeof path, s->pid, "exe");
		long n = sys_readlink(path, r->work, 4095);
		if (n > 0) {
			r->work[n] = '\0';
			record_string(r, "epitaph.sender.path", r->work);
		}
	}
}

const char *sender_word(const struct sender *s)
{
	static const char words[][9] = {"self",	  "process", "outside",
					"kernel", "kernel",  "terminal"};

	return words[s->kind];
}
