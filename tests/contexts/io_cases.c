/* The cases of files and sockets; what a case is says cases.h. SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cases.h"

/* volatile, so that neither the compiler nor a checked header sees what is wrong with it. */
static void *volatile nowhere = (void *)8;
static volatile int negative = -1;

static void tell(const char *what, int fd)
{
	int error = errno;

	say("%s %s errno %d\n", what, fd >= 0 ? "yes" : "no", error);
	if (fd >= 0)
		close(fd);
}

/* Made with a mode, and read back: whether the third word came through. */
static void made(int fd)
{
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		say("mode %o\n", (unsigned int)st.st_mode & 07777u);
	else
		say("not made, errno %d\n", errno);
	close(fd);
}

static const char *fresh(void)
{
	static char name[64];
	static int n;

	snprintf(name, sizeof name, "/tmp/io_cases.%d.%d", (int)getpid(), n++);
	umask(0);
	return name;
}

/* The same calls for each of the four: opener is a macro of path, flags and perhaps a mode. */
#define OPENS(opener)                                                                              \
	do {                                                                                       \
		const char *name = fresh();                                                        \
		errno = 77;                                                                        \
		tell("good", opener("/dev/null", O_RDWR));                                         \
		tell("missing", opener("/nonexistent/file", O_RDONLY));                            \
		tell("empty", opener("", O_RDONLY));                                               \
		tell("nowhere", opener(nowhere, O_RDONLY));                                        \
		tell("folder", opener("/tmp", O_WRONLY));                                          \
		made(opener(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0613));                 \
		tell("again", opener(name, O_WRONLY | O_CREAT | O_EXCL, 0600));                    \
		tell("good after that", opener(name, O_WRONLY));                                   \
		unlink(name);                                                                      \
		tell("missing after that", opener(name, O_WRONLY));                                \
		made(opener("/tmp", O_WRONLY | O_TMPFILE, 0624));                                  \
		errno = 77;                                                                        \
		tell("good again", opener("/dev/null", O_RDONLY));                                 \
	} while (0)

#define AT(call, path, ...) call(AT_FDCWD, path, __VA_ARGS__)

CASE(open)
{
	OPENS(open);
}

#define OPENAT(path, ...) AT(openat, path, __VA_ARGS__)

CASE(openat)
{
	int folder = open("/dev", O_RDONLY | O_DIRECTORY);

	OPENS(OPENAT);
	tell("in a folder", openat(folder, "null", O_RDONLY));
	tell("not in a folder", openat(folder, "nonexistent", O_RDONLY));
	close(folder);
	tell("in none", openat(negative, "null", O_RDONLY));
}

/* The further names, which headers hide behind macros or declare for no program's use. */
#ifdef __GLIBC__
#undef open64
#undef openat64
#undef fopen64
int open64(const char *path, int flags, ...);
int openat64(int dirfd, const char *path, int flags, ...);
FILE *fopen64(const char *path, const char *mode);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
#define OPENAT64(path, ...) AT(openat64, path, __VA_ARGS__)

CASE(open64)
{
	OPENS(open64);
}

CASE(openat64)
{
	OPENS(OPENAT64);
}

#define OPENS_2(opener)                                                                            \
	do {                                                                                       \
		errno = 77;                                                                        \
		tell("good", opener("/dev/null", O_RDWR));                                         \
		tell("missing", opener("/nonexistent/file", O_RDONLY));                            \
		tell("nowhere", opener(nowhere, O_RDONLY));                                        \
		/* without its mode: libc aborts */                                                \
		tell("not reached", opener("/tmp/nothing", O_WRONLY | O_CREAT));                   \
	} while (0)
#define OPENAT_2(path, flags)	__openat_2(AT_FDCWD, path, flags)
#define OPENAT64_2(path, flags) __openat64_2(AT_FDCWD, path, flags)

CASE(__open_2)
{
	OPENS_2(__open_2);
}

CASE(__open64_2)
{
	OPENS_2(__open64_2);
}

CASE(__openat_2)
{
	OPENS_2(OPENAT_2);
}

CASE(__openat64_2)
{
	OPENS_2(OPENAT64_2);
}
#else
CASE_MISSING(open64)
CASE_MISSING(openat64)
CASE_MISSING(__open_2)
CASE_MISSING(__open64_2)
CASE_MISSING(__openat_2)
CASE_MISSING(__openat64_2)
CASE_MISSING(fopen64)
#endif

static void opened(const char *what, FILE *f)
{
	int error = errno;
	char line[8] = "";

	say("%s %d errno %d", what, f != NULL, error);
	say(" %d\n", f ? fgets(line, 5, f) != NULL : 0);
	if (f)
		fclose(f);
}

#define FOPENS(opener)                                                                             \
	do {                                                                                       \
		errno = 77;                                                                        \
		opened("good", opener("/etc/passwd", "r"));                                        \
		opened("missing", opener("/nonexistent/passwd", "re"));                            \
		opened("mode", opener("/etc/passwd", "x"));                                        \
		opened("folder", opener("/tmp", "w"));                                             \
		opened("nowhere", opener(nowhere, "r"));                                           \
		errno = 77;                                                                        \
		opened("good again", opener("/etc/passwd", "r"));                                  \
	} while (0)

CASE(fopen)
{
	FOPENS(fopen);
}

#ifdef __GLIBC__
CASE(fopen64)
{
	FOPENS(fopen64);
}
#endif

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in a;

	memset(&a, 0, sizeof a);
	a.sin_family = AF_INET;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((unsigned short)port);
	return a;
}

static struct sockaddr *any(struct sockaddr_in *a)
{
	return (struct sockaddr *)a;
}

/* A socket that listens, and its address. */
static int listener(struct sockaddr_in *a)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof *a;

	*a = loopback(0);
	if (bind(s, any(a), sizeof *a) || listen(s, 4) || getsockname(s, any(a), &len))
		say("no listener\n");
	return s;
}

static void result(const char *what, int r)
{
	int error = errno;

	say("%s %d errno %d\n", what, r, error);
}

CASE(connect)
{
	struct sockaddr_in a;
	int l = listener(&a), s = socket(AF_INET, SOCK_STREAM, 0);

	errno = 77;
	result("accepted", connect(s, any(&a), sizeof a));
	result("again", connect(s, any(&a), sizeof a));
	close(s);
	close(l);
	s = socket(AF_INET, SOCK_STREAM, 0);
	result("refused", connect(s, any(&a), sizeof a));
	result("short", connect(s, any(&a), 2));
	result("nowhere", connect(s, nowhere, sizeof a));
	close(s);
	result("closed", connect(negative, any(&a), sizeof a));
}

/* Without waiting: how it ended is asked for behind it. */
CASE(getsockopt)
{
	struct sockaddr_in a;
	int error = -1, type = -1, l = listener(&a);
	socklen_t len = sizeof error;

	for (int i = 0; i < 2; i++) {
		int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		struct pollfd p = {.fd = s, .events = POLLOUT};

		if (i)
			close(l);
		errno = 77;
		result("begun", connect(s, any(&a), sizeof a));
		poll(&p, 1, 5000);
		errno = 77;
		result("asked", getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len));
		say("error %d length %d\n", error, (int)len);
		result("type", getsockopt(s, SOL_SOCKET, SO_TYPE, &type, &len));
		result("nowhere", getsockopt(s, SOL_SOCKET, SO_ERROR, nowhere, &len));
		len = 2;
		result("short", getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len));
		say("length %d\n", (int)len);
		len = sizeof error;
		close(s);
	}
	result("closed", getsockopt(negative, SOL_SOCKET, SO_ERROR, &error, &len));
}

CASE(bind)
{
	struct sockaddr_in a;
	int l = listener(&a), s = socket(AF_INET, SOCK_STREAM, 0);

	errno = 77;
	result("taken", bind(s, any(&a), sizeof a));
	result("short", bind(s, any(&a), 3));
	result("nowhere", bind(s, nowhere, sizeof a));
	close(l);
	errno = 77;
	result("free", bind(s, any(&a), sizeof a));
	result("twice", bind(s, any(&a), sizeof a));
	close(s);
	result("closed", bind(negative, any(&a), sizeof a));
}

CASE(listen)
{
	struct sockaddr_in a;
	int l = listener(&a), datagrams = socket(AF_INET, SOCK_DGRAM, 0);

	errno = 77;
	result("again", listen(l, 5));
	result("datagrams", listen(datagrams, 5));
	close(l);
	close(datagrams);
	result("closed", listen(negative, 5));
	for (int i = 0; i < 20; i++) /* more than are remembered */
		listener(&a);
	errno = 77;
	result("many", listen(listener(&a), 1));
}

/* libc's own look-up is not made for handlers and vfork children. */
CASE_BUT(getaddrinfo, [CONTEXT_SIGNAL] = "not for signal handlers",
	 [CONTEXT_VFORK] = "it allocates in its parent's memory")
{
	struct addrinfo hints, *found = NULL;
	int r;

	memset(&hints, 0, sizeof hints);
	hints.ai_flags = AI_NUMERICHOST;
	r = getaddrinfo("127.0.0.1", "80", &hints, &found);
	say("number %d %d\n", r, found != NULL);
	if (!r)
		freeaddrinfo(found);
	r = getaddrinfo("no.number", NULL, &hints, &found);
	say("name %d\n", r);
	r = getaddrinfo(NULL, NULL, &hints, &found);
	say("nothing %d\n", r);
	hints.ai_flags = 0x40000000;
	r = getaddrinfo("127.0.0.1", NULL, &hints, &found);
	say("flags %d\n", r);
}
