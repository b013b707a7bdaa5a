/*
 * Ends that follow something that the end sentence names, and ends where it must not name it; the
 * first argument says which, the second the exit code (1).
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static struct sockaddr_in address;

static struct sockaddr *any(void)
{
	return (struct sockaddr *)&address;
}

/* A socket bound to the address, which gets a free port where it has none. */
static int bound(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	socklen_t len = sizeof address;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(s, any(), sizeof address) || getsockname(s, any(), &len))
		_exit(9);
	return s;
}

static int listener(void)
{
	int s = bound();

	if (listen(s, 4))
		_exit(9);
	return s;
}

static int attempt(int flags)
{
	int s = socket(AF_INET, SOCK_STREAM | flags, 0);

	if (connect(s, any(), sizeof address) == 0)
		errno = 0;
	return s;
}

/* The port stays bound, so nobody else listens there. */
static void by_refusal(void)
{
	bound();
	attempt(0);
	if (errno != ECONNREFUSED)
		_exit(9);
}

static int wait_for_it(void)
{
	struct pollfd p = {.events = POLLOUT};

	bound();
	p.fd = attempt(SOCK_NONBLOCK);
	poll(&p, 1, 5000);
	return p.fd;
}

static void by_asking(void)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(wait_for_it(), SOL_SOCKET, SO_ERROR, &error, &len) || error != ECONNREFUSED)
		_exit(9);
}

static void by_trying_again(void)
{
	if (connect(wait_for_it(), any(), sizeof address) == 0 || errno != ECONNREFUSED)
		_exit(9);
}

/* As hiredis does it: the answer came by connect, and SO_ERROR has none any more. */
static void by_trying_and_asking(void)
{
	socklen_t len = sizeof(int);
	int s = wait_for_it(), error = 1;

	if (connect(s, any(), sizeof address) == 0 || errno != ECONNREFUSED ||
	    getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len) || error)
		_exit(9);
}

static void by_path(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/db.sock"};

	if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof a) == 0)
		_exit(9);
}

static void by_retry(void)
{
	int s = bound();

	attempt(0);
	listen(s, 4);
	attempt(0);
	if (errno)
		_exit(9);
}

static void by_other_success(void)
{
	int s;

	by_refusal();
	memset(&address, 0, sizeof address);
	s = listener();
	attempt(0);
	if (errno)
		_exit(9);
	close(s);
}

/* A broadcast address is refused to those that did not ask for it. */
static void by_probe(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};

	a.sin_addr.s_addr = htonl(INADDR_BROADCAST);
	if (connect(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&a, sizeof a) == 0)
		_exit(9);
}

static void by_bind(void)
{
	listener();
	if (bind(socket(AF_INET, SOCK_STREAM, 0), any(), sizeof address) == 0)
		_exit(9);
}

static void by_binds(void)
{
	listener();
	for (int i = 0; i < 12; i++)
		if (bind(socket(AF_INET, SOCK_STREAM, 0), any(), sizeof address) == 0)
			_exit(9);
}

static void by_listen(void)
{
	int a = bound(), b = bound();

	if (listen(a, 4) || listen(b, 4) == 0)
		_exit(9);
}

/* The server's loop is over, and its socket closed. */
static void by_deaf(void)
{
	close(listener());
}

static void by_deaf_moved(void)
{
	int s = listener();

	if (dup(s) < 0)
		_exit(9);
	close(s);
}

static void by_missing(void)
{
	if (open("/nonexistent/app.conf", O_RDONLY) >= 0)
		_exit(9);
}

static void by_missing_at(void)
{
	if (openat(AT_FDCWD, "app.nonexistent", O_RDONLY) >= 0)
		_exit(9);
}

static void by_missing_stream(void)
{
	FILE *f = fopen("/nonexistent/app.conf", "r");

	if (f) {
		fclose(f);
		_exit(9);
	}
}

static void by_folder(void)
{
	if (open("/tmp", O_WRONLY) >= 0)
		_exit(9);
}

static void by_long_ago(void)
{
	struct timespec t = {0, 200000000};

	by_missing();
	nanosleep(&t, NULL);
}

static void by_search(void)
{
	static const char *const paths[] = {
		"/usr/lib/nonexistent/x.conf", "/lib/nonexistent.so.6",
		"/nonexistent/locale/de/x.mo", "./nonexistent.so",
		"/proc/nonexistent",	       "/nonexistent/site-packages/x.py",
		"/run/host/userdb/nobody.user"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (open(paths[i], O_RDONLY) >= 0)
			_exit(9);
}

/* cp looks in this way whether its target is a folder. */
static void by_look(void)
{
	if (open("/nonexistent/target", O_PATH | O_DIRECTORY) >= 0)
		_exit(9);
}

static void by_second_place(void)
{
	if (open("/nonexistent/passwd", O_RDONLY) >= 0 || open("/etc/passwd", O_RDONLY) < 0)
		_exit(9);
}

static void by_exclusion(void)
{
	if (open("/etc/passwd", O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0)
		_exit(9);
}

/* The mode comes through, whatever the machine makes of further arguments. */
static void by_mode(void)
{
	char name[64];
	struct stat st;

	snprintf(name, sizeof name, "/tmp/v_rules.%d", (int)getpid());
	umask(0);
	if (fstat(open(name, O_WRONLY | O_CREAT | O_EXCL, 0613), &st) || unlink(name) ||
	    (st.st_mode & 07777) != 0613)
		_exit(9);
	if (fstat(openat(AT_FDCWD, name, O_WRONLY | O_CREAT | O_EXCL, 0621), &st) || unlink(name) ||
	    (st.st_mode & 07777) != 0621)
		_exit(9);
}

static void by_both(void)
{
	by_refusal();
	by_missing();
}

static void by_look_up(void)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found;

	if (getaddrinfo("db.nonexistent", "5432", &hints, &found) == 0)
		_exit(9);
}

static char *words[] = {"program", NULL};

static void by_exec(void)
{
	execv("/nonexistent/program", words);
}

static void by_spawn(void)
{
	pid_t pid;

	posix_spawn(&pid, "/nonexistent/program", NULL, NULL, words, environ);
}

static void by_second_spawn(void)
{
	pid_t pid;

	posix_spawn(&pid, "/nonexistent/true", NULL, NULL, words, environ);
	if (posix_spawn(&pid, "/bin/true", NULL, NULL, words, environ))
		_exit(9);
	waitpid(pid, NULL, 0);
}

/* In a child's failure the parent has no part, whoever's memory it was in. */
static void by_vfork(void)
{
	bound();
	pid_t child = vfork();

	if (child == 0) {
		if (connect(socket(AF_INET, SOCK_STREAM, 0), any(), sizeof address) == 0 ||
		    open("/nonexistent/app.conf", O_RDONLY) >= 0)
			_exit(9);
		execv("/nonexistent/program", words);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* What the parent remembers stays as it was, though a child fails, or succeeds, in its memory. */
static void by_vfork_after(void)
{
	by_refusal();
	pid_t child = vfork();

	if (child == 0)
		_exit(connect(-1, any(), sizeof address) == 0);
	waitpid(child, NULL, 0);
}

static void by_vfork_after_missing(void)
{
	if (open("/nonexistent/passwd", O_RDONLY) >= 0)
		_exit(9);
	pid_t child = vfork();

	if (child == 0)
		_exit(open("/etc/passwd", O_RDONLY) < 0);
	waitpid(child, NULL, 0);
}

static void by_fork(void)
{
	pid_t child = fork();

	if (child == 0) {
		by_refusal();
		_exit(3);
	}
	waitpid(child, NULL, 0);
}

/* And the child none in its parent's. */
static void by_parent(void)
{
	by_refusal();
	pid_t child = fork();

	if (child == 0)
		_exit(3);
	waitpid(child, NULL, 0);
}

static void by_input(void)
{
	char c;

	close(0);
	if (open("/dev/null", O_RDONLY) != 0 || read(0, &c, 1) != 0)
		_exit(9);
}

static void by_input_and_failure(void)
{
	by_input();
	by_refusal();
}

static void by_failure_and_input(void)
{
	by_refusal();
	by_input();
}

/* A child that lives until this process is gone. */
static void leave_child(void)
{
	int p[2];
	char c;

	if (pipe(p))
		_exit(9);
	if (fork() == 0) {
		close(p[1]);
		_exit(read(p[0], &c, 1) == 0 ? 0 : 9);
	}
	close(p[0]);
}

static void by_children(void)
{
	leave_child();
	leave_child();
}

static void fail_late(void)
{
	by_missing_at();
	by_refusal();
}

/* Exit handlers come behind the decision: their failures do not count. */
static void by_exit_handler(void)
{
	atexit(fail_late);
	by_path();
	by_missing();
}

static void by_late_failure(void)
{
	atexit(fail_late);
}

static void *in_thread(void *unused)
{
	leave_child();
	for (;;)
		pause();
	return unused;
}

static void by_thread_s_child(void)
{
	struct timespec t = {0, 1000000};
	siginfo_t info = {.si_pid = 1};
	pthread_t thread;

	pthread_create(&thread, NULL, in_thread, NULL);
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
		nanosleep(&t, NULL);
}

static void by_dead_child(void)
{
	siginfo_t info;

	if (fork() == 0)
		_exit(0);
	waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
}

static void by_reaped_child(void)
{
	if (fork() == 0)
		_exit(0);
	wait(NULL);
}

/* su, which does without /etc/default/locale. */
static void by_missing_then_child(void)
{
	if (open("/nonexistent/app.conf", O_RDONLY) >= 0)
		_exit(9);
	if (fork() == 0)
		_exit(4);
	wait(NULL);
}

static void handle(int sig)
{
	(void)sig;
}

static void by_signal(void)
{
	signal(SIGTERM, handle);
	raise(SIGTERM);
	by_refusal();
}

static void by_abort(void)
{
	by_refusal();
	abort();
}

static void by_nothing(void)
{
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {{"refusal", by_refusal},
		     {"asking", by_asking},
		     {"trying_again", by_trying_again},
		     {"trying_and_asking", by_trying_and_asking},
		     {"path", by_path},
		     {"retry", by_retry},
		     {"other_success", by_other_success},
		     {"probe", by_probe},
		     {"bind", by_bind},
		     {"binds", by_binds},
		     {"listen", by_listen},
		     {"deaf", by_deaf},
		     {"deaf_moved", by_deaf_moved},
		     {"missing", by_missing},
		     {"missing_at", by_missing_at},
		     {"missing_stream", by_missing_stream},
		     {"folder", by_folder},
		     {"long_ago", by_long_ago},
		     {"search", by_search},
		     {"look", by_look},
		     {"second_place", by_second_place},
		     {"exclusion", by_exclusion},
		     {"both", by_both},
		     {"look_up", by_look_up},
		     {"exec", by_exec},
		     {"spawn", by_spawn},
		     {"second_spawn", by_second_spawn},
		     {"mode", by_mode},
		     {"vfork", by_vfork},
		     {"vfork_after", by_vfork_after},
		     {"vfork_after_missing", by_vfork_after_missing},
		     {"fork", by_fork},
		     {"parent", by_parent},
		     {"input", by_input},
		     {"input_and_failure", by_input_and_failure},
		     {"failure_and_input", by_failure_and_input},
		     {"exit_handler", by_exit_handler},
		     {"late_failure", by_late_failure},
		     {"child", leave_child},
		     {"children", by_children},
		     {"thread_s_child", by_thread_s_child},
		     {"dead_child", by_dead_child},
		     {"reaped_child", by_reaped_child},
		     {"missing_then_child", by_missing_then_child},
		     {"signal", by_signal},
		     {"abort", by_abort},
		     {"nothing", by_nothing},
		     {"placeholder", by_nothing}};

	/* A word to stdout: whoever says nothing at all is asked for. */
	if (argc > 1 && strcmp(argv[1], "placeholder") != 0 && write(1, "rules\n", 6) != 6)
		return 9;
	for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++)
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return argc > 2 ? atoi(argv[2]) : 1;
		}
	return 8;
}
