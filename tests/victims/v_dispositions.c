/*
 * What a program can see of its dispositions, and what becomes of a signal where there is little
 * stack. All is printed: bare and under the shim it must be the same.
 *
 *   v_dispositions masks|context|small_stack SIGNAL|no_room|one_shot
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void plain(int sig)
{
	(void)sig;
}

static stack_t seen;

static void looks(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info;
	seen = ((ucontext_t *)context)->uc_stack;
}

static void print(int sig)
{
	struct sigaction a;
	uint64_t mask;

	sigaction(sig, NULL, &a);
	memcpy(&mask, &a.sa_mask, sizeof mask);
	printf("%d: %s %x %llx\n", sig,
	       a.sa_handler == plain	 ? "plain"
	       : a.sa_handler == SIG_ERR ? "error"
					 : "other",
	       (unsigned int)a.sa_flags, (unsigned long long)mask);
}

static void masks(void)
{
	struct sigaction a = {.sa_handler = plain};

	for (int sig = 1; sig < 32; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		sigfillset(&a.sa_mask); /* the kernel takes SIGKILL and SIGSTOP out */
		sigaction(sig, &a, NULL);
		print(sig);
		errno = 0;
		printf("%d", signal(sig, SIG_ERR) == SIG_ERR);
		printf(" %d\n", errno);
		print(sig);
		errno = 0;
		printf("%d", sigset(sig, SIG_ERR) == SIG_ERR);
		printf(" %d\n", errno);
		print(sig);
		signal(sig, SIG_DFL);
	}
}

static void context(void)
{
	struct sigaction a = {.sa_sigaction = looks, .sa_flags = SA_SIGINFO};

	sigaction(SIGTERM, &a, NULL);
	for (int i = 0; i < 2; i++) {
		raise(SIGTERM);
		printf("%p %zu\n", seen.ss_sp, seen.ss_size);
	}
}

static void small_stack(int sig)
{
	stack_t s = {.ss_sp = malloc(2048), .ss_size = 2048};

	printf("%d\n", sigaltstack(&s, NULL));
	fflush(stdout);
	raise(sig);
}

/* A handled signal comes while the main thread is on a stack without room for a frame. */
static void no_room(void)
{
#ifdef __x86_64__
	static const char words[] = "survived\n";
	struct sigaction a = {.sa_handler = plain};
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(pages, 4096, PROT_NONE);
	sigaction(SIGTERM, &a, NULL);
	__asm__ volatile(
		"mov %0, %%rsp\n\tsyscall\n\t"
		"mov %1, %%eax\n\tmov $1, %%edi\n\tmov %2, %%rsi\n\tmov $9, %%edx\n\tsyscall\n\t"
		"mov %3, %%eax\n\txor %%edi, %%edi\n\tsyscall"
		:
		: "r"(pages + 4096 + 256), "i"(SYS_write), "r"(words), "i"(SYS_exit_group),
		  "a"(SYS_kill), "D"(getpid()), "S"(SIGTERM)
		: "rcx", "r11", "memory");
#else
	abort();
#endif
}

static atomic_int turn, done, told;
enum { TURNS = 5000 };

static void counts(int sig)
{
	(void)sig;
	told++;
}

static void set(int flags)
{
	struct sigaction a = {.sa_handler = counts, .sa_flags = flags};

	sigaction(SIGUSR1, &a, NULL);
}

static void *lasting(void *unused)
{
	for (int i = 1; i <= TURNS; i++) {
		while (turn < i)
			sched_yield();
		set(0);
		raise(SIGUSR1);
		done = i;
	}
	return unused;
}

/* One thread takes the signal of a handler that is good once, while another installs a lasting one
 * and then signals itself: none of the signals finds the default action. */
static void one_shot(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, lasting, NULL);
	for (int i = 1; i <= TURNS; i++) {
		set((int)SA_RESETHAND);
		turn = i;
		pthread_kill(pthread_self(), SIGUSR1);
		while (done < i)
			sched_yield();
	}
	pthread_join(thread, NULL);
	printf("%d\n", told);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (strcmp(how, "masks") == 0)
		masks();
	else if (strcmp(how, "context") == 0)
		context();
	else if (strcmp(how, "small_stack") == 0)
		small_stack(argc > 2 ? atoi(argv[2]) : SIGFPE);
	else if (strcmp(how, "no_room") == 0)
		no_room();
	else if (strcmp(how, "one_shot") == 0)
		one_shot();
	return 0;
}
