/*
 * Prints to a stream without a buffer, in every way that a hook may take over, and tells on stderr
 * what came of each call. The argument says what happens to stdout on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TELL(call)                                                                                 \
	do {                                                                                       \
		errno = 0;                                                                         \
		long result = (long)(call);                                                        \
		tell(#call, result, errno);                                                        \
	} while (0)

static void tell(const char *call, long result, int error)
{
	fprintf(stderr, "%s is %ld, errno %d, %s\n", call, result, error,
		ferror(stdout) ? "an error" : "no error");
}

static void print_all(void)
{
	for (int i = 0; i < 2; i++) {
		TELL(printf("hello %d\n", i));
		TELL(puts("a line"));
		TELL(putchar('x'));
		TELL(putchar_unlocked('z'));
		TELL(fputc(0xff, stdout));
		TELL(fputs("abc", stdout));
		TELL(fwrite("12345", 1, 5, stdout));
		TELL(printf("%s", ""));
	}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IONBF, 0);
	print_all();
	if (strcmp(how, "offset") == 0) {
		TELL(ftell(stdout));
		TELL(printf("more"));
		TELL(ftell(stdout));
		TELL(fseek(stdout, 2, SEEK_SET));
		TELL(putchar('Y'));
		TELL(ftell(stdout));
	} else if (strcmp(how, "closed") == 0) {
		close(STDOUT_FILENO);
		print_all();
		clearerr(stdout);
		TELL(printf("gone\n"));
	} else if (strcmp(how, "full") == 0) {
		dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
		print_all();
	} else if (strcmp(how, "reopened") == 0) {
		TELL(freopen("/dev/null", "a", stdout) == stdout);
		print_all();
	}
	return 0;
}
