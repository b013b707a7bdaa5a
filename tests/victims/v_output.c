/* Ends with words in a buffer, and writes that fail: v_output HOW END.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

static void by_print(void)
{
	printf("words %d", 7);
	fputs(" and", stdout);
	putchar('!');
}

/* A buffer of the program's own. */
static void by_own_buffer(void)
{
	static char buffer[1 << 16];

	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	for (int i = 0; i < 900; i++)
		printf("line %d\n", i);
}

static void by_reopen(void)
{
	if (!freopen("/dev/stdout", "w", stdout))
		_exit(90);
	by_print();
}

static void by_other_stream(void)
{
	FILE *f = fdopen(1, "w");

	fputs("other", f);
}

/* A stream of the program's own, over a descriptor of its own. */
static FILE *own;

static void by_file(void)
{
	own = fopen("/dev/stdout", "w");
	if (!own || fputs("to a file", own) < 0)
		_exit(97);
}

static void by_file_closed(void)
{
	by_file();
	fclose(own);
}

static void by_file_forked(void)
{
	by_file();
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

/* The child's exit writes what the fork copied: the parent must not. */
static int exits(void *arg)
{
	(void)arg;
	exit(0);
}

static void by_file_cloned(void)
{
	static char stack[65536] __attribute__((aligned(16)));

	by_file();
	waitpid(clone(exits, stack + sizeof stack, SIGCHLD, NULL), NULL, 0);
}

static void by_file_forked_raw(void)
{
	by_file();
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		exit(0);
	waitpid(pid, NULL, 0);
}

/* What the fork copied was written since: the rest is the parent's alone. */
static void by_file_forked_flushed(void)
{
	by_file_forked();
	fflush(own);
	fputs(", more", own);
}

/* As a daemon does that closes every number it finds. */
static void by_file_replaced(void)
{
	by_file();
	int fd = fileno(own);

	close(fd);
	if (open("/dev/null", O_WRONLY) != fd)
		_exit(98);
}

static void by_file_again(void)
{
	by_file();
	own = freopen("/dev/stdout", "a", own);
	if (!own || fputs(", again", own) < 0)
		_exit(97);
}

/* The child must not write what its parent left in the buffer, nor the parent twice. */
static void by_fork(void)
{
	by_print();
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void by_fork_child_flushes(void)
{
	by_print();
	pid_t pid = fork();

	if (pid == 0)
		exit(0);
	waitpid(pid, NULL, 0);
}

static void on_signal(int sig)
{
	(void)sig;
	_exit(7);
}

static void by_handler(void)
{
	signal(SIGUSR1, on_signal);
	by_print();
	raise(SIGUSR1);
}

static void *holder(void *arg)
{
	flockfile(stdout);
	*(volatile int *)arg = 1;
	pause();
	return NULL;
}

static void by_locked(void)
{
	static volatile int held;
	pthread_t thread;

	by_print();
	pthread_create(&thread, NULL, holder, (void *)&held);
	while (!held)
		usleep(1000);
}

static void *waiter(void *all)
{
	pthread_barrier_wait(all);
	return NULL;
}

static void by_threads(void)
{
	static pthread_barrier_t all;
	pthread_t threads[3];

	pthread_barrier_init(&all, NULL, 4);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, waiter, &all);
	pthread_barrier_wait(&all);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

static void by_written(void)
{
	if (write(1, "plainly\n", 8) != 8 || write(2, "", 0) != 0)
		_exit(91);
}

/* One call of three parts, and a zero in its midst. */
static void by_parts(void)
{
	struct iovec parts[] = {{"one", 3}, {"\0", 1}, {"\xe2\x82\xac\n", 4}};

	if (writev(1, parts, 3) != 8)
		_exit(91);
}

/* Into a pipe that keeps each write apart: what the first one brought goes to the real stdout. */
static void by_line(void)
{
	int ends[2], real = dup(1);
	char got[64];

	if (pipe2(ends, O_DIRECT) != 0)
		_exit(95);
	dup2(ends[1], 1);
	puts("one write");
	fflush(stdout);
	long n = read(ends[0], got, sizeof got);
	if (n < 0 || write(real, got, (size_t)n) != n)
		_exit(96);
}

static void by_full_device(void)
{
	int fd = open("/dev/full", O_WRONLY);

	dup2(fd, 1);
	for (int i = 0; i < 3; i++)
		if (write(1, "lost", 4) >= 0)
			_exit(92);
	by_print();
	if (fflush(stdout) == 0 && errno == 0)
		_exit(93);
}

/* Each line is one failure of its own. */
static void by_full_device_lines(void)
{
	int fd = open("/dev/full", O_WRONLY);

	dup2(fd, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < 3; i++)
		if (printf("line %d\n", i) >= 0)
			_exit(92);
}

/* glibc's printf on such a stream fails before it looks at its arguments. */
static void by_wide(void)
{
#ifdef __GLIBC__
	int n = -1;

	fwide(stdout, 1);
	if (printf("a%nb", &n) >= 0 || n != -1)
		_exit(92);
#endif
}

static void by_closed(void)
{
	close(1);
	if (write(1, "lost", 4) >= 0)
		_exit(92);
	by_print();
}

static void by_no_reader(void)
{
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	if (pipe(ends) != 0)
		_exit(94);
	dup2(ends[1], 1);
	close(ends[0]);
	if (write(1, "lost", 4) >= 0)
		_exit(92);
	by_print();
}

/* With SIGPIPE's default: only the words in the buffer find no reader, at the end. */
static void by_reader_gone(void)
{
	int ends[2];

	if (pipe(ends) != 0)
		_exit(94);
	setvbuf(stdout, NULL, _IOFBF, 4096);
	fcntl(1, F_DUPFD, 10);
	dup2(ends[1], 1);
	if (getenv("KEEP"))
		by_print();
	close(ends[0]);
}

static void by_full_pipe(void)
{
	static char page[4096];
	int ends[2];

	if (pipe(ends) != 0)
		_exit(94);
	dup2(ends[1], 1);
	fcntl(1, F_SETFL, O_NONBLOCK);
	while (write(1, page, sizeof page) > 0)
		;
	fcntl(1, F_SETFL, 0);
	if (getenv("KEEP"))
		by_print();
}

static void by_size_limit(void)
{
	struct rlimit limit = {4, 4};
	char path[] = "/tmp/v_output.XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	dup2(fd, 1);
	if (write(1, "1234567", 7) != 4 || write(1, "x", 1) >= 0)
		_exit(92);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} hows[] = {{"print", by_print},
		    {"own_buffer", by_own_buffer},
		    {"reopen", by_reopen},
		    {"other_stream", by_other_stream},
		    {"fork", by_fork},
		    {"fork_child_flushes", by_fork_child_flushes},
		    {"handler", by_handler},
		    {"locked", by_locked},
		    {"file", by_file},
		    {"file_closed", by_file_closed},
		    {"file_forked", by_file_forked},
		    {"file_cloned", by_file_cloned},
		    {"file_forked_raw", by_file_forked_raw},
		    {"file_forked_flushed", by_file_forked_flushed},
		    {"file_replaced", by_file_replaced},
		    {"file_again", by_file_again},
		    {"threads", by_threads},
		    {"line", by_line},
		    {"written", by_written},
		    {"parts", by_parts},
		    {"full_device", by_full_device},
		    {"full_device_lines", by_full_device_lines},
		    {"wide", by_wide},
		    {"closed", by_closed},
		    {"no_reader", by_no_reader},
		    {"reader_gone", by_reader_gone},
		    {"full_pipe", by_full_pipe},
		    {"size_limit", by_size_limit}};

	for (size_t i = 0; argc > 2 && i < sizeof hows / sizeof *hows; i++)
		if (strcmp(argv[1], hows[i].name) == 0)
			hows[i].run();
	if (argc < 3)
		return 8;
	if (strcmp(argv[2], "_exit") == 0)
		_exit(3);
	if (strcmp(argv[2], "quick_exit") == 0)
		quick_exit(4);
	if (strcmp(argv[2], "abort") == 0)
		abort();
	if (strcmp(argv[2], "TERM") == 0)
		kill(getpid(), SIGTERM);
	if (strcmp(argv[2], "KILL") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(argv[2], "exec") == 0)
		execl("/bin/true", "true", (char *)NULL);
	return 5;
}
