/*
 * The state of the process, and who runs this.
 *
 * Runs in: anywhere.
 * SPDX-License-Identifier: MIT
 */
#include "epitaph.h"
#include "sys.h"

/* Zero until load, like all that we write: an empty .data saves every start a page. */
struct process process;

int who_runs(int *tid)
{
	*tid = sys_gettid();
	return *tid == process.pid ? *tid : sys_getpid();
}

bool in_forked_child(void)
{
	return sys_getpid() != process.pid;
}
