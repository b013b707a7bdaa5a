/*
 * Ends whose cause has a sentence of its own; the first argument says which.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void wait_for_the_end(void)
{
	for (;;)
		pause();
}

static void by_alarm(void)
{
	ualarm(1000, 0);
	wait_for_the_end();
}

static void by_value(void)
{
	union sigval value = {.sival_int = 4711};

	sigqueue(getpid(), SIGTERM, value);
}

static void by_raised_pipe(void)
{
	kill(getpid(), SIGPIPE);
}

static void by_wild_address(void)
{
	volatile int *volatile wild = (volatile int *)0x5555555555555555;

	*wild = 1;
}

static void by_alarm_seconds(void)
{
	alarm(1);
	wait_for_the_end();
}

static void by_setitimer(void)
{
	struct itimerval soon = {{0, 0}, {0, 1000}};

	setitimer(ITIMER_REAL, &soon, NULL);
	wait_for_the_end();
}

static void by_setitimer_prof(void)
{
	struct itimerval soon = {{0, 0}, {0, 1000}};

	setitimer(ITIMER_PROF, &soon, NULL);
	for (;;)
		;
}

static void by_timer(void)
{
	struct sigevent event;
	struct itimerspec soon = {{0, 0}, {0, 1000000}};
	timer_t timer;

	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGUSR1;
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
		timer_settime(timer, 0, &soon, NULL);
	wait_for_the_end();
}

static void by_cpu_limit(void)
{
	struct rlimit limit = {1, 5};

	setrlimit(RLIMIT_CPU, &limit);
	for (;;)
		;
}

static void by_file_limit(void)
{
	struct rlimit limit = {4096, 4096};
	char name[] = "/tmp/v_causes.XXXXXX", page[8192] = {0};
	int fd = mkstemp(name);

	unlink(name);
	setrlimit(RLIMIT_FSIZE, &limit);
	for (int i = 0; i < 2; i++)
		if (write(fd, page, sizeof page) < 0)
			return;
}

static void by_pipe(void)
{
	int p[2];

	if (pipe(p) || dup2(p[1], 30) != 30 || close(p[0]) || close(p[1]) || write(30, "x", 1) != 1)
		return;
}

static void by_stdout(void)
{
	int p[2];

	if (pipe(p) || dup2(p[1], 1) != 1 || close(p[0]) || close(p[1]))
		return;
	puts("nobody reads this");
	fflush(stdout);
}

static void by_socket(void)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) || close(s[0]) || send(s[1], "x", 1, 0) != 1)
		return;
}

/* The child, which asked for it, gets SIGTERM when its parent ends; its own parent is a third. */
static void by_parent_s_death(void)
{
	int ready[2];
	char c;

	if (pipe(ready))
		return;
	if (fork() == 0) {
		/* the middle one */
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			if (write(ready[1], "x", 1) != 1)
				_exit(9);
			wait_for_the_end();
		}
		if (read(ready[0], &c, 1) != 1)
			_exit(9);
		_exit(0);
	}
	close(ready[1]);
	wait(NULL);
	while (read(ready[0], &c, 1) > 0) /* until the grandchild is gone, too */
		;
	exit(0);
}

static volatile int depth;

/* By a pointer, so that no compiler sees that it never ends. */
static int (*volatile next)(int);

static int deeper(int n)
{
	volatile char frame[4096];

	frame[0] = (char)n;
	depth = n;
	return next(n + 1) + frame[0];
}

static void by_recursion(void)
{
	next = deeper;
	next(0);
}

static void *with_alternate_stack(void *unused)
{
	static char own[65536];
	stack_t s = {.ss_sp = own, .ss_size = sizeof own};

	sigaltstack(&s, NULL);
	next = deeper;
	next(0);
	return unused;
}

static void by_recursion_in_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, with_alternate_stack, NULL) == 0)
		pthread_join(thread, NULL);
}

/* What sigaltstack tells, before and after one of the program's own. */
static void by_alternate_stack(void)
{
	static char own[16384];
	stack_t s = {.ss_sp = own, .ss_size = sizeof own}, none = {.ss_flags = SS_DISABLE}, now;

	memset(&now, 0x55, sizeof now);
	printf("%d", sigaltstack(NULL, &now));
	printf(" %p %d %zu\n", now.ss_sp, now.ss_flags, now.ss_size);
	printf("%d", sigaltstack(&s, &now));
	printf(" %p %d %zu\n", now.ss_sp, now.ss_flags, now.ss_size);
	printf("%d", sigaltstack(&none, &now));
	printf(" %d %d %zu\n", now.ss_sp == own, now.ss_flags, now.ss_size);
	printf("%d", sigaltstack(NULL, &now));
	printf(" %p %d %zu\n", now.ss_sp, now.ss_flags, now.ss_size);
}

static void tell_stack(int sig)
{
	char here;
	stack_t now;

	sigaltstack(NULL, &now);
	printf("signal %d, alternate %d, on the main stack %d\n", sig, now.ss_flags,
	       (size_t)(&here - (char *)__builtin_frame_address(0)) < 65536 ||
		       (size_t)((char *)__builtin_frame_address(0) - &here) < 65536);
}

/* SA_ONSTACK without a stack of one's own: the handler runs on the usual one. */
static void by_onstack(void)
{
	struct sigaction a;
	char here;

	memset(&a, 0, sizeof a);
	a.sa_handler = tell_stack;
	a.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGSEGV, &a, NULL);
	here = (char)raise(SIGUSR1);
	here = (char)(here + raise(SIGSEGV));
	printf("%d\n", here);
}

/* As node and redis do: what a handler is done with takes its default way. */
static void pass_on(int sig)
{
	signal(sig, SIG_DFL);
	raise(sig);
}

static void by_passed_on(void)
{
	signal(SIGTERM, pass_on);
	if (fork() == 0) {
		kill(getppid(), SIGTERM);
		_exit(0);
	}
	for (;;)
		pause();
}

static void by_mapping(void);

/* Handlers that end the process; the kernel tells the first kind what happened. */
static void told(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	exit(4);
}

static void untold(int sig)
{
	(void)sig;
	exit(5); /* NOLINT(bugprone-signal-handler,cert-sig30-c): as programs do */
}

static void pass_on_now(int sig, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	signal(sig, SIG_DFL);
	raise(sig);
}

static void nothing(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
}

static void handle(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	sigaction(sig, &action, NULL);
}

static void by_handler_of_fault(void)
{
	handle(SIGSEGV, told, 0);
	by_mapping();
}

static void by_handler_reset(void)
{
	handle(SIGSEGV, told, (int)SA_RESETHAND);
	by_mapping();
}

static void by_handler_untold(void)
{
	signal(SIGSEGV, untold);
	by_mapping();
}

static void by_handler_passing_on(void)
{
	handle(SIGSEGV, pass_on_now, SA_NODEFER);
	by_mapping();
}

static void by_handler_of_alarm(void)
{
	handle(SIGALRM, told, 0);
	by_alarm();
}

/* What the kernel told of the first signal still lies on the stack. */
static void by_handler_stale(void)
{
	handle(SIGUSR1, nothing, 0);
	signal(SIGALRM, untold);
	raise(SIGUSR1);
	raise(SIGALRM);
}

static void begin_to_end(int sig)
{
	(void)sig;
	ualarm(1000, 0); /* NOLINT(bugprone-signal-handler,cert-sig30-c): a system call */
}

static void by_handler_after_signal(void)
{
	handle(SIGALRM, told, 0);
	signal(SIGTERM, begin_to_end);
	if (fork() == 0) {
		kill(getppid(), SIGTERM);
		_exit(0);
	}
	wait_for_the_end();
}

static void by_mapping(void)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*(volatile char *)page = 1;
}

static void by_fault_passed_on(void)
{
	signal(SIGSEGV, pass_on);
	by_mapping();
}

static void by_nowhere(void)
{
	char *page = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(page + 4096, 4096);
	*(volatile char *)(page + 5000) = 1;
}

static void by_assert(void)
{
	assert(depth == 1);
}

static void by_heap_check(void)
{
	char *volatile p = malloc(40);

	free(p);
	free(p); /* NOLINT: on purpose */
}

static void by_signalfd(void)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, 0);
	if (fork() == 0) {
		kill(getppid(), SIGTERM);
		_exit(0);
	}
	if (read(fd, &info, sizeof info) != sizeof info)
		exit(9);
	exit((int)info.ssi_signo);
}

static pid_t victim(int sig)
{
	pid_t child = fork();

	if (child == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		signal(sig, SIG_DFL);
		/* by a raw call in the child itself: nobody but the reaper can tell */
		kill(getpid(), sig);
		_exit(0);
	}
	return child;
}

/* Children that die of a signal, reaped by every function that reaps. */
static void by_reaping(void)
{
	siginfo_t info;
	int status;
	pid_t child;

	victim(SIGKILL);
	if (wait(NULL) < 0)
		exit(9);
	child = victim(SIGKILL);
	waitpid(child, &status, 0);
	victim(SIGKILL);
	wait3(NULL, 0, NULL);
	child = victim(SIGKILL);
	wait4(child, NULL, 0, NULL);
	child = victim(SIGTERM);
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	waitid(P_PID, (id_t)child, &info, WEXITED);
	child = fork();
	if (child == 0)
		wait_for_the_end();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (fork() == 0)
		_exit(3);
	wait(&status);
	exit(WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} causes[] = {{"alarm", by_alarm},
		      {"alarm_seconds", by_alarm_seconds},
		      {"value", by_value},
		      {"raised_pipe", by_raised_pipe},
		      {"wild_address", by_wild_address},
		      {"setitimer", by_setitimer},
		      {"setitimer_prof", by_setitimer_prof},
		      {"timer_create", by_timer},
		      {"cpu_limit", by_cpu_limit},
		      {"file_limit", by_file_limit},
		      {"pipe", by_pipe},
		      {"stdout", by_stdout},
		      {"socket", by_socket},
		      {"pdeathsig", by_parent_s_death},
		      {"recursion", by_recursion},
		      {"recursion_in_thread", by_recursion_in_thread},
		      {"sigaltstack", by_alternate_stack},
		      {"onstack", by_onstack},
		      {"passed_on", by_passed_on},
		      {"fault_passed_on", by_fault_passed_on},
		      {"handler_of_fault", by_handler_of_fault},
		      {"handler_reset", by_handler_reset},
		      {"handler_untold", by_handler_untold},
		      {"handler_passing_on", by_handler_passing_on},
		      {"handler_of_alarm", by_handler_of_alarm},
		      {"handler_stale", by_handler_stale},
		      {"handler_after_signal", by_handler_after_signal},
		      {"mapping", by_mapping},
		      {"nowhere", by_nowhere},
		      {"assert", by_assert},
		      {"heap_check", by_heap_check},
		      {"signalfd", by_signalfd},
		      {"reaping", by_reaping}};

	for (size_t i = 0; argc > 1 && i < sizeof causes / sizeof *causes; i++)
		if (strcmp(argv[1], causes[i].name) == 0)
			causes[i].run();
	return 0;
}
