/* The cases; what they are is in cases.h. SPDX-License-Identifier: MIT */
#include "cases.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* One write a line, no stdio buffer: what is printed never depends on how the process ends. */
void say(const char *format, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	if (write(1, line, (size_t)n) != n)
		_exit(90);
}

static const char *helper(void)
{
	const char *path = getenv("HELPER");

	return path ? path : "no HELPER";
}

static char *arguments[] = {"helper", "one", "two", NULL};
static char *other_env[] = {"MARK=other", NULL};
/* Not mapped; volatile, so that gcc does not see it. */
static void *volatile nowhere = (void *)8;

/*
 * exit within exit, and after the exit of a vfork child (it is the same memory): POSIX leaves both
 * undefined. glibc goes on with the handlers that are left; musl 1.2.3 waits for itself for ever.
 */
#ifdef __GLIBC__
#define EXIT_CASE(name) CASE(name)
#else
#define TWICE		"musl hangs in a second exit (undefined by POSIX)"
#define EXIT_CASE(name) CASE_BUT(name, [CONTEXT_DESTRUCTOR] = TWICE, [CONTEXT_VFORK] = TWICE)
#endif

/* Only a failed exec comes here. */
static void failed(int result)
{
	int error = errno;

	say("result %d errno %d\n", result, error);
}

#define START_ONLY "libc's start code calls it once, before main"

CASE_BUT(__libc_start_main, [CONTEXT_CONSTRUCTOR] = START_ONLY, [CONTEXT_DESTRUCTOR] = START_ONLY,
	 [CONTEXT_SIGNAL] = START_ONLY, [CONTEXT_THREAD] = START_ONLY, [CONTEXT_FORK] = START_ONLY,
	 [CONTEXT_VFORK] = START_ONLY)
{
	/* Being here is the case: main was called, with what the driver then compares. */
	say("main was called\n");
}

EXIT_CASE(exit)
{
	exit(31);
}

EXIT_CASE(exit__negative)
{
	exit(-2);
}

CASE(_exit)
{
	_exit(33);
}

CASE(_exit__large)
{
	_exit(0x1234);
}

CASE(_Exit)
{
	_Exit(34);
}

CASE(quick_exit)
{
	quick_exit(32);
}

CASE(abort)
{
	abort();
}

CASE(syscall)
{
	long r;

	errno = 77;
	r = syscall(SYS_getppid);
	say("getppid %d errno %d\n", r == getppid(), errno);
	r = syscall(SYS_close, -1);
	failed((int)r);
	errno = 77;
	r = syscall(0x7fffff);
	failed((int)r);
}

CASE(syscall__six)
{
	/* Every one of mmap's six words matters. */
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *page = (char *)syscall(SYS_mmap, NULL, 4096L, (long)PROT_READ, (long)MAP_PRIVATE,
				     (long)fd, 4096L);
	char same[64];

	if (page == MAP_FAILED || pread(fd, same, sizeof same, 4096) != sizeof same)
		say("no page\n");
	else
		say("page %d\n", memcmp(page, same, sizeof same) == 0);
	munmap(page, 4096);
	close(fd);
}

CASE(syscall__exit_group)
{
	syscall(SYS_exit_group, 36);
}

CASE(syscall__execve)
{
	failed((int)syscall(SYS_execve, helper(), arguments, environ));
}

CASE(syscall__execve_fails)
{
	failed((int)syscall(SYS_execve, "/nonexistent/program", arguments, environ));
	failed((int)syscall(SYS_execve, nowhere, arguments, environ));
	failed((int)syscall(SYS_execve, helper(), nowhere, environ));
}

EXIT_CASE(err)
{
	errno = EACCES;
	err(37, "cannot %s %d", "open", 42);
}

EXIT_CASE(errx)
{
	errx(38, "cannot %s %d", "open", 42);
}

static void by_verr(int with_errno, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	errno = EACCES;
	if (with_errno)
		verr(39, format, ap);
	verrx(40, format, ap);
}

EXIT_CASE(verr)
{
	by_verr(1, "cannot %s %d", "open", 42);
}

EXIT_CASE(verrx)
{
	by_verr(0, "cannot %s %d", "open", 42);
}

CASE(daemon)
{
	int r;

	errno = 77;
	r = daemon(1, 1);
	dup2(2,
	     1); /* two processes go on now: each has its stream, so that no order is left open */
	say("daemon %d errno %d leader %d\n", r, errno, getsid(0) == getpid());
	_exit(41);
}

CASE(execve)
{
	failed(execve(helper(), arguments, environ));
}

CASE(execve__other_env)
{
	failed(execve(helper(), arguments, other_env));
}

CASE(execve__no_env)
{
	failed(execve(helper(), arguments, NULL));
}

CASE(execve__missing)
{
	failed(execve("/nonexistent/program", arguments, environ));
	failed(execve("", arguments, environ));
}

CASE(execve__directory)
{
	failed(execve("/tmp", arguments, environ));
}

CASE(execve__no_program)
{
	failed(execve("/etc/passwd", arguments, environ));
}

/* The kernel answers EFAULT: nobody before it may look there. */
CASE(execve__bad_path)
{
	failed(execve(nowhere, arguments, environ));
}

CASE(execve__bad_argv)
{
	failed(execve(helper(), nowhere, environ));
}

CASE(execve__bad_envp)
{
	failed(execve(helper(), arguments, nowhere));
}

CASE(execv)
{
	failed(execv(helper(), arguments));
}

CASE(execvp)
{
	failed(execvp("ctx_helper", arguments));
}

CASE(execvp__missing)
{
	failed(execvp("no-such-program-here", arguments));
	failed(execvp("/nonexistent/program", arguments));
	failed(execvp("", arguments));
}

/* Without a #! line the kernel refuses and execvp hands it to sh. */
CASE(execvp__script)
{
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s.script", helper());
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC, 0700);
	if (fd < 0 || write(fd, "echo script $1\nexit 43\n", 23) != 23)
		say("no script\n");
	close(fd);
	failed(execvp(path, arguments));
}

CASE(execvpe)
{
	failed(execvpe("ctx_helper", arguments, environ));
}

CASE(execl)
{
	failed(execl(helper(), "helper", "one", (char *)NULL));
}

CASE(execl__no_arguments)
{
	failed(execl(helper(), "helper", (char *)NULL));
}

CASE(execl__many_arguments)
{
	failed(execl(helper(), "helper", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11",
		     "12", "13", "14", "15", "16", "17", "18", "19", "20", (char *)NULL));
}

CASE(execlp)
{
	failed(execlp("ctx_helper", "helper", "one", "two", (char *)NULL));
}

CASE(execle)
{
	failed(execle(helper(), "helper", "one", (char *)NULL, environ));
}

CASE(execle__other_env)
{
	failed(execle(helper(), "helper", "1", "2", "3", "4", "5", "6", "7", (char *)NULL,
		      other_env));
}

CASE(fexecve)
{
	failed(fexecve(open(helper(), O_RDONLY | O_CLOEXEC), arguments, environ));
}

CASE(fexecve__bad_fd)
{
	failed(fexecve(-1, arguments, environ));
	failed(fexecve(999, arguments, environ));
}

#ifdef __GLIBC__
CASE(execveat)
{
	failed(execveat(AT_FDCWD, helper(), arguments, environ, 0));
}

CASE(execveat__empty_path)
{
	int fd = open(helper(), O_RDONLY | O_CLOEXEC);

	failed(execveat(fd, "", arguments, environ, AT_EMPTY_PATH));
}
#else
CASE_MISSING(execveat)
CASE_MISSING(execveat__empty_path)
#endif

static void spawned(int result, pid_t pid)
{
	int error = errno, status = 0;

	/* The new program's lines come first: it is gone before we tell. */
	if (!result && waitpid(pid, &status, 0) != pid)
		say("not waited for\n");
	say("spawn %d errno %d status %x\n", result, error, status);
}

CASE(posix_spawn)
{
	pid_t pid = -1;

	errno = 77;
	spawned(posix_spawn(&pid, helper(), NULL, NULL, arguments, environ), pid);
}

CASE(posix_spawnp)
{
	pid_t pid = -1;

	errno = 77;
	spawned(posix_spawnp(&pid, "ctx_helper", NULL, NULL, arguments, environ), pid);
}

CASE(posix_spawn__missing)
{
	pid_t pid = -1;
	int r = posix_spawn(&pid, "/nonexistent/program", NULL, NULL, arguments, environ);

	say("spawn %d\n", r);
}

CASE(posix_spawnp__missing)
{
	pid_t pid = -1;
	int r = posix_spawnp(&pid, "no-such-program-here", NULL, NULL, arguments, environ);

	say("spawn %d\n", r);
}

CASE(posix_spawn__actions)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addclose(&actions, 1);
	posix_spawn_file_actions_adddup2(&actions, 2, 1);
	errno = 77;
	spawned(posix_spawn(&pid, helper(), &actions, NULL, arguments, environ), pid);
	posix_spawn_file_actions_destroy(&actions);
}

CASE(setsid)
{
	pid_t r;

	errno = 77;
	r = setsid();
	say("setsid %d errno %d leader %d\n", r > 0, errno, getsid(0) == getpid());
}

CASE(setsid__twice)
{
	setsid();
	failed(setsid());
}

CASE(prctl)
{
	char name[17] = "";
	int r;

	errno = 77;
	r = prctl(PR_SET_NAME, "renamed");
	prctl(PR_GET_NAME, name);
	say("prctl %d errno %d name %s\n", r, errno, name);
	say("dumpable %d\n", prctl(PR_GET_DUMPABLE));
	say("subreaper %d\n", prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L));
}

CASE(prctl__invalid)
{
	failed(prctl(0x7fff, 1L, 2L, 3L, 4L));
	failed(prctl(PR_SET_NO_NEW_PRIVS, 7L, 0L, 0L, 0L));
	failed(prctl(PR_SET_SECCOMP, 99L, 0L, 0L, 0L));
}

CASE(prctl__seccomp)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};
	int r = prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);

	errno = 77;
	say("no_new_privs %d seccomp %d errno %d\n", r,
	    prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &program), errno);
}
