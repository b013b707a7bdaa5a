/* The cases of children's hooks, of reads, and of assert; what a case is says cases.h.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

#define NO_FORK "a fork in a vfork child runs libc's own handlers on its parent's memory"

/* A child that ends with a code, or by a signal. */
static pid_t child(int code, int sig)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (sig)
			kill(getpid(), sig);
		_exit(code);
	}
	return pid;
}

static void told(const char *what, int r, int right, int status)
{
	say("%s %d errno %d status %x\n", what, right, r < 0 ? errno : 0, (unsigned int)status);
}

CASE_BUT_VFORK(fork, NO_FORK)
{
	int status = 0;
	pid_t pid;

	errno = 77;
	pid = fork();
	if (pid == 0)
		_exit(getppid() > 0 ? 21 : 22);
	say("fork %d errno %d\n", pid > 0, errno);
	waitpid(pid, &status, 0);
	say("status %x\n", (unsigned int)status);
}

static int ends_with_23(void *arg)
{
	_exit(arg ? 23 : 24);
}

static void reaped(pid_t pid)
{
	int status = 0;
	int error = errno;

	waitpid(pid, &status, 0);
	say("child %d errno %d status %x\n", pid > 0, error, (unsigned int)status);
}

CASE_BUT_VFORK(clone, NO_FORK)
{
	static char stack[65536] __attribute__((aligned(16)));

	errno = 77;
	reaped(clone(ends_with_23, stack + sizeof stack, SIGCHLD, stack));
	errno = 77;
	reaped(clone(ends_with_23, stack + sizeof stack, SIGCHLD | CLONE_VM | CLONE_VFORK, stack));
}

#ifdef __GLIBC__
#define HAS__FORK __GLIBC_PREREQ(2, 34)
#else
#define HAS__FORK 0
#endif
#if HAS__FORK
CASE_BUT_VFORK(_Fork, NO_FORK)
{
	errno = 77;
	pid_t pid = _Fork();
	if (pid == 0)
		_exit(25);
	reaped(pid);
}
#else
CASE_MISSING(_Fork)
#endif

CASE_BUT_VFORK(wait, NO_FORK)
{
	int status = 0;
	pid_t pid = child(23, 0);
	int r = wait(&status);

	told("wait", r, r == pid, status);
	child(0, SIGKILL);
	r = wait(NULL);
	told("null", r, r > 0, 0);
	r = wait(&status);
	told("none", r, r, 0);
}

CASE_BUT_VFORK(waitpid, NO_FORK)
{
	int status = 0;
	pid_t pid = child(0, SIGKILL);
	int r = waitpid(pid, &status, 0);

	told("killed", r, r == pid, status);
	pid = child(24, 0);
	r = waitpid(-1, NULL, 0);
	told("any", r, r == pid, 0);
	r = waitpid(pid, &status, WNOHANG);
	told("gone", r, r, 0);
	r = waitpid(pid, &status, 0x40404040);
	told("options", r, r, 0);
}

CASE_BUT_VFORK(wait3, NO_FORK)
{
	struct rusage usage;
	int status = 0;
	pid_t pid = child(0, SIGTERM);
	int r = wait3(&status, 0, &usage);

	told("wait3", r, r == pid, status);
}

CASE_BUT_VFORK(wait4, NO_FORK)
{
	struct rusage usage;
	int status = 0;
	pid_t pid = child(25, 0);
	int r = wait4(pid, &status, 0, &usage);

	told("wait4", r, r == pid, status);
	pid = child(0, SIGKILL);
	r = wait4(pid, NULL, 0, NULL);
	told("null", r, r == pid, 0);
}

CASE_BUT_VFORK(waitid, NO_FORK)
{
	siginfo_t info;
	pid_t pid = child(26, 0);

	memset(&info, 0, sizeof info);
	int r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	say("peek %d %d code %d status %d\n", r, info.si_pid == pid, info.si_code, info.si_status);
	r = waitid(P_PID, (id_t)pid, &info, WEXITED);
	say("take %d %d code %d status %d\n", r, info.si_pid == pid, info.si_code, info.si_status);
	pid = child(0, SIGKILL);
	r = waitid(P_ALL, 0, &info, WEXITED);
	say("killed %d %d code %d status %d\n", r, info.si_pid == pid, info.si_code,
	    info.si_status);
	r = waitid(P_ALL, 0, &info, WEXITED);
	say("none %d errno %d\n", r, errno);
}

/* Bytes to read on a descriptor, 0 included: the end of it behind them. */
static void feed(int fd)
{
	int p[2];

	if (pipe(p) || write(p[1], "0123456789", 10) != 10 || dup2(p[0], fd) != fd)
		say("no pipe\n");
	close(p[1]);
	if (p[0] != fd)
		close(p[0]);
}

static void *volatile nowhere = (void *)8;
static volatile int negative = -1;

CASE(read)
{
	char buf[16] = "";

	for (int fd = 0; fd < 60; fd += 50) {
		feed(fd);
		errno = 77;
		int r = (int)read(fd, buf, 4);
		say("read %d errno %d %.4s\n", r, errno, buf);
		r = (int)read(fd, buf, 0);
		say("nothing %d\n", r);
		r = (int)read(fd, nowhere, 1);
		say("nowhere %d errno %d\n", r, errno);
		r = (int)read(fd, buf, sizeof buf);
		say("rest %d %.6s\n", r, buf);
		r = (int)read(fd, buf, sizeof buf);
		say("end %d\n", r);
		close(fd);
		r = (int)read(fd, buf, 1);
		say("closed %d errno %d\n", r, errno);
	}
}

CASE(readv)
{
	char a[3], b[16];
	struct iovec parts[] = {{a, sizeof a}, {b, sizeof b}};

	for (int fd = 0; fd < 60; fd += 50) {
		feed(fd);
		int r = (int)readv(fd, parts, 2);
		say("readv %d %.3s %.7s\n", r, a, b);
		r = (int)readv(fd, parts, 2);
		say("end %d\n", r);
		r = (int)readv(fd, NULL, 0);
		say("none %d\n", r);
		r = (int)readv(fd, parts, negative);
		say("negative %d errno %d\n", r, errno);
		close(fd);
	}
}

#if defined(__GLIBC__)
ssize_t __read_chk(int fd, void *buf, size_t size, size_t room);

CASE(__read_chk)
{
	char buf[16] = "";

	feed(0);
	int r = (int)__read_chk(0, buf, 4, sizeof buf);
	say("read %d %.4s\n", r, buf);
	/* more than there is room for: libc aborts */
	r = (int)__read_chk(0, buf, 17, sizeof buf);
	say("not reached %d\n", r);
}
#else
CASE_MISSING(__read_chk)
#endif

CASE(__assert_fail)
{
	volatile int zero = 0;

	assert(zero == 1);
}

static void *thread_body(void *arg)
{
	*(int *)arg += 40;
	return arg;
}

/* In a handler or a vfork child no libc promises it. */
CASE_BUT(pthread_create, [CONTEXT_SIGNAL] = "not for signal handlers",
	 [CONTEXT_VFORK] = "a thread of a vfork child is in its parent's memory")
{
	int number = 2;
	void *result = NULL;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	errno = 77;
	r = pthread_create(&thread, NULL, thread_body, &number);
	say("created %d errno %d\n", r, errno);
	r = pthread_join(thread, &result);
	say("joined %d %d %d\n", r, result == &number, number);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)1 << 60);
	r = pthread_create(&thread, &attr, thread_body, &number);
	say("too large a stack %d\n", r != 0);
	pthread_attr_destroy(&attr);
}
