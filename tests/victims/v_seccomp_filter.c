/*
 * A filter that kills for anything but write, exit, exit_group and rt_sigreturn; then _exit(3), or
 * exit(3), or the end that argv[1] names. Installed by prctl, or by seccomp(2) with argv[2].
 * SPDX-License-Identifier: MIT
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "victim.h"

#define ALLOW(name)                                                                                \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                     \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

int main(int argc, char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(write),
		ALLOW(exit),
		ALLOW(exit_group),
		ALLOW(rt_sigreturn),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};
	char how = argc > 1 ? argv[1][0] : '_';

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 99;
	if (argc > 2 ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)
		     : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 98;
	say("filtered\n");
	if (how == 'e')
		exit(3);
	if (how == 's')
		syscall(SYS_exit_group, 3);
	if (how == 'r')
		return 3;
	_exit(3);
}
