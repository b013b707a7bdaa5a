/*
 * v_exec HOW PATH [ARG]: execs PATH with ARG by the named function, with the environment that it
 * has, or an empty one where HOW ends in "-empty". Returns errno where that fails.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "victim.h"

extern char **environ;

static int wait_for(int error, const pid_t *pid)
{
	int status;

	if (error)
		return error;
	waitpid(*pid, &status, 0);
	say_number("spawned", WEXITSTATUS(status));
	return 60;
}

FRAME static int exec_by(const char *how, char **argv, char **envp)
{
	char *path = argv[0], *arg = argv[1];
	pid_t pid = -1;

	if (!strcmp(how, "execve"))
		execve(path, argv, envp);
	else if (!strcmp(how, "execv"))
		execv(path, argv);
	else if (!strcmp(how, "execvp"))
		execvp(path, argv);
	else if (!strcmp(how, "execvpe"))
		execvpe(path, argv, envp);
	else if (!strcmp(how, "execl"))
		execl(path, path, arg, (char *)NULL);
	else if (!strcmp(how, "execlp"))
		execlp(path, path, arg, (char *)NULL);
	else if (!strcmp(how, "execle"))
		execle(path, path, arg, (char *)NULL, envp);
	else if (!strcmp(how, "fexecve"))
		fexecve(open(path, O_RDONLY | O_CLOEXEC), argv, envp);
#ifdef __GLIBC__
	else if (!strcmp(how, "execveat"))
		execveat(AT_FDCWD, path, argv, envp, 0);
#endif
	else if (!strcmp(how, "syscall"))
		syscall(SYS_execve, path, argv, envp);
	else if (!strcmp(how, "posix_spawn"))
		return wait_for(posix_spawn(&pid, path, NULL, NULL, argv, envp), &pid);
	else if (!strcmp(how, "posix_spawnp"))
		return wait_for(posix_spawnp(&pid, path, NULL, NULL, argv, envp), &pid);
	else
		return 99;
	say_number("errno", errno);
	return errno;
}

int main(int argc, char **argv)
{
	char how[32], *empty[] = {NULL};
	char *dash;

	if (argc < 3)
		return 98;
	snprintf(how, sizeof how, "%s", argv[1]);
	dash = strchr(how, '-');
	if (dash)
		*dash = '\0';
	return exec_by(how, argv + 2, dash ? empty : environ);
}
