/*
 * What belongs to the program and is not to be touched, printed:
 *   refused  its alternate signal stack, when a seccomp filter was refused
 *   onstack  a handler for the alternate stack, where a filter forbids sigaltstack
 *   pending  a signal that is blocked, ignored and pending, across an exec
 * SPDX-License-Identifier: MIT
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "victim.h"

static char own[65536];

static void refused(void)
{
	stack_t mine = {.ss_sp = own, .ss_size = sizeof own}, now = {.ss_sp = NULL};
	struct sock_fprog none = {0, NULL};
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	none.filter = &code; /* of no length: EINVAL */
	sigaltstack(&mine, NULL);
	say_number("seccomp", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &none));
	sigaltstack(NULL, &now);
	say_number("mine", now.ss_sp == own);
}

static void handler(int sig)
{
	say_number("signal", sig);
}

static void onstack(void)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sigaltstack, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	sigaction(SIGTERM, &act, NULL);
	raise(SIGTERM);
}

static void look(void)
{
	struct sigaction act;
	sigset_t set;

	sigaction(SIGTERM, NULL, &act);
	sigpending(&set);
	say_number("ignored", act.sa_handler == SIG_IGN);
	say_number("pending", sigismember(&set, SIGTERM));
}

static void pending(char **argv)
{
	char *again[] = {argv[0], "look", NULL};
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGTERM, SIG_IGN);
	raise(SIGTERM);
	execv(argv[0], again);
}

int main(int argc, char **argv)
{
	char how = argc > 1 ? argv[1][0] : 'r';

	if (how == 'r')
		refused();
	else if (how == 'o')
		onstack();
	else if (how == 'p')
		pending(argv);
	else
		look();
	return 3;
}
